//! Heartbeats and timeouts of connections on a clock that the test moves.

use std::time::Duration;

use leveret::{Broker, Limits, ManualClock, Timestamp};

use crate::client::{Client, Frame};
use crate::in_memory::{connected, opened};
use crate::{counts, frames, ready};

const INTERVAL_S: u16 = 10;

fn on_manual_clock() -> Broker {
    Broker::builder().manual_clock(ManualClock::default()).build()
}

fn advance_ms(broker: &Broker, ms: u64) {
    broker.advance(Duration::from_millis(ms));
}

/// Milliseconds until the next deadline.
fn ms_left(broker: &Broker) -> Option<u64> {
    let now = broker.now().as_millis();
    broker.next_deadline().map(|deadline: Timestamp| deadline.as_millis() - now)
}

#[test]
fn a_silent_client_is_dropped_when_two_intervals_have_passed() {
    let broker = on_manual_clock();
    let mut client = opened(&broker, INTERVAL_S);
    client.declare("q");
    client.send(&frames::publish(1, "q", b"x"));
    client.consume("q", "tag", false);
    client.content();
    advance_ms(&broker, 19_999);
    assert_eq!((counts(&broker, "q").unacked, broker.connection_count()), (1, 1));
    advance_ms(&broker, 1);
    // No waiting: it has happened.
    assert_eq!((ready(&broker, "q"), broker.connection_count()), (1, 0));
    for _ in 0..3 {
        assert!(matches!(client.frame(), Some(Frame::Heartbeat)));
    }
    client.ended();
}

#[test]
fn a_client_that_is_heard_stays() {
    let broker = on_manual_clock();
    let mut client = opened(&broker, INTERVAL_S);
    for _ in 0..1000 {
        advance_ms(&broker, 19_000);
        client.send(&frames::frame(8, 0, b""));
    }
    assert_eq!(client.declare("q"), 0);
}

#[test]
fn a_handshake_takes_only_so_long() {
    let broker = on_manual_clock();
    let (mut early, mut late) = (connected(&broker), connected(&broker));
    for client in [&mut early, &mut late] {
        client.send(frames::HEADER);
        client.method();
    }
    assert_eq!(ms_left(&broker), Some(10_000));
    advance_ms(&broker, 9_999);
    early.finish_handshake();
    advance_ms(&broker, 1);
    late.ended();
    assert_eq!(early.channel(1).declare("q"), 0);
}

#[test]
fn an_hour_does_not_bother_who_agreed_on_no_heartbeats() {
    let broker = on_manual_clock();
    let mut client = opened(&broker, 0);
    assert_eq!(ms_left(&broker), None, "the time for the handshake counts no more");
    advance_ms(&broker, 3_600_000);
    assert_eq!(client.declare("q"), 0);
}

#[test]
fn what_was_sent_before_is_taken_before_time_passes() {
    for _ in 0..100 {
        let broker = on_manual_clock();
        let mut client = opened(&broker, 0);
        // x-message-ttl: 3,600,000
        let ttl = b"\0\0\0\x13\x0dx-message-ttlI\x00\x36\xee\x80";
        client.send(&frames::queue_declare_with(1, "q", ttl));
        client.send(&frames::publish(1, "q", b"x"));
        advance_ms(&broker, 3_599_999);
        assert_eq!((ready(&broker, "q"), ms_left(&broker)), (1, Some(1)));
        advance_ms(&broker, 1);
        assert_eq!(ready(&broker, "q"), 0);
    }
}

#[test]
fn time_goes_from_event_to_event() {
    let broker = on_manual_clock();
    let start = broker.now();
    assert_eq!(broker.advance_to_next_event(), None);
    let client = opened(&broker, INTERVAL_S);
    let mut seen = Vec::new();
    while let Some(time) = broker.advance_to_next_event() {
        seen.push(time.as_millis() - start.as_millis());
    }
    assert_eq!(seen, [5000, 10_000, 15_000, 20_000]);
    assert_eq!(broker.connection_count(), 0);
    drop(client);
}

#[test]
fn sockets_are_on_real_time_unless_the_program_wants_it_otherwise() {
    for on_manual in [false, true] {
        let builder = Broker::builder().manual_clock(ManualClock::default());
        let builder = if on_manual { builder.manual_clock_on_sockets() } else { builder };
        let broker = builder.limits(Limits::new().heartbeat_s(7)).build();
        let address = broker.listen("127.0.0.1:0").unwrap();
        let mut client = Client::new(address).opened(frames::CAPABILITIES, 60).channel(1);
        client.declare("q");
        advance_ms(&broker, 3_600_000);
        assert_eq!(broker.connection_count(), usize::from(!on_manual));
        if on_manual {
            client.ended();
        } else {
            assert_eq!(client.declare("q"), 0);
        }
    }
}
