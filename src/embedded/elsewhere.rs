//! The same API, of another broker.

use crate::embedded::connection::Connection;
use crate::error::Result;
use crate::remote::client::RemoteConnection;

/// Connects to another broker, a leveret or a RabbitMQ, such as
/// `amqps://user:password@host/vhost`: what works with a [`Connection`] of
/// [`Broker::connect`](crate::Broker::connect) works with this one. What may follow the virtual
/// host after a question mark is in `docs/beyond-one-node.md`.
///
/// ```no_run
/// use leveret::Publish;
///
/// let channel = leveret::remote("amqp://guest:guest@rabbit1")?.open_channel()?;
/// channel.queue_declare("jobs")?;
/// assert!(channel.publish(Publish::to_queue("jobs").body("7")).wait()?.is_ack());
/// # Ok::<(), leveret::Error>(())
/// ```
///
/// What differs is where it is:
///
/// - Methods wait for the other broker. [`Channel::basic_publish`](crate::Channel::basic_publish)
///   waits for the confirm; [`Channel::publish`](crate::Channel::publish) and
///   [`Channel::publish_all`](crate::Channel::publish_all) wait for no single one.
/// - A connection that is lost is opened again, for as long as it takes; methods wait for that,
///   for a minute at most. Exchanges, queues and bindings that were declared on it are declared
///   again, and consumers go on. What was published and not confirmed is published again, and may
///   come twice; what was delivered and not acknowledged is delivered again. To acknowledge what
///   came before is no error then, and says nothing.
/// - Errors are [`Error::Remote`](crate::Error::Remote) with the other's code and text, and leave
///   the channel open, as here. An error of basic.consume or basic.get that is not about the
///   queue's absence gives back what the channel has not acknowledged.
/// - Queues without a name get one that begins with `leveret.gen-`.
/// - Without a limit, [`Channel::basic_qos`](crate::Channel::basic_qos), all that is in a queue
///   comes at once.
///
/// Errors: 402 if the URI is none, 403 if the other broker does not let it in, 320 if it does not
/// answer.
pub fn remote(uri: &str) -> Result<Connection> {
    RemoteConnection::open(uri).map(Connection::there)
}
