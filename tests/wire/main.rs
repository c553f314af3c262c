//! What a peer can do to the broker through its socket: floods, stalls, garbage, silence. None of
//! it may cost unbounded memory or disturb other connections.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod client;
mod confirms;
#[cfg(feature = "durable")]
mod durable;
mod frames;
mod gathered;
mod handshake;
mod heartbeats;
mod hostile;
mod in_memory;
mod limits;
mod manual_time;
mod memory_alarm;
mod octets;
mod order;
mod pieces;
#[cfg(feature = "durable")]
mod power;
mod registry;
mod slow_readers;
mod teardown;
mod unread;

use std::net::SocketAddr;
use std::time::Duration;

use leveret::{Broker, Limits};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker that listens on a free port of the loopback interface.
fn listening(limits: Limits) -> (Broker, SocketAddr) {
    let broker = Broker::builder().limits(limits).build();
    let address = broker.listen("127.0.0.1:0").expect("a free port");
    (broker, address)
}

/// Waits until `condition` holds.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Broker::new();
    let end = clock.now() + PATIENCE;
    while !condition() {
        assert!(clock.now() < end, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// Ready messages of a queue in the default virtual host.
fn ready(broker: &Broker, queue: &str) -> usize {
    counts(broker, queue).ready
}

/// Counts of a queue in the default virtual host.
fn counts(broker: &Broker, queue: &str) -> leveret::Counts {
    broker.virtual_host("/").unwrap().queue(queue).unwrap().counts()
}
