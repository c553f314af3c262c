//! What a broker costs that lives for one test: time and memory to start it, to use it once, and
//! to have a thousand at a time. One line for each figure; as a test with a hundredth of that.
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

use std::fs;
use std::time::Duration;

use leveret::{Broker, ManualClock, MemoryStream, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

mod figures;

use figures::{print, scaled, time, timed};

const PAGE_OCTETS: f64 = 4096.0;

/// Octets of memory that are in use, where the system tells.
fn resident() -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<f64>().ok()? * PAGE_OCTETS)
}

/// Threads of this process, where the system tells.
fn threads() -> Option<f64> {
    Some(fs::read_dir("/proc/self/task").ok()?.count() as f64)
}

fn on_manual_clock() -> Broker {
    Broker::builder().manual_clock(ManualClock::default()).build()
}

/// What a short test does with the embedded API.
fn use_embedded(broker: &Broker) {
    let channel = broker.connect().expect("open").open_channel().expect("a channel");
    channel.queue_declare("q").expect("a queue");
    let consumer = channel.basic_consume("q").expect("a consumer");
    channel.basic_publish(Publish::to_queue("q").body("x")).expect("published");
    consumer.recv().expect("a delivery").ack().expect("acknowledged");
}

/// The shortest talk in AMQP: the protocol header, and connection.start.
fn greet(broker: &Broker, runtime: &Runtime) -> MemoryStream {
    let mut stream = broker.connect_amqp().expect("a stream");
    runtime.block_on(async {
        stream.write_all(b"AMQP\0\0\x09\x01").await.expect("written");
        stream.read_exact(&mut [0; 8]).await.expect("connection.start");
    });
    stream
}

/// The middle one of the times that `work` takes, and the largest but a hundredth.
fn quantiles(what: &str, count: u64, mut work: impl FnMut()) {
    let mut times: Vec<Duration> = (0..count).map(|_| timed(&mut work).1).collect();
    times.sort_unstable();
    for (name, at) in [("median", times.len() / 2), ("99 %", times.len() * 99 / 100)] {
        let microseconds = times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6);
        print(format!("{what}, {name}"), microseconds, "us");
    }
}

/// Many brokers at a time, each of them used.
fn many<T>(what: &str, count: u64, used: impl Fn(&Broker) -> T) -> Vec<(Broker, T)> {
    let before = resident();
    let start = || {
        let broker = on_manual_clock();
        let kept = used(&broker);
        (broker, kept)
    };
    let brokers = time(format!("start of many, {what}"), "broker", count, || {
        (0..count).map(|_| start()).collect()
    });
    if let (Some(before), Some(after)) = (before, resident()) {
        print(format!("memory, {what}"), (after - before) / count as f64, "octets/broker");
    }
    if let Some(threads) = threads() {
        print(format!("threads of the process, {what}"), threads, "");
    }
    brokers
}

fn main() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let count = scaled(1000);
    // All of them live until the end, so that none gets the memory of another.
    let unused = many("unused", count, |_| ());
    let with_queue = many("with a queue", count, use_embedded);
    let with_stream = many("with an open stream", count, |broker| greet(broker, &runtime));
    time("drop of many, unused", "broker", count, || drop(unused));
    time("drop of many, with a queue", "broker", count, || drop(with_queue));
    time("drop of many, with an open stream", "broker", count, || drop(with_stream));
    quantiles("start", count, || std::mem::forget(on_manual_clock()));
    quantiles("start and drop", count, || drop(on_manual_clock()));
    quantiles("start, declare, consume, publish, ack, drop", count, || {
        use_embedded(&on_manual_clock());
    });
    quantiles("start, stream, connection.start, drop", count, || {
        greet(&on_manual_clock(), &runtime);
    });
}
