//! What there is to be told of a queue at one moment.

use amq_protocol::types::FieldTable;

use crate::base::ids::{ChannelId, ConnectionId};
use crate::base::names::{ConsumerTag, QueueName};
use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::QueueTotals;
use crate::queue::consumers::Consumer;
use crate::queue::tally::{QueueTally, Volume};
use crate::queue::{DeadLetterTarget, Queue, QueueType, Settings};
use crate::time::clock::Timestamp;

/// A queue at one moment. What it was declared with is in
/// [`Queue::attributes`](crate::queue::Queue::attributes).
#[derive(Clone, Debug)]
pub struct QueueStatus {
    /// Name.
    pub name: QueueName,
    /// Type.
    pub queue_type: QueueType,
    /// Messages, what was counted, and rates.
    pub messages: Measured<QueueTotals>,
    /// Messages that wait for a consumer.
    pub ready: Volume,
    /// Messages that wait for an acknowledgement.
    pub unacknowledged: Volume,
    /// Of all messages, those that were published as persistent.
    pub persistent: Volume,
    /// Of the ready ones, those that are in the store alone. All others are in memory.
    pub paged_out: Volume,
    /// The property `timestamp` of the first message, in seconds; `None` if it has none.
    pub head_message_timestamp: Option<u64>,
    /// Consumers.
    pub consumers: usize,
    /// The part of the time, 0 to 1, in which a consumer was ready to take a message at once.
    pub consumer_capacity: f64,
    /// The single active consumer, if the queue is one that has it.
    pub single_active_consumer: Option<ConsumerKey>,
    /// The exclusive consumer, if there is one.
    pub exclusive_consumer: Option<ConsumerKey>,
    /// Octets of memory that the queue takes, with its messages, about.
    pub memory: usize,
    /// When something was last done with it.
    pub active_at: Timestamp,
    /// Whether a test holds it.
    pub is_held: bool,
    /// The connection that alone may use it.
    pub owner: Option<ConnectionId>,
    /// The settings that it works by: its arguments with policies over them.
    pub settings: Settings,
    /// Where its dead letters go.
    pub dead_letter_target: Option<DeadLetterTarget>,
}

/// Which of the consumers of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerKey {
    /// Its tag.
    pub tag: ConsumerTag,
    /// Its channel.
    pub channel: ChannelId,
}

/// A consumer of a queue at one moment.
#[derive(Clone, Debug)]
pub struct ConsumerStatus {
    /// Its queue.
    pub queue: QueueName,
    /// Consumer tag.
    pub tag: ConsumerTag,
    /// The channel that it belongs to.
    pub channel: ChannelId,
    /// Whether its deliveries have to be acknowledged.
    pub ack_required: bool,
    /// Whether no other consumer is tolerated.
    pub exclusive: bool,
    /// Whether it gets messages at all: of several under a single active consumer only that does.
    pub active: bool,
    /// How it comes to get them, or not.
    pub activity: Activity,
    /// Most unacknowledged deliveries; 0 for no limit.
    pub prefetch_count: u32,
    /// `x-priority`.
    pub priority: i64,
    /// Deliveries that wait for its acknowledgement.
    pub unacknowledged: u32,
    /// How long a delivery may wait for it, in milliseconds.
    pub consumer_timeout_ms: u64,
    /// Arguments as they came.
    pub arguments: FieldTable,
}

/// How a consumer comes to get messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It takes turns with the others.
    Up,
    /// It is the only one of its queue that gets any.
    SingleActive,
    /// Another one gets them.
    Waiting,
}

impl Activity {
    /// RabbitMQ's word for it, `activity_status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::SingleActive => "single_active",
            Self::Waiting => "waiting",
        }
    }
}

impl Queue {
    /// The queue at this moment.
    pub fn status(&self, now: Timestamp) -> QueueStatus {
        if let Some(stream) = &self.stream {
            return stream.status(self, now);
        }
        let dead_letter_target = self.dead_letter_target();
        let state = self.state.lock();
        let consumers = state.consumers();
        let key = |consumer: &Consumer| ConsumerKey {
            tag: consumer.spec.tag.clone(),
            channel: consumer.spec.channel,
        };
        let active = |consumer: &&Consumer| consumers.may_get(consumer.id);
        let single_active = consumers.iter().filter(|_| consumers.is_single_active()).find(active);
        let ready = Volume { messages: state.ready.len() as u64, bytes: state.ready.body_bytes() };
        QueueStatus {
            name: self.name.clone(),
            queue_type: self.attributes.arguments.queue_type,
            messages: state.measured(),
            ready,
            unacknowledged: state.counted.unacked.all,
            persistent: state.ready.persistent().and(state.counted.unacked.persistent),
            paged_out: state.ready.paged_out(),
            head_message_timestamp: state.head_timestamp(),
            consumers: consumers.len(),
            consumer_capacity: match consumers.is_empty() {
                true => 0.0,
                false => state.counted.capacity.average(now),
            },
            single_active_consumer: single_active.map(key),
            exclusive_consumer: consumers.iter().find(|c| c.spec.exclusive).map(key),
            memory: size_of::<Self>()
                + consumers.len() * size_of::<Consumer>()
                + state.counts().footprint,
            active_at: state.counted.active_at,
            is_held: state.is_held(),
            owner: self.attributes.owner,
            settings: state.settings().clone(),
            dead_letter_target,
        }
    }

    /// Its consumers.
    pub fn consumers(&self) -> Vec<ConsumerStatus> {
        if let Some(stream) = &self.stream {
            return stream.consumers();
        }
        let state = self.state.lock();
        let (consumers, settings) = (state.consumers(), state.settings());
        let status = |consumer: &Consumer| {
            let (spec, active) = (&consumer.spec, consumers.may_get(consumer.id));
            ConsumerStatus {
                queue: self.name.clone(),
                tag: spec.tag.clone(),
                channel: spec.channel,
                ack_required: !spec.no_ack,
                exclusive: spec.exclusive,
                active,
                activity: match (consumers.is_single_active(), active) {
                    (false, _) => Activity::Up,
                    (true, true) => Activity::SingleActive,
                    (true, false) => Activity::Waiting,
                },
                prefetch_count: spec.prefetch_count,
                priority: spec.priority,
                unacknowledged: consumer.unacked,
                consumer_timeout_ms: spec.timeout_ms.unwrap_or(settings.consumer_timeout_ms),
                arguments: spec.arguments.clone(),
            }
        };
        consumers.iter().map(status).collect()
    }

    /// A dead letter of this queue has arrived. Only queues that may keep it until then count that.
    pub fn count_arrived(&self) {
        if self.attributes.arguments.queue_type == QueueType::Quorum {
            self.state.lock().count_arrived();
        }
    }

    /// Messages, and what was counted.
    pub fn tally(&self) -> QueueTally {
        match &self.stream {
            Some(stream) => stream.tally(),
            None => self.state.lock().tally(),
        }
    }

    /// The same, remembered for rates.
    pub fn record(&self, now: Timestamp, is_first: bool) -> QueueTally {
        if let Some(stream) = &self.stream {
            return stream.record(now, is_first);
        }
        let mut state = self.state.lock();
        let tally = state.tally();
        state.counted.recent.record(now, tally.totals, is_first);
        tally
    }

    /// What the totals were in a span of time.
    pub fn samples(&self, now: Timestamp, span: Span) -> Vec<Sample<QueueTotals>> {
        match &self.stream {
            Some(stream) => stream.samples(now, span),
            None => self.state.lock().counted.recent.samples(now, span),
        }
    }
}
