//! What a queue leaves when it ends: consumers that have to hear of it, and messages.

use crate::base::blocking::pause_if_long;
use crate::base::wake::Wakeups;
use crate::queue::consumers::ConsumerSpec;
use crate::queue::fifo::state::State;
use crate::queue::stream::readers::Readers;
use crate::queue::tally::QueueTally;

/// What a queue that has ended leaves behind. Nothing of it is in a lock's way: nobody finds the
/// queue any more.
#[must_use]
pub(crate) struct Ended {
    tally: QueueTally,
    left: Left,
}

enum Left {
    Fifo(Box<State>),
    Stream(Box<Readers>),
}

impl Ended {
    pub(super) fn new(left: State) -> Self {
        Self { tally: left.tally(), left: Left::Fifo(Box::new(left)) }
    }

    /// Of a stream. Its messages are in its log.
    pub(super) fn of_stream(left: Readers) -> Self {
        // What it holds is of no concern any more.
        Self { tally: left.tally(0), left: Left::Stream(Box::new(left)) }
    }

    /// What was counted until then.
    pub(crate) fn tally(&self) -> &QueueTally {
        &self.tally
    }

    /// Cancels the consumers, one after the other, and drops the messages. With many of them others
    /// have the thread meanwhile.
    pub(crate) fn clear(self, wakeups: &mut Wakeups) {
        let cancel = |spec: &ConsumerSpec| spec.outlet.cancelled(spec.source, wakeups);
        match self.left {
            Left::Fifo(state) => {
                pause_if_long(state.consumers().len().max(state.ready.len()), move || {
                    state.consumers().iter().map(|consumer| &consumer.spec).for_each(cancel);
                });
            }
            Left::Stream(readers) => pause_if_long(readers.len(), || {
                readers.iter().map(|reader| &reader.spec).for_each(cancel);
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, OnceLock};

    use amq_protocol::types::FieldTable;

    use super::*;
    use crate::base::ids::ChannelId;
    use crate::limits::LONG;
    use crate::queue::arguments::QueueArguments;
    use crate::queue::consumers::{Delivery, Outlet, Passing, Reserved};
    use crate::queue::effects::Effects;
    use crate::queue::fifo::entry::Entry;
    use crate::queue::{Queue, QueueAttributes, QueueStorage};
    use crate::time::clock::Timestamp;

    /// Wants the queue whenever it hears that one of its consumers has ended.
    #[derive(Default)]
    struct Curious {
        queue: OnceLock<Arc<Queue>>,
        told: AtomicUsize,
    }

    impl Outlet for Curious {
        fn reserve(&self, _: bool) -> Reserved {
            Reserved::Run
        }

        fn deliver(&self, _: Passing<'_>, _: &mut Wakeups) {}

        fn deliver_one(&self, _: Delivery<Cow<'_, Entry>>, _: &mut Wakeups) {}

        fn forget_deliveries(&self, _: u32) {}

        fn acknowledgement_timed_out(&self, _: u64) {}

        fn cancelled(&self, _: u32, _: &mut Wakeups) {
            assert_eq!(self.queue.get().unwrap().counts().consumers, 0);
            self.told.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn consumers_hear_of_the_end_while_the_queue_is_not_locked() {
        let now = Timestamp::from_millis(0);
        let attributes = QueueAttributes {
            durable: false,
            auto_delete: false,
            owner: None,
            table: FieldTable::default(),
            arguments: QueueArguments::default(),
        };
        let storage = QueueStorage::default();
        let queue = Arc::new(Queue::new("q".into(), "/".into(), attributes, storage, now));
        let outlet = Arc::new(Curious::default());
        let _ = outlet.queue.set(Arc::clone(&queue));
        let count = LONG + 1;
        for source in 0..count as u32 {
            let spec = ConsumerSpec {
                tag: source.to_string().as_str().into(),
                channel: ChannelId::default(),
                outlet: outlet.clone(),
                source,
                no_ack: true,
                prefetch_count: 0,
                priority: 0,
                exclusive: false,
                timeout_ms: None,
                arguments: FieldTable::default(),
            };
            queue.add_consumer(spec, now).unwrap();
        }
        let mut effects = Effects::default();
        let ended = queue.delete(|_| Ok(()), now, &mut effects).unwrap().unwrap();
        assert_eq!(outlet.told.load(Ordering::Relaxed), 0, "not while the queue ends");
        ended.clear(&mut effects.wakeups);
        assert_eq!(outlet.told.load(Ordering::Relaxed), count);
    }
}
