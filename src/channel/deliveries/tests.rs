//! Places and limits of a channel's deliveries.

use amq_protocol::types::FieldTable;
use std::borrow::Cow;

use super::*;
use crate::base::ids::ChannelId;
use crate::base::wake::Wakeups;
use crate::channel::output::Outgoing;
use crate::message::Message;
use crate::queue::arguments::QueueArguments;
use crate::queue::consumers::Outlet;
use crate::queue::{Queue, QueueAttributes, QueueStorage};
use crate::time::clock::Timestamp;

struct Nobody;

impl ChannelOutput for Nobody {
    fn acknowledgement_timed_out(&self, _: u64) {}

    fn has_room(&self) -> bool {
        true
    }
    fn has_room_for_reply(&self) -> bool {
        true
    }
    fn deliver_one(&self, _: Outgoing<'_, Cow<'_, Message>>, _: &mut Wakeups) {}
    fn basic_return(&self, _: &Message, _: &mut Wakeups) {}
    fn confirm(&self, _: u64, _: bool, _: bool, _: &mut Wakeups) {}
    fn fail(&self, _: Error, _: &mut Wakeups) {}
    fn cancel(&self, _: &ConsumerTag, _: &mut Wakeups) {}
}

fn counted() -> Counted {
    Counted::new(ChannelId::default(), Timestamp::from_millis(0))
}

fn queue(name: &str) -> Arc<Queue> {
    let attributes = QueueAttributes {
        durable: false,
        auto_delete: false,
        owner: None,
        table: FieldTable::default(),
        arguments: QueueArguments::default(),
    };
    let storage = QueueStorage::default();
    let now = Timestamp::from_millis(0);
    Arc::new(Queue::new(name.into(), "/".into(), attributes, storage, now))
}

#[test]
fn consumers_and_polled_queues_that_are_gone_leave_their_place() {
    let deliveries = Deliveries::new(Arc::new(Nobody), counted(), false, None);
    for turn in 0..1000 {
        let queue = queue(&turn.to_string());
        let source = deliveries.add_consumer(Arc::clone(&queue), ConsumerTag::from("c"));
        let tag = deliveries.add_get(&queue, 1);
        assert_eq!(deliveries.add_get(&queue, 2), tag + 1);
        deliveries.end_consumer(source, &ConsumerTag::from("c"));
        let mut taken = Taken::new();
        deliveries.take(0, true, &mut taken).unwrap();
        let mut settled = 0;
        deliveries.by_queue(&taken, true, |found, group| {
            assert!(Arc::ptr_eq(found, &queue));
            settled += group.len();
        });
        assert_eq!(settled, 2);
    }
    assert!(deliveries.state.lock().sources.len() <= 2);
}

#[test]
fn queues_that_reserve_at_once_do_not_exceed_the_shared_prefetch() {
    const QUEUES: usize = 4;
    let barrier = std::sync::Barrier::new(QUEUES);
    for _ in 0..2000 {
        let deliveries = Deliveries::new(Arc::new(Nobody), counted(), false, None);
        deliveries.set_limit(2);
        let reserve = || {
            barrier.wait();
            deliveries.reserve(false) != Reserved::Nothing
        };
        let reserved = std::thread::scope(|scope| {
            let queues: Vec<_> = (0..QUEUES).map(|_| scope.spawn(reserve)).collect();
            queues.into_iter().map(|q| q.join().unwrap()).filter(|r| *r).count()
        });
        assert_eq!(reserved, 2);
    }
}

#[test]
fn a_consumer_with_unsettled_deliveries_keeps_its_place() {
    let deliveries = Deliveries::new(Arc::new(Nobody), counted(), false, None);
    let (first, second) = (queue("first"), queue("second"));
    let source = deliveries.add_consumer(Arc::clone(&first), ConsumerTag::from("a"));
    deliveries.state.lock().unacked.push(1, Unacked { source, id: 7 });
    if let Some(source) = deliveries.state.lock().sources.get(source) {
        source.count_delivery();
    }
    deliveries.end_consumer(source, &ConsumerTag::from("a"));
    let other = deliveries.add_consumer(second, ConsumerTag::from("b"));
    assert_ne!(source, other);
    deliveries.state.lock().credit.arrive();
    deliveries.by_queue(&[(1, Unacked { source, id: 7 })], true, |queue, _| {
        assert!(Arc::ptr_eq(queue, &first));
    });
    assert_eq!(deliveries.add_consumer(first, ConsumerTag::from("c")), source);
}
