//! The AMQP channel: what a client may do, one file for each group of methods. The gateway and
//! the embedded API call the same code.

mod ack;
mod aside;
mod confirms;
mod consume;
mod counted;
mod deliveries;
mod direct;
mod ending;
mod faults;
mod noting;
pub(crate) mod output;
mod publish;
mod publish_checks;
mod reading;
mod resources;
mod routes;
pub(crate) mod session;
pub(crate) mod status;
mod transaction;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;

use self::confirms::Confirms;
use self::counted::Counted;
use self::deliveries::Deliveries;
use self::output::ChannelOutput;
use self::publish::Publisher;
use self::transaction::Transaction;
use crate::base::ids::ChannelId;
use crate::base::memory_alarm::Share;
use crate::base::names::{ConsumerTag, QueueName};
use crate::channel::session::Session;
use crate::error::{Error, Result};
use crate::limits::CHANNEL_BYTES;
use crate::queue::Queue;
use crate::queue::consumers::ConsumerId;
use crate::queue::effects::Effects;
use crate::time::clock::Timestamp;
use crate::vhost::VirtualHost;

pub use self::consume::Consume;
pub(crate) use self::consume::GetOk;
pub(crate) use self::direct::{Acknowledged, Direct, Settling};
pub(crate) use self::ending::{Remains, give_back};
#[cfg(feature = "gateway")]
pub(crate) use self::faults::stop_reading;
pub(crate) use self::watch::Watch;

/// What publishes and acknowledgements of a channel are subject to.
enum Mode {
    /// Neither confirms nor transactions.
    Plain,
    /// Publisher confirms.
    Confirm(Confirms),
    /// Transactions.
    Transaction(Transaction),
}

struct Consumer {
    queue: Arc<Queue>,
    /// Number by which the queue knows it.
    id: ConsumerId,
    /// Number that its deliveries bear.
    source: u32,
    /// What it takes.
    _share: Share,
}

impl Consumer {
    /// Whether it went with its queue.
    fn is_gone(&self, deliveries: &Deliveries) -> bool {
        self.queue.is_deleted() && deliveries.has_ended(self.source, &self.queue)
    }
}

/// An open channel.
///
/// Methods are named after AMQP's. They leave work in [`Effects`], which the caller does by
/// [`VirtualHost::run`] after each of them. What acknowledgements and publishes need comes first.
#[repr(C)]
pub(crate) struct Channel {
    session: Arc<Session>,
    deliveries: Arc<Deliveries>,
    /// Faults that tests declare.
    watch: Watch,
    /// What a fault ends the channel with after the method at hand.
    afterwards: Option<Error>,
    mode: Mode,
    publisher: Publisher,
    consumers: HashMap<ConsumerTag, Consumer>,
    /// How often consumers were resumed: each time another one is first.
    turn: usize,
    last_queue: Option<QueueName>,
    prefetch_count: u32,
    /// Consumer of direct replies, and the routing key that leads to it.
    reply_consumer: Option<(ConsumerTag, String)>,
    /// What it takes.
    share: Share,
}

impl Channel {
    /// Opens a channel. Errors: 530 when the user, or the connection, has as many as it may.
    pub(crate) fn open(session: Arc<Session>, output: Arc<dyn ChannelOutput>) -> Result<Self> {
        let cancel_notify = session.consumer_cancel_notify;
        let number = match output.number() {
            0 => session.next_channel_number()?,
            number => number,
        };
        let watch = || Watch::new(&session, number);
        let id = ChannelId { connection: session.id(), number };
        let counted = Counted::new(id, session.virtual_host.now());
        let deliveries = Deliveries::new(output, counted, cancel_notify, Some(watch()));
        session.join(Arc::clone(&deliveries) as _)?;
        Ok(Self {
            share: Share::new(session.virtual_host.memory(), CHANNEL_BYTES),
            deliveries,
            watch: watch(),
            session,
            consumers: HashMap::new(),
            turn: 0,
            last_queue: None,
            prefetch_count: 0,
            mode: Mode::Plain,
            publisher: Publisher::default(),
            reply_consumer: None,
            afterwards: None,
        })
    }

    fn virtual_host(&self) -> &Arc<VirtualHost> {
        &self.session.virtual_host
    }

    fn id(&self) -> ChannelId {
        self.deliveries.counted().id
    }

    fn now(&self) -> Timestamp {
        self.virtual_host().now()
    }

    /// The queue that `name` means: an empty name means the last one declared on this channel.
    fn queue_name(&self, name: &str) -> Result<String> {
        if !name.is_empty() {
            return Ok(name.to_owned());
        }
        self.last_queue.as_ref().map(ToString::to_string).ok_or(Error::NoPreviousQueue)
    }

    /// Whether it consumes from any queue.
    pub(crate) fn has_consumers(&self) -> bool {
        !self.consumers.is_empty()
    }

    /// The queue of a consumer.
    pub(crate) fn queue_of(&self, tag: &ConsumerTag) -> Option<Arc<Queue>> {
        self.consumers.get(tag).map(|consumer| Arc::clone(&consumer.queue))
    }

    /// Whether consumers wait for room that there is now.
    pub(crate) fn is_starved(&self) -> bool {
        self.deliveries.take_starved()
    }

    /// Lets consumers that were turned away get messages again. They take turns in being the
    /// first, who may use up all the room or credit there is.
    pub(crate) fn resume_consumers(&mut self, effects: &mut Effects) {
        let now = self.now();
        self.turn = (self.turn + 1) % self.consumers.len().max(1);
        let all = || self.consumers.values();
        for consumer in all().skip(self.turn).chain(all().take(self.turn)) {
            consumer.queue.resume(consumer.id, now, effects);
        }
    }

    /// The queue that an empty name means.
    pub(crate) fn last_queue(&self) -> Option<&QueueName> {
        self.last_queue.as_ref()
    }

    /// Forgets consumers whose queue is gone, if they are at least as many as others: so it costs
    /// each of them a little, however many there are.
    fn forget_cancelled(&mut self) {
        if self.deliveries.cancelled() * 2 > self.consumers.len() {
            self.forget_all_cancelled();
        }
    }

    fn forget_all_cancelled(&mut self) {
        let known = self.consumers.len();
        let deliveries = &self.deliveries;
        self.consumers.retain(|_, consumer| !consumer.is_gone(deliveries));
        self.deliveries.forget_cancelled(known - self.consumers.len());
    }
}
