//! A full disk: settlements get through, and with them space comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{Log, LogBatch, MessageStore, Range, Target, commit};
use parking_lot::Mutex;

use crate::support::{Chance, content, open, try_open};

fn message(sequence: u64, octets: usize) -> LogBatch {
    let mut batch = LogBatch::new();
    let meta = (octets as u32).to_le_bytes();
    batch.message(&[Target { queue: 1, sequence }], &meta, &[&vec![7; octets]]).unwrap();
    batch
}

fn settlement(first: u64, last: u64) -> LogBatch {
    let mut batch = LogBatch::new();
    batch.settled(&[Range { queue: 1, first, last }]);
    batch.may_overtake();
    batch
}

/// Numbers of batches, in the order of their completion.
type Completed = Arc<Mutex<Vec<u64>>>;

fn submit(log: &Log, number: u64, batch: LogBatch, completed: &Completed) {
    let completed = completed.clone();
    let done = move |result: leveret_storage::Result<()>| {
        if result.is_ok() {
            completed.lock().push(number);
        }
    };
    log.submit(batch, Box::new(done)).unwrap();
}

fn octets(disk: &SimulatedDisk) -> usize {
    disk.after_exit().values().map(Vec::len).sum()
}

#[test]
fn acknowledgements_bring_space_back() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = open(&disk);
    for sequence in 0..60 {
        commit(&log, message(sequence, 400)).unwrap();
    }
    disk.limit_space(Some(octets(&disk)));
    let completed = Completed::default();
    for sequence in 60..100 {
        submit(&log, sequence, message(sequence, 400), &completed);
    }
    while log.failure().is_none() {
        std::thread::yield_now();
    }
    let written = completed.lock().len() as u64;
    assert!(written < 40);
    // One after the other, also of a message that is not written yet.
    submit(&log, 100, settlement(99, 99), &completed);
    for sequence in 0..60 {
        submit(&log, 101 + sequence, settlement(sequence, sequence), &completed);
    }
    commit(&log, LogBatch::new()).unwrap();
    assert!(completed.lock().iter().copied().eq(60..161), "completed in order");
    assert_eq!(log.failure(), None);
    assert_eq!(log.sequences(1, 0, 999), (60..99).collect::<Vec<_>>());
    let expected = content(&log);
    let (log, _) = open(&SimulatedDisk::from_image(disk.after_power_cut(), 1));
    assert_eq!(content(&log), expected);
}

#[test]
fn nothing_else_overtakes() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = open(&disk);
    commit(&log, message(0, 400)).unwrap();
    disk.limit_space(Some(octets(&disk)));
    let completed = Completed::default();
    submit(&log, 0, message(1, 9_000), &completed);
    let mut unmarked = LogBatch::new();
    unmarked.settled(&[Range { queue: 1, first: 0, last: 0 }]);
    submit(&log, 1, unmarked, &completed);
    let mut mixed = message(2, 9_000);
    mixed.settled(&[Range { queue: 1, first: 0, last: 0 }]);
    mixed.may_overtake();
    submit(&log, 2, mixed, &completed);
    submit(&log, 3, settlement(0, 1), &completed);
    while log.failure().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(log.sequences(1, 0, 9), [0]);
    disk.limit_space(None);
    log.retry();
    commit(&log, LogBatch::new()).unwrap();
    assert_eq!(*completed.lock(), [0, 1, 2, 3]);
    assert_eq!(log.sequences(1, 0, 9), [2]);
}

/// What was done to the messages of one queue, and what of that was completed.
#[derive(Default)]
struct History {
    next: u64,
    /// Ranges by the number of their batch.
    settled: Vec<(u64, u64, u64)>,
    messages: Vec<(u64, u64)>,
    batches: u64,
}

impl History {
    fn check(&self, live: &[u64], completed: &BTreeSet<u64>, what: &str) {
        let live: BTreeSet<u64> = live.iter().copied().collect();
        let covered = |sequence: u64, only_completed: bool| {
            self.settled.iter().any(|(number, first, last)| {
                (*first..=*last).contains(&sequence)
                    && (completed.contains(number) || !only_completed)
            })
        };
        for (number, sequence) in &self.messages {
            let there = live.contains(sequence);
            assert!(!there || !covered(*sequence, true), "{what}: {sequence} is back");
            let due = completed.contains(number) && !covered(*sequence, false);
            assert!(there || !due, "{what}: {sequence} is lost");
        }
    }
}

/// Works on a disk with little space until its power is cut, and checks what is left.
fn simulate(seed: u64) {
    let mut chance = Chance::new(seed);
    let disk = SimulatedDisk::new(seed);
    let (log, _) = open(&disk);
    disk.limit_space(Some(30_000 + chance.below(20_000) as usize));
    disk.cut_after(50 + chance.below(600));
    let (completed, mut history) = (Completed::default(), History::default());
    let work = 40 + chance.below(150);
    for _ in 0..work {
        let number = history.batches;
        history.batches += 1;
        if history.next == 0 || chance.below(5) < 3 {
            history.messages.push((number, history.next));
            let most = if chance.one_in(20) { 6_000 } else { 700 };
            let octets = chance.below(most) as usize;
            submit(&log, number, message(history.next, octets), &completed);
            history.next += 1;
        } else {
            let first = chance.below(history.next);
            let last = (first + chance.below(6)).min(history.next - 1);
            history.settled.push((number, first, last));
            submit(&log, number, settlement(first, last), &completed);
        }
        while chance.one_in(2) && completed.lock().len() < number as usize && !disk.is_cut() {
            std::thread::yield_now();
        }
    }
    let promised = completed.lock().clone();
    let image = disk.after_power_cut();
    let what = format!("seed {seed}");
    assert!(promised.is_sorted(), "{what}: out of order");
    let promised = promised.into_iter().collect();
    let (after, _) = open(&SimulatedDisk::from_image(image, seed));
    history.check(&after.sequences(1, 0, usize::MAX), &promised, &what);
    if disk.is_cut() {
        return;
    }
    // With space again everything gets through, and memory and disk agree.
    disk.limit_space(None);
    log.retry();
    while (completed.lock().len() as u64) < history.batches && !disk.is_cut() {
        std::thread::yield_now();
    }
    if !disk.is_cut() {
        let all = (0..history.batches).collect();
        let live = log.sequences(1, 0, usize::MAX);
        history.check(&live, &all, &what);
        let image = SimulatedDisk::from_image(disk.after_exit(), seed);
        let (after, _) = try_open(&image).unwrap();
        assert_eq!(after.sequences(1, 0, usize::MAX), live, "{what}");
    }
}

#[test]
fn a_full_disk_and_a_power_cut() {
    let seeds = std::env::var("LEVERET_CRASH_SEEDS").ok().and_then(|count| count.parse().ok());
    for seed in 1..=seeds.unwrap_or(60) {
        simulate(seed);
    }
}
