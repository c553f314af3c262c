//! Who a message of a held queue is for.

use crate::base::ids::ConnectionId;
use crate::base::names::ConsumerTag;
use crate::node::connections::Connections;

/// A consumer that a message of a held queue is for: its consumer tag and, if others have the same
/// one, its connection and channel.
///
/// ```
/// use leveret::Recipient;
///
/// let slow: Recipient = "worker".into();
/// let slow = slow.on_connection("slow").on_channel(1);
/// ```
#[derive(Clone, Debug)]
pub struct Recipient {
    pub(super) consumer_tag: ConsumerTag,
    connection: Option<Connection>,
    pub(super) channel: Option<u16>,
}

#[derive(Clone, Debug)]
enum Connection {
    Named(String),
    Numbered(ConnectionId),
}

impl<T: Into<String>> From<T> for Recipient {
    fn from(consumer_tag: T) -> Self {
        let consumer_tag = ConsumerTag::from(consumer_tag.into());
        Self { consumer_tag, connection: None, channel: None }
    }
}

impl Recipient {
    /// On the connection to which the client gave this name.
    #[must_use]
    pub fn on_connection(mut self, name: impl Into<String>) -> Self {
        self.connection = Some(Connection::Named(name.into()));
        self
    }

    /// On the connection with this number, as
    /// [`QueueHandle::unacked`](crate::QueueHandle::unacked) and the
    /// [journal](crate::journal) tell it.
    #[must_use]
    pub fn on_connection_number(mut self, number: u64) -> Self {
        self.connection = Some(Connection::Numbered(number));
        self
    }

    /// On the channel with this number.
    #[must_use]
    pub fn on_channel(mut self, number: u16) -> Self {
        self.channel = Some(number);
        self
    }

    /// The connections that are meant; `None` for all.
    pub(super) fn connections(&self, open: &Connections) -> Option<Vec<ConnectionId>> {
        self.connection.as_ref().map(|connection| match connection {
            Connection::Named(name) => open.named(name),
            Connection::Numbered(number) => vec![*number],
        })
    }
}
