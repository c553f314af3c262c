//! A million delayed messages: what it costs to keep them, and to release them in order.
//!
//! `cargo bench --bench delayed` keeps 1,000,000 messages, with `-- --messages N` another number;
//! with `-- --test`, and when cargo runs it as a test, 20,000. Every message is published to an
//! `x-delayed-message` exchange with a random delay of up to ten minutes, then the manual clock
//! passes over all of them.

#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a measurement")]

use std::time::{Duration, Instant};

use leveret::{AMQPValue, Broker, ExchangeDeclare, FieldTable, ManualClock, Publish};

/// Longest delay in milliseconds.
const DELAY_MAX_MS: u64 = 600_000;

/// Messages when it is measured.
const MEASURED_MESSAGES: u64 = 1_000_000;

/// Messages when nothing is measured.
const TEST_MESSAGES: u64 = 20_000;

const BODY: &[u8] = &[b'x'; 64];

fn main() {
    let count = message_count();
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let channel = broker.connect().and_then(|c| c.open_channel()).expect("an open broker");
    let mut arguments = FieldTable::default();
    arguments.insert("x-delayed-type".into(), AMQPValue::LongString("direct".into()));
    let exchange = ExchangeDeclare::new("later", "x-delayed-message").arguments(arguments);
    channel.exchange_declare_with(&exchange).expect("valid arguments");
    channel.queue_declare("q").expect("a new queue");
    channel.queue_bind("q", "later", "k").expect("a binding");
    let host = broker.virtual_host("/").expect("the default virtual host");
    let exchange = host.exchange("later").expect("a declared exchange");

    let resident = resident_bytes();
    let start = Instant::now();
    let mut random = 0x9E37_79B9_u64;
    for _ in 0..count {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let ms = i64::try_from(1 + (random >> 33) % DELAY_MAX_MS).unwrap_or(1);
        let publish = Publish::to_exchange("later", "k").body(BODY).header("x-delay", ms);
        channel.basic_publish(publish).expect("a published message");
    }
    report("publish and keep", start, count);
    assert_eq!(exchange.delayed_count() as u64, count);
    let counted = broker.memory_used() as u64 / count;
    println!("memory as counted:  {counted:>6} octets per message, 64 of them body");
    if let (Some(before), Some(after)) = (resident, resident_bytes()) {
        let each = after.saturating_sub(before) / count;
        println!("resident memory:    {each:>6} octets per message");
    }

    let start = Instant::now();
    broker.advance(Duration::from_millis(DELAY_MAX_MS));
    report("release and enqueue", start, count);
    assert_eq!(exchange.delayed_count(), 0);
    let queue = host.queue("q").expect("a declared queue");
    assert_eq!(queue.counts().ready as u64, count);
}

fn message_count() -> u64 {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |option: &str| arguments.iter().position(|argument| argument == option);
    if let Some(at) = given("--messages") {
        let number = arguments.get(at + 1).and_then(|number| number.parse().ok());
        return number.filter(|&n| n > 0).expect("a number of messages");
    }
    // cargo says `--bench` when it measures.
    if given("--bench").is_some() && given("--test").is_none() {
        return MEASURED_MESSAGES;
    }
    TEST_MESSAGES
}

fn report(what: &str, start: Instant, count: u64) {
    let each = start.elapsed().as_nanos() / u128::from(count);
    println!("{what:<19} {each:>6} ns per message, {count} messages");
}

/// Octets of this process that are in memory, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
