//! What there is to be told of a stream at one moment, and what is counted of it.

use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::{DeathTotals, QueueTotals};
use crate::queue::Queue;
use crate::queue::consumers::Consumer;
use crate::queue::status::{Activity, ConsumerStatus, QueueStatus};
use crate::queue::stream::StreamQueue;
use crate::queue::stream::readers::{Reader, Readers};
use crate::queue::stream::turns::Standing;
use crate::queue::tally::{QueueTally, Volume};
use crate::time::clock::Timestamp;

impl Readers {
    /// What was counted until now, of a stream that holds so many messages. They all wait, whoever
    /// has read them.
    pub(crate) fn tally(&self, held: u64) -> QueueTally {
        let totals = QueueTotals { messages_ready: held, ..self.counted.totals };
        QueueTally { totals, deaths: DeathTotals::default(), consumers: self.len() }
    }

    /// Messages were appended, to a log on disk or in memory.
    pub(crate) fn count_appended(&mut self, count: usize, is_on_disk: bool, now: Timestamp) {
        let totals = &mut self.counted.totals;
        totals.publish += count as u64;
        totals.disk_writes += if is_on_disk { count as u64 } else { 0 };
        self.count_use(now);
    }

    /// Messages were read, from a log on disk or in memory.
    pub(crate) fn count_read(&mut self, count: usize, is_on_disk: bool) {
        self.counted.totals.disk_reads += if is_on_disk { count as u64 } else { 0 };
    }

    /// Something was done with the stream.
    pub(crate) fn count_use(&mut self, now: Timestamp) {
        self.counted.active_at = now;
        self.counted.capacity.set(self.able > 0, now);
    }
}

impl StreamQueue {
    fn held(&self) -> Volume {
        let usage = self.log.usage();
        Volume { messages: usage.messages, bytes: usage.octets }
    }

    /// Messages, and what was counted.
    pub(crate) fn tally(&self) -> QueueTally {
        let held = self.held().messages;
        self.readers.lock().tally(held)
    }

    /// The same, remembered for rates.
    pub(crate) fn record(&self, now: Timestamp, is_first: bool) -> QueueTally {
        let held = self.held().messages;
        let mut readers = self.readers.lock();
        let tally = readers.tally(held);
        readers.counted.recent.record(now, tally.totals, is_first);
        tally
    }

    /// What the totals were.
    pub(crate) fn samples(&self, now: Timestamp, span: Span) -> Vec<Sample<QueueTotals>> {
        self.readers.lock().counted.recent.samples(now, span)
    }

    /// The stream at this moment, which is this queue with these settings.
    pub(crate) fn status(&self, queue: &Queue, now: Timestamp) -> QueueStatus {
        let settings = queue.settings();
        let (held, nothing) = (self.held(), Volume::default());
        let in_memory = if self.is_in_memory { held.bytes as usize } else { 0 };
        let readers = self.readers.lock();
        let counted = &readers.counted;
        QueueStatus {
            name: self.name.clone(),
            queue_type: queue.attributes().arguments.queue_type,
            messages: self.measured(&readers, held.messages),
            ready: held,
            unacknowledged: counted.unacked.all,
            persistent: held,
            paged_out: if self.is_in_memory { nothing } else { held },
            head_message_timestamp: None,
            consumers: readers.len(),
            consumer_capacity: match readers.len() {
                0 => 0.0,
                _ => counted.capacity.average(now),
            },
            single_active_consumer: None,
            exclusive_consumer: None,
            memory: size_of::<Queue>() + readers.len() * size_of::<Consumer>() + in_memory,
            active_at: counted.active_at,
            is_held: readers.is_held(),
            owner: None,
            settings,
            dead_letter_target: None,
        }
    }

    fn measured(&self, readers: &Readers, held: u64) -> Measured<QueueTotals> {
        readers.counted.recent.measured(readers.tally(held).totals)
    }

    /// Its consumers.
    pub(crate) fn consumers(&self) -> Vec<ConsumerStatus> {
        let readers = self.readers.lock();
        let status = |reader: &Reader| ConsumerStatus {
            queue: self.name.clone(),
            tag: reader.spec.tag.clone(),
            channel: reader.spec.channel,
            ack_required: true,
            exclusive: reader.spec.exclusive,
            active: reader.standing.reads(),
            activity: match reader.standing {
                Standing::Always => Activity::Up,
                Standing::Active => Activity::SingleActive,
                Standing::Stopping | Standing::Waiting => Activity::Waiting,
            },
            prefetch_count: reader.spec.prefetch_count,
            priority: reader.spec.priority,
            unacknowledged: reader.unacked,
            consumer_timeout_ms: reader.spec.timeout_ms.unwrap_or(readers.overdue.timeout_ms()),
            arguments: reader.spec.arguments.clone(),
        };
        readers.iter().map(status).collect()
    }
}
