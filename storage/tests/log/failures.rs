//! A disk that fails, is full, or is slow to come back; and how much of it is used.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{Log, LogBatch, MessageStore, Range, Target, commit};

use crate::support::{content, open, options};

fn message(sequence: u64, octets: usize) -> LogBatch {
    let mut batch = LogBatch::new();
    let payload = vec![sequence as u8; octets];
    let meta = (octets as u32).to_le_bytes();
    batch.message(&[Target { queue: 1, sequence }], &meta, &[&payload]).unwrap();
    batch
}

#[test]
fn a_full_disk_stops_completions_until_there_is_space() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = open(&disk);
    disk.limit_space(Some(20_000));
    let completed = Arc::new(AtomicUsize::new(0));
    let mut submitted = 0;
    while log.failure().is_none() || !log.is_behind() {
        if log.is_behind() {
            std::thread::yield_now();
            continue;
        }
        let completed = completed.clone();
        let done = move |result: leveret_storage::Result<()>| {
            assert!(result.is_ok());
            completed.fetch_add(1, Ordering::SeqCst);
        };
        log.submit(message(submitted, 500), Box::new(done)).unwrap();
        submitted += 1;
    }
    assert!(completed.load(Ordering::SeqCst) < submitted as usize);
    assert!(log.is_behind(), "publishers should hold back");
    assert!(log.read(Target { queue: 1, sequence: 0 }).unwrap().is_some(), "reading goes on");

    disk.limit_space(None);
    log.retry();
    commit(&log, message(submitted, 500)).unwrap();
    assert_eq!(completed.load(Ordering::SeqCst), submitted as usize);
    assert_eq!(log.failure(), None);
    let expected = content(&log);
    let (log, opened) = open(&SimulatedDisk::from_image(disk.after_power_cut(), 1));
    assert_eq!(content(&log), expected);
    assert!(!opened.recovered.clean);
}

#[test]
fn nobody_waits_for_a_log_that_was_closed_while_the_disk_failed() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = open(&disk);
    disk.limit_space(Some(20_000));
    let (sender, receiver) = mpsc::channel();
    let done = || {
        let sender = sender.clone();
        Box::new(move |result: leveret_storage::Result<()>| sender.send(result.is_ok()).unwrap())
    };
    let mut submitted = 0;
    while log.failure().is_none() || !log.is_behind() {
        if log.is_behind() {
            std::thread::yield_now();
            continue;
        }
        log.submit(message(submitted, 500), done()).unwrap();
        submitted += 1;
    }
    assert!(log.close().is_err());
    assert!(!log.is_behind(), "there is nothing to hold back for");
    assert!(log.submit(message(submitted, 500), done()).is_err());
    let told: Vec<bool> = receiver.try_iter().collect();
    assert_eq!(told.len() as u64, submitted + 1);
    assert!(!told.last().unwrap());
}

#[test]
fn a_failed_sync_is_not_trusted_again() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = open(&disk);
    for sequence in 0..20 {
        disk.fail_syncs(1 + (sequence % 2) as u32);
        commit(&log, message(sequence, 100)).unwrap();
        let after = SimulatedDisk::from_image(disk.after_power_cut(), 1);
        let (log, _) = open(&after);
        assert_eq!(log.sequences(1, 0, 99), (0..=sequence).collect::<Vec<_>>());
    }
}

#[test]
fn a_drained_log_is_small_and_an_old_message_pins_little() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = open(&disk);
    for sequence in 0..2_000 {
        commit(&log, message(sequence, 100)).unwrap();
        if sequence % 100 > 0 {
            let mut batch = LogBatch::new();
            batch.settled(&[Range { queue: 1, first: sequence, last: sequence }]);
            commit(&log, batch).unwrap();
        }
    }
    let octets = |disk: &SimulatedDisk| {
        let files = disk.after_exit().into_iter().filter(|(name, _)| name != "manifest");
        files.map(|(_, octets)| octets.len()).sum::<usize>()
    };
    assert_eq!(log.usage().messages, 20);
    assert!(octets(&disk) < 12 * 4096, "{}", octets(&disk));
    let expected = content(&log);
    let (recovered, _) = open(&SimulatedDisk::from_image(disk.after_power_cut(), 1));
    assert_eq!(content(&recovered), expected);

    let mut batch = LogBatch::new();
    batch.purged(1, 2_000);
    commit(&log, batch).unwrap();
    // Space is looked for after a group: this one is there when it has been.
    commit(&log, LogBatch::new()).unwrap();
    log.close().unwrap();
    assert!(octets(&disk) < 4 * 4096, "{}", octets(&disk));
    let manifest = disk.after_exit()["manifest"].len();
    assert!(manifest <= 24 << 10, "{manifest}");
}

#[test]
fn an_idle_log_has_no_file() {
    let disk = SimulatedDisk::new(1);
    let (log, opened) = open(&disk);
    assert!(opened.recovered.clean);
    log.close().unwrap();
    assert!(disk.after_exit().is_empty());
}

#[test]
fn the_watcher_hears_of_failures_and_of_room() {
    let disk = SimulatedDisk::new(1);
    let (sender, receiver) = mpsc::channel();
    let watcher = Arc::new(move || sender.send(()).unwrap());
    let mut options = options().watcher(watcher);
    options.retry_after = Duration::from_secs(3_600);
    let (log, _) = Log::open(Arc::new(disk.clone()), options, &mut |_, _, _| ()).unwrap();
    commit(&log, message(0, 100)).unwrap();
    assert!(receiver.try_recv().is_err(), "nothing has changed");

    disk.fail_writes(1);
    let completed = Arc::new(AtomicUsize::new(0));
    // The first one goes where the one before is, so that nothing else is written for it.
    for (sequence, octets) in [(1, 100), (2, 9_000), (3, 9_000), (4, 9_000)] {
        let completed = completed.clone();
        let done = move |_| {
            completed.fetch_add(1, Ordering::SeqCst);
        };
        log.submit(message(sequence, octets), Box::new(done)).unwrap();
    }
    receiver.recv().unwrap();
    assert!(log.failure().is_some() && log.is_behind());
    assert_eq!(completed.load(Ordering::SeqCst), 0);

    log.retry();
    receiver.recv().unwrap();
    while log.failure().is_some() || log.is_behind() {
        receiver.recv().unwrap();
    }
    commit(&log, LogBatch::new()).unwrap();
    assert_eq!(completed.load(Ordering::SeqCst), 4);
}
