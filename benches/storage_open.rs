//! How long a log with a backlog takes to open, with its side files and without any, and how much
//! memory it has then for each message.
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

mod figures;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use leveret_storage::{Durability, Log, LogBatch, LogOptions, MessageStore, RealDisk, Target};

use crate::figures::{print, scaled, timed};

/// The first argument of a process that only opens.
const MEASURE: &str = "--measure";

/// Messages of a batch.
const BATCH: u64 = 1_000;

/// Queues that the messages are spread over.
const QUEUES: u64 = 10;

/// Octets of memory that this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

fn open(directory: &Path) -> (Log, u64) {
    let disk = Arc::new(RealDisk::new(directory).expect("a directory"));
    let options = LogOptions::default().durability(Durability::Buffered);
    let mut messages = 0;
    let opened = Log::open(disk, options, &mut |_, _, _| messages += 1);
    (opened.expect("a log").0, messages)
}

fn fill(directory: &Path, messages: u64) {
    let (log, _) = open(directory);
    for first in (0..messages).step_by(BATCH as usize) {
        let mut batch = LogBatch::with_capacity(200 * BATCH as usize);
        for number in first..(first + BATCH).min(messages) {
            let target = Target { queue: number % QUEUES, sequence: number / QUEUES };
            batch.message(&[target], &[7; 8], &[&[7; 100]]).expect("it is small");
        }
        while log.is_behind() {
            std::thread::yield_now();
        }
        log.submit(batch, Box::new(|result| result.expect("a working disk"))).expect("an open log");
    }
    log.close().expect("a working disk");
}

/// Opens a log and prints what that takes. In a process of its own, whose memory was not used
/// before.
fn measure(directory: &Path, messages: u64, what: &str) {
    let before = resident();
    let ((log, found), elapsed) = timed(|| open(directory));
    assert_eq!(found, messages);
    let octets = resident().saturating_sub(before) as f64 / messages as f64;
    print(format!("{messages} messages, {what}: open"), elapsed.as_secs_f64() * 1e3, "ms");
    print(format!("{messages} messages, {what}: memory"), octets, "octets/message");
    drop(log);
}

fn measure_apart(directory: &Path, messages: u64, what: &str) {
    let program = std::env::current_exe().expect("a path");
    let mut child = Command::new(program);
    child.arg(MEASURE).arg(directory).arg(messages.to_string()).arg(what);
    assert!(child.status().expect("a process").success());
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mark, directory, messages, what] = arguments.as_slice()
        && mark == MEASURE
    {
        return measure(Path::new(directory), messages.parse().expect("a number"), what);
    }
    // Where the measured disk is: a temporary directory may be in memory.
    let place = std::env::var_os("LEVERET_BENCH_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    for messages in [scaled(1_000_000), scaled(10_000_000)] {
        let directory = place.join(format!("storage-open-{}", std::process::id()));
        fill(&directory, messages);
        measure_apart(&directory, messages, "side files");
        for entry in std::fs::read_dir(&directory).expect("a directory").flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "idx") {
                std::fs::remove_file(path).expect("it was there");
            }
        }
        measure_apart(&directory, messages, "no side files");
        std::fs::remove_dir_all(&directory).expect("it was made");
    }
}
