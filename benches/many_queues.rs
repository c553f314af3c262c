//! What 100,000 queues that wait for their expiry cost: memory, declaring, doing nothing, expiring.
//! One line for each figure; as a test with a hundredth of that.
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

use std::fs;
use std::time::Duration;

use leveret::{AMQPValue, Broker, Channel, ManualClock, QueueDeclare};

mod figures;

use figures::{is_quick, print, scaled, time};

/// Long enough that none expires by itself while this runs.
const EXPIRES_MS: i64 = 3_600_000;
const PAGE_OCTETS: f64 = 4096.0;
/// Ticks of /proc/self/stat in a second.
const TICKS: f64 = 100.0;

/// Queues with a time to live and an expiry of their own, or with nothing.
fn declare(channel: &Channel, number: i64, with_arguments: bool) {
    let mut declare = QueueDeclare::new(format!("q{number:06}"));
    if with_arguments {
        let mut set = |name: &str, value| {
            declare.arguments.insert(name.into(), AMQPValue::LongLongInt(value));
        };
        set("x-message-ttl", 1000 + number);
        set("x-expires", EXPIRES_MS + number);
    }
    channel.queue_declare_with(&declare).expect("a new queue");
}

fn declare_all(channel: &Channel, count: u64, with_arguments: bool) {
    for number in 0..i64::try_from(count).unwrap_or(i64::MAX) {
        declare(channel, number, with_arguments);
    }
}

fn open(broker: &Broker) -> Channel {
    let connection = broker.connect().expect("an open broker");
    connection.open_channel().expect("a channel")
}

/// Octets of memory that are in use, where the system tells.
fn resident() -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<f64>().ok()? * PAGE_OCTETS)
}

/// Seconds of processor time used, where the system tells.
fn processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn print_grown(what: &str, before: Option<f64>, count: u64) {
    if let (Some(before), Some(after)) = (before, resident()) {
        print(what, (after - before).max(0.0) / count as f64, "octets/queue");
    }
}

/// Queues on the system's clock that nobody uses.
fn idle(count: u64) {
    let broker = Broker::new();
    let channel = open(&broker);
    let before = resident();
    time("declare with TTL and expiry", "queue", count, || declare_all(&channel, count, true));
    print_grown("memory with TTL and expiry", before, count);
    let used = processor_seconds();
    std::thread::sleep(Duration::from_millis(if is_quick() { 100 } else { 2000 }));
    if let (Some(before), Some(after)) = (used, processor_seconds()) {
        print("processor time of 2 idle seconds", (after - before) * 1000.0, "ms");
    }
    time("delete", "queue", count, || {
        for number in 0..count {
            channel.queue_delete(&format!("q{number:06}")).expect("deleted");
        }
    });
}

/// Expiry, on a clock that jumps.
fn expire(count: u64) {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let channel = open(&broker);
    declare_all(&channel, count, true);
    let host = broker.virtual_host("/").expect("the default virtual host");
    assert_eq!(host.queues().len() as u64, count);
    time("expire, each at its own time", "queue", count, || {
        broker.advance(Duration::from_millis(2 * EXPIRES_MS.unsigned_abs()));
    });
    assert!(host.queues().is_empty());
}

fn main() {
    let count = scaled(100_000);
    idle(count);
    expire(count);
    let broker = Broker::new();
    let channel = open(&broker);
    time("declare without arguments", "queue", count, || declare_all(&channel, count, false));
}
