//! Heartbeats, in real time.

use std::net::SocketAddr;
use std::thread;

use leveret::{Broker, Limits};

use crate::client::{Client, Frame, is_connection};
use crate::{frames, listening};

/// The shortest interval there is.
const INTERVAL_S: u16 = 1;

fn beating(address: SocketAddr) -> Client {
    Client::new(address).opened(frames::CAPABILITIES, INTERVAL_S).channel(1)
}

/// A silent client gets heartbeats every half interval, and is dropped after two intervals
/// without a word.
fn silent(mut client: Client) {
    let mut heartbeats = 0;
    while let Some(frame) = client.frame() {
        assert!(matches!(frame, Frame::Heartbeat), "{frame:?}");
        heartbeats += 1;
    }
    assert!((2..=4).contains(&heartbeats), "{heartbeats} heartbeats in two intervals");
}

/// A client that sends heartbeats stays: here one for each that it gets, for three intervals.
fn lively(mut client: Client) {
    for _ in 0..6 {
        assert!(matches!(client.frame(), Some(Frame::Heartbeat)));
        client.send(&frames::frame(8, 0, b""));
    }
    assert_eq!(client.declare("of-lively"), 0);
}

/// A client that the broker does not read because of the memory alarm cannot be told to be silent.
fn blocked(address: SocketAddr, broker: &Broker) {
    let mut client = beating(address);
    client.declare("of-blocked");
    broker.set_memory_alarm(true);
    client.send(&frames::publish(1, "of-blocked", b"x"));
    assert!(is_connection(&client.method().1, 60));
    // It is silent for as long as another that is dropped for it.
    silent(beating(address));
    broker.set_memory_alarm(false);
    assert!(is_connection(&client.method().1, 61));
    assert_eq!(client.declare("of-blocked"), 1);
}

/// Nor can one that the broker does not read because it does not read itself.
fn unread(address: SocketAddr) {
    let narrow = Client::narrow(address);
    let mut client = narrow.opened(frames::CAPABILITIES, INTERVAL_S).channel(1);
    let publish = frames::publish_mandatory(1, "nowhere");
    let sent = client.flood(&publish, 128 << 20).expect("the broker stops reading");
    silent(beating(address));
    for _ in 0..sent / publish.len() {
        client.content();
    }
}

#[test]
fn heartbeats_are_sent_and_missed() {
    let (_broker, address) = listening(Limits::default());
    let (short_of_memory, elsewhere) = listening(Limits::default());
    thread::scope(|scope| {
        scope.spawn(|| lively(beating(address)));
        scope.spawn(|| blocked(elsewhere, &short_of_memory));
        scope.spawn(|| unread(address));
    });
}
