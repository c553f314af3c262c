//! Confirmed persistent messages: a bare preallocated file with one `fdatasync` per 1,000
//! messages, which is the limit, and the log with the same commits. Prints a table; `--test` runs
//! a small part once.
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use leveret_storage::{Log, LogBatch, LogOptions, MessageStore, RealDisk, Target};

/// Messages under one sync.
const GROUP: u64 = 1_000;

/// Groups that may be under way: while one is synced the next is encoded.
const AHEAD: usize = 2;

/// Rate per second and CPU time per message.
struct Measured {
    rate: f64,
    cpu: Duration,
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let main: u64 = text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Duration::from_nanos(main);
    };
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

fn bare_file(directory: &Path, octets: usize, messages: u64) -> Measured {
    let group = vec![7; octets * GROUP as usize];
    let file = File::create(directory.join("bare")).expect("a file");
    // Written once, so that the file system has nothing to note when it is written again.
    let groups = messages / GROUP;
    let window = groups.min((512 << 20) / group.len() as u64 + 1);
    for number in 0..window {
        file.write_all_at(&group, number * group.len() as u64).expect("space");
    }
    file.sync_all().expect("a sync");
    let payload = vec![7; octets];
    let mut buffer = Vec::with_capacity(group.len());
    measure(messages, || {
        for number in 0..groups {
            buffer.clear();
            (0..GROUP).for_each(|_| buffer.extend_from_slice(&payload));
            file.write_all_at(&buffer, number % window * group.len() as u64).expect("a write");
            file.sync_data().expect("a sync");
        }
    })
}

fn log(directory: &Path, octets: usize, messages: u64) -> Measured {
    let disk = Arc::new(RealDisk::new(directory.join("log")).expect("a directory"));
    let mut options = LogOptions::default();
    options.group_octets = 1;
    options.spares = 8;
    let (log, _) = Log::open(disk, options, &mut |_, _, _| ()).expect("a log");
    let payload = vec![7; octets];
    let (sender, receiver) = sync_channel(AHEAD);
    let mut sequence = 0;
    let mut run = |messages: u64| {
        let mut under_way = 0;
        for _ in 0..messages / GROUP {
            let mut batch = LogBatch::with_capacity((octets + 80) * GROUP as usize);
            // What was written two groups ago is acknowledged, as consumers that keep up do.
            let first = sequence;
            for _ in 0..GROUP {
                let target = Target { queue: 1, sequence };
                batch.message(&[target], b"", &[&payload]).expect("it is small");
                sequence += 1;
            }
            if let Some(last) = first.checked_sub(2 * GROUP) {
                batch.purged(1, last);
            }
            if under_way == AHEAD {
                receiver.recv().expect("a completion");
                under_way -= 1;
            }
            let sender = sender.clone();
            let done = move |result: leveret_storage::Result<()>| {
                result.expect("a working disk");
                let _ = sender.send(());
            };
            log.submit(batch, Box::new(done)).expect("an open log");
            under_way += 1;
        }
        (0..under_way).for_each(|_| receiver.recv().expect("a completion"));
    };
    // Until segments are used again, as they are for most of a broker's life.
    run(((256 << 20) / octets as u64).min(messages) / GROUP * GROUP);
    measure(messages, || run(messages))
}

fn main() {
    let test = std::env::args().any(|argument| argument == "--test");
    // Where the measured disk is: a temporary directory may be in memory.
    let place = std::env::var_os("LEVERET_BENCH_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        std::path::PathBuf::from,
    );
    std::fs::create_dir_all(&place).expect("a directory");
    println!("{:>8}  {:>24}  {:>24}  of the limit", "octets", "bare file", "log");
    for (octets, total) in [(100, 400 << 20), (1 << 10, 2 << 30), (16 << 10, 4 << 30_u64)] {
        let messages = if test { GROUP } else { total / octets as u64 / GROUP * GROUP };
        let directory = place.join(format!("storage-bench-{}-{octets}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let bare = bare_file(&directory, octets, messages);
        let log = log(&directory, octets, messages);
        std::fs::remove_dir_all(&directory).expect("it was made");
        let show = |result: &Measured| format!("{:>10.0}/s {:>8.2?}", result.rate, result.cpu);
        let share = 100.0 * log.rate / bare.rate;
        println!("{octets:>8}  {:>24}  {:>24}  {share:.0} %", show(&bare), show(&log));
    }
}
