//! The log beside a bare file that was written before, with the same payloads and the same number
//! of `fdatasync`, which is the limit: rates and CPU time of confirmed persistent messages, and how
//! long a lone message takes. Both are measured in turns, and medians are shown, because disks are
//! noisy.
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

mod figures;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use leveret_storage::{Log, LogBatch, LogOptions, MessageStore, RealDisk, Target, commit};

use crate::figures::is_quick;

/// Messages under one sync.
const GROUP: u64 = 1_000;

/// Groups that may be under way: while one is synced the next is encoded.
const AHEAD: usize = 2;

/// Measurements of each, in turns.
const ROUNDS: usize = 7;

/// Octets of the bare file.
const BARE: u64 = 512 << 20;

/// Rate per second and CPU time per message.
#[derive(Clone, Copy)]
struct Measured {
    rate: f64,
    cpu: Duration,
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

fn measure(messages: u64, work: impl FnOnce()) -> Measured {
    let (cpu, begin) = (cpu_time(), Instant::now());
    work();
    let elapsed = begin.elapsed();
    let cpu = cpu_time().saturating_sub(cpu) / u32::try_from(messages).unwrap_or(u32::MAX);
    Measured { rate: messages as f64 / elapsed.as_secs_f64(), cpu }
}

/// The middle one.
fn median<T: Copy>(mut values: Vec<T>, order: impl Fn(&T) -> f64) -> T {
    values.sort_by(|a, b| order(a).total_cmp(&order(b)));
    values[values.len() / 2]
}

/// A file that was written before, so that the file system has nothing to note when it is written
/// again.
struct Bare {
    file: File,
    at: u64,
    buffer: Vec<u8>,
}

impl Bare {
    fn new(directory: &Path) -> Self {
        let file = File::create(directory.join("bare")).expect("a file");
        let piece = vec![7; 1 << 20];
        let length = if is_quick() { 32 << 20 } else { BARE };
        for at in (0..length).step_by(piece.len()) {
            file.write_all_at(&piece, at).expect("space");
        }
        file.sync_all().expect("a sync");
        Self { file, at: 0, buffer: Vec::new() }
    }

    /// Writes a payload so many times, and syncs.
    fn write(&mut self, payload: &[u8], times: u64) {
        self.buffer.clear();
        (0..times).for_each(|_| self.buffer.extend_from_slice(payload));
        let length = self.file.metadata().expect("a length").len();
        if self.at + self.buffer.len() as u64 > length {
            self.at = 0;
        }
        self.file.write_all_at(&self.buffer, self.at).expect("a write");
        self.file.sync_data().expect("a sync");
        self.at += self.buffer.len() as u64;
    }
}

/// A log whose messages are acknowledged soon, as consumers that keep up do.
struct Stored {
    log: Log,
    sequence: u64,
    sender: SyncSender<()>,
    receiver: Receiver<()>,
}

impl Stored {
    fn new(directory: &Path) -> Self {
        let disk = Arc::new(RealDisk::new(directory.join("log")).expect("a directory"));
        let mut options = LogOptions::default();
        // One batch under each sync.
        options.group_octets = 1;
        let (log, _) = Log::open(disk, options, &mut |_, _, _| ()).expect("a log");
        let (sender, receiver) = sync_channel(AHEAD);
        Self { log, sequence: 0, sender, receiver }
    }

    fn batch(&mut self, payload: &[u8], messages: u64) -> LogBatch {
        let mut batch = LogBatch::with_capacity((payload.len() + 80) * messages as usize);
        let first = self.sequence;
        for sequence in first..first + messages {
            batch.message(&[Target { queue: 1, sequence }], b"", &[payload]).expect("it is small");
        }
        if let Some(last) = first.checked_sub(2 * messages) {
            batch.purged(1, last);
        }
        self.sequence += messages;
        batch
    }

    fn write(&mut self, payload: &[u8], groups: u64) {
        let mut under_way = 0;
        for _ in 0..groups {
            let batch = self.batch(payload, GROUP);
            if under_way == AHEAD {
                self.receiver.recv().expect("a completion");
                under_way -= 1;
            }
            let sender = self.sender.clone();
            let done = move |result: leveret_storage::Result<()>| {
                result.expect("a working disk");
                let _ = sender.send(());
            };
            self.log.submit(batch, Box::new(done)).expect("an open log");
            under_way += 1;
        }
        (0..under_way).for_each(|_| self.receiver.recv().expect("a completion"));
    }
}

fn throughput(place: &Path, octets: usize, total: u64) {
    let directory = make(place, octets);
    let payload = vec![7; octets];
    let groups = if is_quick() { 1 } else { (total / octets as u64 / GROUP).max(1) };
    let (mut bare, mut stored) = (Bare::new(&directory), Stored::new(&directory));
    if !is_quick() {
        // Until segments are used again, as they are for most of a broker's life.
        stored.write(&payload, (400 << 20) / octets as u64 / GROUP);
    }
    let mut results = Vec::new();
    for _ in 0..if is_quick() { 1 } else { ROUNDS } {
        let limit =
            measure(groups * GROUP, || (0..groups).for_each(|_| bare.write(&payload, GROUP)));
        let log = measure(groups * GROUP, || stored.write(&payload, groups));
        results.push((limit, log));
    }
    let show = |which: fn(&(Measured, Measured)) -> Measured| {
        let all = || results.iter().map(which).collect::<Vec<_>>();
        let rate = median(all(), |m| m.rate).rate;
        let cpu = median(all(), |m| m.cpu.as_secs_f64()).cpu;
        format!("{rate:>10.0}/s {cpu:>8.2?}")
    };
    let shares = results.iter().map(|(limit, log)| 100.0 * log.rate / limit.rate).collect();
    let share = median(shares, |share| *share);
    println!("{octets:>8}  {:>24}  {:>24}  {share:.0} %", show(|r| r.0), show(|r| r.1));
    std::fs::remove_dir_all(&directory).expect("it was made");
}

/// One message after the other, each confirmed before the next.
fn lone(place: &Path, octets: usize) {
    let directory = make(place, octets);
    let payload = vec![7; octets];
    let (mut bare, mut stored) = (Bare::new(&directory), Stored::new(&directory));
    let (mut limits, mut logs) = (Vec::new(), Vec::new());
    for number in 0..if is_quick() { 2 } else { 1_000 } {
        let begin = Instant::now();
        bare.write(&payload, 1);
        let between = Instant::now();
        let batch = stored.batch(&payload, 1);
        commit(&stored.log, batch).expect("a working disk");
        // The first ones begin files.
        if is_quick() || number >= 50 {
            limits.push(between.duration_since(begin));
            logs.push(between.elapsed());
        }
    }
    let [limit, log] = [limits, logs].map(|all| median(all, Duration::as_secs_f64));
    let ratio = log.as_secs_f64() / limit.as_secs_f64();
    println!("{octets:>8}  {limit:>24.2?}  {log:>24.2?}  {ratio:.2} times");
    std::fs::remove_dir_all(&directory).expect("it was made");
}

fn make(place: &Path, octets: usize) -> PathBuf {
    let directory = place.join(format!("storage-bench-{}-{octets}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    directory
}

fn main() {
    // Where the measured disk is: a temporary directory may be in memory.
    let place = std::env::var_os("LEVERET_BENCH_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    std::fs::create_dir_all(&place).expect("a directory");
    println!("{GROUP} messages under each sync, medians of {ROUNDS} rounds");
    println!("{:>8}  {:>24}  {:>24}  of the limit", "octets", "bare file", "log");
    for (octets, total) in [(100, 60 << 20), (1 << 10, 400 << 20), (16 << 10, 1 << 30_u64)] {
        throughput(&place, octets, total);
    }
    println!("a lone message, medians");
    println!("{:>8}  {:>24}  {:>24}  the limit", "octets", "bare file", "log");
    for octets in [100, 1 << 10, 16 << 10] {
        lone(&place, octets);
    }
}
