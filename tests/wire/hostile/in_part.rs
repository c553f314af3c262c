//! Those who send a part of something, many times, and never the rest.

use std::io::Write;
use std::net::SocketAddr;

use leveret::{Broker, Limits};

use crate::client::Client;
use crate::hostile::hoarders::WATERMARK;
use crate::{frames, listening, wait_until};

/// What may be above the watermark: what is read while the alarm is raised, by each thread.
const OVER: usize = 4 << 20;

/// More than the largest frame has.
const LARGE: usize = 120_000;

const CLIENTS: usize = 100;

fn short_of_memory() -> Limits {
    // Who is told to go has that long to answer.
    crate::hostile::hoarders::short_of_memory().close_timeout_ms(500)
}

/// Has many send as much as is taken of the same; what came counts, is bounded, and is forgotten.
/// Somebody who means it well comes to publish, as some of the others have to go.
fn hoard_in_part(broker: &Broker, address: SocketAddr, octets: &[u8]) {
    let mut honest = Client::new(address).opened(&[], 0).channel(1);
    honest.declare("honest");
    honest.consume("honest", "honest", true);
    let clients: Vec<_> = (0..CLIENTS).map(|_| sending(address, octets)).collect();
    // Whoever is not read as a publisher is served.
    Client::with_channel(address).declare("q");
    let total = broker.memory_total();
    assert!(total < WATERMARK + OVER, "{total} octets count");
    wait_until("some had to go", || broker.connection_count() <= CLIENTS);
    for _ in 0..10 {
        honest.send(&frames::publish(1, "honest", &[0; 9000]));
        assert_eq!(honest.content().body.len(), 9000);
    }
    wait_until("there is memory again", || broker.memory_total() <= WATERMARK);
    drop(clients);
    wait_until("nothing is left", || broker.memory_total() < WATERMARK / 2);
}

/// A client that has sent as much of it as is taken.
fn sending(address: SocketAddr, octets: &[u8]) -> Client {
    let mut client = Client::with_channel(address);
    client.socket.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(more) = client.socket.write(&octets[sent..])
        && more > 0
    {
        sent += more;
    }
    client.socket.set_nonblocking(false).unwrap();
    client
}

#[test]
fn bodies_without_an_end_are_bounded() {
    let (broker, address) = listening(short_of_memory());
    let mut octets = frames::publish(1, "q", &[0; 256 << 10]);
    octets.pop();
    hoard_in_part(&broker, address, &octets);
}

#[test]
fn properties_without_a_body_are_bounded() {
    let (broker, address) = listening(short_of_memory());
    let on_channel = |number: u16| {
        let open = if number > 1 { frames::channel_open(number) } else { Vec::new() };
        [open, frames::publish_begun(number, "q", LARGE)].concat()
    };
    hoard_in_part(&broker, address, &(1..30).flat_map(on_channel).collect::<Vec<_>>());
}

#[test]
fn frames_without_an_end_are_bounded() {
    let (broker, address) = listening(short_of_memory());
    let mut octets = frames::frame(1, 1, &[0; LARGE]);
    octets.truncate(LARGE);
    hoard_in_part(&broker, address, &octets);
}

/// It hears why, and who holds less goes on.
#[test]
fn who_holds_most_has_to_go() {
    let (broker, address) = listening(short_of_memory());
    let mut modest = Client::new(address).opened(&[], 0).channel(1);
    modest.declare("q");
    let message = frames::publish(1, "q", &[0; LARGE]);
    let (begun, rest) = message.split_at(LARGE / 2);
    modest.send(begun);
    let on_channel = |number: u16| {
        let open = if number > 1 { frames::channel_open(number) } else { Vec::new() };
        [open, frames::publish_begun(number, "q", LARGE)].concat()
    };
    let mut greedy = Client::with_channel(address);
    let octets: Vec<u8> = (1..500).flat_map(on_channel).collect();
    greedy.flood(&octets, octets.len()).expect("it is held back");
    let why = greedy.connection_closed();
    assert!(why.starts_with("506 RESOURCE_ERROR - memory is short"), "{why}");
    modest.send(rest);
    modest.consume("q", "q", true);
    assert_eq!(modest.content().body.len(), LARGE);
    drop(greedy);
    wait_until("nothing is left", || broker.memory_total() < WATERMARK / 2);
}
