//! What every message store does.

use std::sync::Arc;
use std::sync::mpsc;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{
    Durability, Error, Log, LogBatch, MemoryLog, MessageStore, Range, RealDisk, Target, commit,
};

use crate::support::{Messages, Planner, content, options};

fn every_store(test: impl Fn(&dyn MessageStore)) {
    test(&MemoryLog::new());
    test(&Log::open(Arc::new(SimulatedDisk::new(1)), options()).unwrap().0);
    for durability in [Durability::Fsync, Durability::Buffered] {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(directory.path()).unwrap());
        let (log, recovered) = Log::open(disk, options().durability(durability)).unwrap();
        assert!(recovered.clean && recovered.queues.is_empty());
        assert_eq!(log.durability(), durability);
        test(&log);
    }
}

const fn target(queue: u64, sequence: u64) -> Target {
    Target { queue, sequence }
}

#[test]
fn a_message_is_in_every_queue_until_it_is_settled_there() {
    every_store(|store| {
        let mut batch = LogBatch::new();
        batch.message(&[target(1, 5), target(2, 7)], b"meta", &[b"pay", b"load"]).unwrap();
        batch.message(&[target(1, 6)], b"", &[]).unwrap();
        commit(store, batch).unwrap();
        let message = store.read(target(2, 7)).unwrap().unwrap();
        assert_eq!((&*message.meta, &*message.payload), (&b"meta"[..], &b"payload"[..]));
        assert_eq!(store.sequences(1, 0, 9), [5, 6]);
        assert_eq!(store.sequences(1, 6, 9), [6]);
        assert_eq!(store.sequences(1, 0, 1), [5]);

        let mut batch = LogBatch::new();
        batch.settled(&[Range { queue: 1, first: 5, last: 5 }]);
        commit(store, batch).unwrap();
        assert_eq!(store.read(target(1, 5)).unwrap(), None);
        assert_eq!(store.read(target(2, 7)).unwrap(), Some(message));
    });
}

#[test]
fn purges_and_deletions_take_all() {
    every_store(|store| {
        let mut batch = LogBatch::new();
        for sequence in 0..10 {
            batch.message(&[target(1, sequence), target(2, sequence)], b"", &[b"m"]).unwrap();
        }
        batch.purged(1, 6);
        batch.deleted(2);
        commit(store, batch).unwrap();
        assert_eq!(store.sequences(1, 0, 99), [7, 8, 9]);
        assert!(store.sequences(2, 0, 99).is_empty());
    });
}

#[test]
fn batches_are_completed_in_order_and_none_after_the_end() {
    every_store(|store| {
        let (sender, receiver) = mpsc::channel();
        for number in 0..200 {
            let mut batch = LogBatch::new();
            batch.message(&[target(1, number)], b"", &[&[7; 300]]).unwrap();
            let sender = sender.clone();
            let done = move |result: leveret_storage::Result<()>| {
                sender.send((number, result.is_ok())).unwrap();
            };
            store.submit(batch, Box::new(done)).unwrap();
        }
        store.close().unwrap();
        let completed: Vec<_> = receiver.try_iter().collect();
        assert_eq!(completed, (0..200).map(|number| (number, true)).collect::<Vec<_>>());
        assert!(matches!(commit(store, LogBatch::new()), Err(Error::Closed)));
        assert!(store.close().is_ok());
    });
}

#[test]
fn a_store_is_a_map() {
    every_store(|store| {
        let mut planner = Planner::new(5);
        let mut messages = Messages::new();
        for _ in 0..150 {
            let plan = planner.plan();
            plan.apply(&mut messages);
            commit(store, plan.batch()).unwrap();
        }
        assert_eq!(content(store), messages);
        assert!(!store.would_block() && store.failure().is_none());
    });
}

#[test]
fn what_is_too_large_is_refused() {
    let mut batch = LogBatch::new();
    let targets = vec![target(1, 1); 1 << 20];
    assert!(matches!(batch.message(&targets, b"", &[]), Err(Error::TooLarge)));
    assert!(batch.is_empty());
}
