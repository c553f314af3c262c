//! The publishers and consumers of connections of RabbitMQ's stream protocol, for others to see.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::insight::statistics::tally::Tally;
use crate::queue::Queue;

/// A publisher. Its connection alone counts.
pub(crate) struct StreamPublisher {
    /// Number that the client chose.
    pub id: u8,
    pub queue: Arc<Queue>,
    /// Its name for deduplication; empty for none.
    pub reference: String,
    /// Messages that came.
    pub published: Tally,
    /// Those that are safe.
    pub confirmed: Tally,
    /// Those that are lost.
    pub errored: Tally,
}

/// A consumer. Its connection alone counts.
pub(crate) struct StreamConsumer {
    /// Number that the client chose.
    pub id: u8,
    pub queue: Arc<Queue>,
    pub properties: Vec<(String, String)>,
    /// Chunks that it takes.
    pub credits: Tally,
    /// Messages that were sent to it.
    pub consumed: Tally,
    /// Offset of the next one.
    pub offset: Tally,
    /// Whether it is the one of its group that is served.
    pub active: AtomicBool,
}

impl StreamPublisher {
    /// One that has not published yet.
    pub(crate) fn new(id: u8, queue: &Arc<Queue>, reference: &str) -> Arc<Self> {
        Arc::new(Self {
            id,
            queue: Arc::clone(queue),
            reference: reference.to_owned(),
            published: Tally::default(),
            confirmed: Tally::default(),
            errored: Tally::default(),
        })
    }
}

impl StreamConsumer {
    /// One that was sent nothing yet.
    pub(crate) fn new(id: u8, queue: &Arc<Queue>, properties: Vec<(String, String)>) -> Arc<Self> {
        Arc::new(Self {
            id,
            queue: Arc::clone(queue),
            properties,
            credits: Tally::default(),
            consumed: Tally::default(),
            offset: Tally::default(),
            active: AtomicBool::new(true),
        })
    }

    /// Committed messages that it was not sent.
    pub(crate) fn lag(&self) -> u64 {
        let committed = self.queue.stream().map_or(0, |stream| stream.log().committed_offset());
        committed.saturating_sub(self.offset.get())
    }

    /// Whether it is served.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }
}

/// Those of one connection, for as long as it keeps them.
#[derive(Default)]
pub(crate) struct StreamClients(Mutex<Known, rank::StreamClients>);

#[derive(Default)]
struct Known {
    publishers: Vec<Weak<StreamPublisher>>,
    consumers: Vec<Weak<StreamConsumer>>,
}

/// Those that are still there. The others make room.
fn live<T>(known: &mut Vec<Weak<T>>) -> Vec<Arc<T>> {
    known.retain(|one| one.strong_count() > 0);
    known.iter().filter_map(Weak::upgrade).collect()
}

impl StreamClients {
    /// A publisher is declared.
    pub(crate) fn add_publisher(&self, publisher: &Arc<StreamPublisher>) {
        let mut known = self.0.lock();
        known.publishers.retain(|one| one.strong_count() > 0);
        known.publishers.push(Arc::downgrade(publisher));
    }

    /// A consumer begins.
    pub(crate) fn add_consumer(&self, consumer: &Arc<StreamConsumer>) {
        let mut known = self.0.lock();
        known.consumers.retain(|one| one.strong_count() > 0);
        known.consumers.push(Arc::downgrade(consumer));
    }

    /// The publishers.
    pub(crate) fn publishers(&self) -> Vec<Arc<StreamPublisher>> {
        live(&mut self.0.lock().publishers)
    }

    /// The consumers.
    pub(crate) fn consumers(&self) -> Vec<Arc<StreamConsumer>> {
        live(&mut self.0.lock().consumers)
    }
}
