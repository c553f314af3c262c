//! What every message store does.

use std::sync::Arc;
use std::sync::mpsc;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{
    Durability, Error, Log, LogBatch, MemoryLog, MessageStore, Range, RealDisk, Target, commit,
};

use crate::support::{Messages, Planner, content, open, options};

fn every_store(test: impl Fn(Arc<dyn MessageStore>)) {
    test(Arc::new(MemoryLog::new()));
    test(Arc::new(open(&SimulatedDisk::new(1)).0));
    for durability in [Durability::Fsync, Durability::Buffered] {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(directory.path()).unwrap());
        let options = options().durability(durability);
        let mut found = |target, _, _: &[u8]| panic!("{target:?} in a new log");
        let (log, recovered) = Log::open(disk, options, &mut found).unwrap();
        assert!(recovered.clean && recovered.queues.is_empty() && recovered.queue_max == 0);
        assert_eq!(log.durability(), durability);
        test(Arc::new(log));
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
        commit(&*store, batch).unwrap();
        let message = store.read(target(2, 7)).unwrap().unwrap();
        assert_eq!((&*message.meta, &*message.payload), (&b"meta"[..], &b"payload"[..]));
        assert_eq!(store.sequences(1, 0, 9), [5, 6]);
        assert_eq!(store.sequences(1, 6, 9), [6]);
        assert_eq!(store.sequences(1, 0, 1), [5]);

        let mut batch = LogBatch::new();
        batch.settled(&[Range { queue: 1, first: 5, last: 5 }]);
        commit(&*store, batch).unwrap();
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
        commit(&*store, batch).unwrap();
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
        assert!(matches!(commit(&*store, LogBatch::new()), Err(Error::Closed)));
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
            commit(&*store, plan.batch()).unwrap();
        }
        assert_eq!(content(&*store), messages);
        assert!(!store.is_behind() && store.failure().is_none());
        assert_eq!(store.usage().messages, messages.len() as u64);
    });
}

#[test]
fn many_messages_are_read_in_order() {
    every_store(|store| {
        let payload = |sequence: u64| vec![sequence as u8; (sequence % 7 * 300) as usize];
        for first in (0..100_u64).step_by(10) {
            let mut batch = LogBatch::new();
            for sequence in first..first + 10 {
                let meta = sequence.to_le_bytes();
                batch.message(&[target(1, sequence)], &meta, &[&payload(sequence)]).unwrap();
                batch.message(&[target(2, sequence)], b"between", &[&[9; 50]]).unwrap();
            }
            batch.settled(&[Range { queue: 1, first: first + 3, last: first + 4 }]);
            commit(&*store, batch).unwrap();
        }
        let is_settled = |sequence: u64| sequence % 10 == 3 || sequence % 10 == 4;
        let check = |sequences: &[u64], octets_max: usize| {
            let found = store.read_many(1, sequences, octets_max);
            for (&sequence, result) in sequences.iter().zip(&found) {
                let message = result.as_ref().unwrap().as_ref();
                let expected = (sequence < 100 && !is_settled(sequence)).then(|| payload(sequence));
                assert_eq!(message.map(|message| message.payload.to_vec()), expected);
                let meta = message.map(|message| message.meta.to_vec());
                assert!(meta.is_none_or(|meta| meta == sequence.to_le_bytes()));
            }
            found.len()
        };
        let all: Vec<u64> = (0..110).collect();
        assert_eq!(check(&all, usize::MAX), 110);
        assert_eq!(check(&[2, 3, 4, 50, 51, 99, 7_000], usize::MAX), 7);
        assert_eq!(check(&all, 0), 1);
        assert_eq!(check(&[], 9), 0);
        let some = check(&all, 5_000);
        assert!((4..30).contains(&some), "{some}");
        assert!(store.read_many(77, &[1, 2], 9).into_iter().all(|found| found.unwrap().is_none()));
    });
}

#[test]
fn a_batch_without_records_is_a_barrier() {
    every_store(|store| {
        let before = store.usage();
        commit(&*store, LogBatch::new()).unwrap();
        assert_eq!(store.usage(), before, "nothing is written for it");
        let (sender, receiver) = mpsc::channel();
        for number in 0..60_u64 {
            let mut batch = LogBatch::new();
            if number % 3 == 0 {
                batch.message(&[target(1, number)], b"", &[&[7; 300]]).unwrap();
            }
            let sender = sender.clone();
            let done = move |_| sender.send(number).unwrap();
            store.submit(batch, Box::new(done)).unwrap();
        }
        commit(&*store, LogBatch::new()).unwrap();
        assert!(receiver.try_iter().eq(0..60));
    });
}

#[test]
fn no_lock_is_held_while_a_completion_is_called() {
    every_store(|store| {
        let (sender, receiver) = mpsc::channel();
        let weak = Arc::downgrade(&store);
        let mut batch = LogBatch::new();
        batch.message(&[target(1, 1)], b"", &[b"m"]).unwrap();
        let done = move |_| {
            // From another thread, which would wait for a lock of this one.
            let store = weak.upgrade().unwrap();
            let asked = std::thread::spawn(move || (store.usage(), store.failure()));
            sender.send(asked.join().unwrap()).unwrap();
        };
        store.submit(batch, Box::new(done)).unwrap();
        let (usage, failure) = receiver.recv().unwrap();
        assert_eq!((usage.messages, failure), (1, None));
    });
}

#[test]
fn what_is_too_large_is_refused() {
    let mut batch = LogBatch::new();
    let targets = vec![target(1, 1); 1 << 20];
    assert!(matches!(batch.message(&targets, b"", &[]), Err(Error::TooLarge)));
    assert!(batch.is_empty());
}

#[test]
fn what_may_wait_is_written_with_what_may_not_or_in_a_while() {
    every_store(|store| {
        let mut batch = LogBatch::new();
        batch.message(&[target(1, 0), target(1, 1)], b"", &[b"x"]).unwrap();
        commit(&*store, batch).unwrap();
        let (sender, receiver) = mpsc::channel();
        let settle = |sequence| {
            let mut batch = LogBatch::new();
            batch.settled(&[Range { queue: 1, first: sequence, last: sequence }]);
            batch.may_wait();
            let sender = sender.clone();
            let done = move |result: Result<(), Error>| sender.send((sequence, result.is_ok()));
            store.submit(batch, Box::new(move |result| done(result).unwrap())).unwrap();
        };
        settle(0);
        commit(&*store, LogBatch::new()).unwrap();
        assert_eq!(receiver.try_recv(), Ok((0, true)), "it is written before what comes after it");
        settle(1);
        assert_eq!(receiver.recv(), Ok((1, true)), "it is written though nothing comes after it");
        assert!(store.sequences(1, 0, 9).is_empty());
    });
}
