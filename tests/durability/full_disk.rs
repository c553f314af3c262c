//! A disk that has no space, or fails, for a while.

use std::sync::Arc;
use std::thread;

use leveret::Broker;
use leveret::storage::MemoryStore;
use leveret::storage::testing::SimulatedDisk;

use crate::support::*;

fn open(disk: &SimulatedDisk) -> Broker {
    let records = Arc::new(MemoryStore::new());
    builder(START).segment_bytes(16 << 10).open_on(records, Arc::new(disk.clone())).unwrap()
}

pub fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// Publishes until the disk has no more space; returns the messages that were confirmed, and the
/// thread that waits for the confirm of the last one.
pub fn fill(broker: &Broker, disk: &SimulatedDisk) -> (usize, thread::JoinHandle<bool>) {
    let one = channel(broker);
    one.queue_declare_with(&durable("q")).unwrap();
    // Some segments, of which those before the last can be given back.
    for _ in 0..40 {
        confirm(&one, persistent("q", &"x".repeat(1000)));
    }
    // No space for another segment.
    let used: usize = disk.after_exit().values().map(Vec::len).sum();
    disk.limit_space(Some(used + (8 << 10)));
    let confirmed = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = confirmed.clone();
    let publisher = thread::spawn(move || {
        for _ in 0..40 {
            let publish = persistent("q", &"x".repeat(1000));
            if !one.publish(publish).wait().is_ok_and(|confirmed| confirmed.is_ack()) {
                return false;
            }
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        true
    });
    wait_until(|| broker.storage_failure().is_some());
    let before = confirmed.load(std::sync::atomic::Ordering::SeqCst);
    (before, publisher)
}

#[test]
fn nothing_is_confirmed_until_there_is_space_again() {
    let disk = SimulatedDisk::new(1);
    let broker = open(&disk);
    let (confirmed, publisher) = fill(&broker, &disk);
    assert!(confirmed < 40, "the disk is full");
    assert!(broker.storage_failure().unwrap().to_lowercase().contains("space"));
    assert!(!publisher.is_finished());
    disk.limit_space(None);
    assert!(publisher.join().unwrap(), "what was waiting is confirmed now");
    assert_eq!(broker.storage_failure(), None);
    drop(broker);
}

#[test]
fn consumers_go_on_and_their_acknowledgements_bring_space_back() {
    let disk = SimulatedDisk::new(2);
    let broker = open(&disk);
    let (_, publisher) = fill(&broker, &disk);
    let two = channel(&broker);
    two.basic_qos(10).unwrap();
    let mut taken = 0;
    for delivery in two.basic_consume("q").unwrap().iter().take(80) {
        assert_eq!(delivery.body().len(), 1000);
        delivery.ack().unwrap();
        taken += 1;
    }
    assert_eq!(taken, 80, "those too that could not be stored for a while");
    assert!(publisher.join().unwrap());
    assert_eq!(broker.storage_failure(), None, "without any help from outside");
}

#[test]
fn the_journal_notes_a_confirm_when_it_is_sent() {
    let disk = SimulatedDisk::new(3);
    let records = Arc::new(MemoryStore::new());
    let builder = builder(START).segment_bytes(16 << 10).journal(10_000);
    let broker = builder.open_on(records, Arc::new(disk.clone())).unwrap();
    let (confirmed, publisher) = fill(&broker, &disk);
    let journal = broker.journal();
    assert_eq!(journal.confirmed().count(), 40 + confirmed);
    // The queue has the one that waits for the disk.
    wait_until(|| journal.enqueued().count() == 40 + confirmed + 1);
    disk.limit_space(None);
    assert!(publisher.join().unwrap());
    journal.confirmed().assert_count(80);
}
