//! A disk that has no space, or fails, for a while.

use std::io::Write as _;
use std::process::Command;
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

pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// Publishes until the disk has no more space; returns the messages that were confirmed, and the
/// thread that waits for the confirm of the last one.
pub(crate) fn fill(broker: &Broker, disk: &SimulatedDisk) -> (usize, thread::JoinHandle<bool>) {
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

/// A file system of so many octets, if this user can mount one.
struct SmallDisk(Directory);

impl SmallDisk {
    fn mount(octets: u64) -> Option<Self> {
        let directory = Directory::new();
        let size = format!("size={octets},mode=700");
        std::fs::create_dir_all(directory.path()).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(directory.path())
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_broker_starts_on_a_full_disk_and_is_drained() {
    let Some(disk) = SmallDisk::mount(64 << 20) else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let path = disk.0.path().join("data");
    let open = || builder(START).segment_bytes(4 << 20).open(path.clone()).unwrap();
    let broker = open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    for _ in 0..100 {
        confirm(&one, persistent("q", &"x".repeat(100_000)));
    }
    drop((one, broker));
    let mut filler = std::fs::File::create(disk.0.path().join("filler")).unwrap();
    while filler.write_all(&[7; 4096]).is_ok() {}
    drop(filler);

    let broker = open();
    assert!(broker.recovery().clean && broker.recovery().damage.is_empty());
    let one = channel(&broker);
    let publisher = thread::spawn(move || {
        // More than the room that was kept.
        let confirmed = |_| {
            let publish = persistent("q", &"y".repeat(100_000));
            one.publish(publish).wait().is_ok_and(|confirmed| confirmed.is_ack())
        };
        (0..100).all(confirmed)
    });
    wait_until(|| broker.storage_failure().is_some());
    let two = channel(&broker);
    two.basic_qos(10).unwrap();
    for delivery in two.basic_consume("q").unwrap().iter().take(150) {
        delivery.ack().unwrap();
    }
    std::fs::remove_file(disk.0.path().join("filler")).unwrap();
    assert!(publisher.join().unwrap(), "what waited is confirmed once there is space");
    assert_eq!(broker.storage_failure(), None);
}
