//! What a channel tells its client by itself, whoever that is: the gateway writes frames, an
//! embedding program finds messages in a mailbox.

use std::borrow::Cow;

use crate::base::names::ConsumerTag;
use crate::base::wake::Wakeups;
use crate::error::Error;
use crate::faults::Held;
use crate::message::Message;

pub(crate) use crate::channel::deliveries::run::{Outgoing, Run, Tagged};

/// The client's side of a channel. Calls return at once; they come from any thread.
pub(crate) trait ChannelOutput: Send + Sync {
    /// Whether more deliveries fit. After `false` the owner of the channel resumes its consumers
    /// when there is room.
    fn has_room(&self) -> bool;

    /// Whether a direct reply fits, for which no queue keeps a place.
    fn has_room_for_reply(&self) -> bool;

    /// A delivery.
    fn deliver_one(&self, delivery: Outgoing<'_, Cow<'_, Message>>, wakeups: &mut Wakeups);

    /// Deliveries, in order.
    fn deliver(&self, deliveries: Run<'_>, wakeups: &mut Wakeups) {
        match deliveries {
            Run::Given(given) => {
                given.for_each(|one| self.deliver_one(one.map(Cow::Owned), wakeups));
            }
            Run::Shown(shown) => {
                shown.for_each(|one| self.deliver_one(one.map(Cow::Borrowed), wakeups));
            }
        }
    }

    /// An unroutable message comes back `[amqp 0-9-1 basic.return]`.
    fn basic_return(&self, message: &Message, wakeups: &mut Wakeups);

    /// Publishes are confirmed, or refused if `ack` is false `[rabbitmq confirms]`.
    fn confirm(&self, delivery_tag: u64, multiple: bool, ack: bool, wakeups: &mut Wakeups);

    /// A delivery was not acknowledged in time: the channel has to close with 406
    /// `[rabbitmq consumers#acknowledgement-timeout]`.
    fn acknowledgement_timed_out(&self, timeout_ms: u64);

    /// The channel's number; 0 if it has none.
    fn number(&self) -> u16 {
        0
    }

    /// The connection is about to be lost: what is written from now on gets nowhere.
    fn seal(&self) {}

    /// Whether that has happened.
    fn is_sealed(&self) -> bool {
        false
    }

    /// What the error closes has to close: the channel or its connection.
    fn fail(&self, error: Error, wakeups: &mut Wakeups);

    /// The client is not read any more, until what is returned is called. `None` if nothing is
    /// ever read from it.
    fn stop_reading(&self) -> Option<Held> {
        None
    }

    /// The queue of a consumer is gone `[rabbitmq consumer-cancel]`.
    fn cancel(&self, consumer_tag: &ConsumerTag, wakeups: &mut Wakeups);
}
