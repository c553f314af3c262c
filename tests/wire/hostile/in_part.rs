//! Those who send a part of something, many times, and never the rest.

use std::io::Write;
use std::net::SocketAddr;

use leveret::Broker;

use crate::client::Client;
use crate::hostile::hoarders::{WATERMARK, short_of_memory};
use crate::{frames, listening, wait_until};

/// What may be above the watermark: what is read while the alarm is raised, by each thread.
const OVER: usize = 4 << 20;

/// More than the largest frame has.
const LARGE: usize = 120_000;

const CLIENTS: usize = 150;

/// Has many send as much as is taken of the same; what came counts, is bounded, and is forgotten.
fn hoard_in_part(broker: &Broker, address: SocketAddr, octets: &[u8]) {
    let clients: Vec<_> = (0..CLIENTS).map(|_| sending(address, octets)).collect();
    wait_until("it counts", || broker.memory_total() > WATERMARK);
    let others: Vec<_> = (0..CLIENTS).map(|_| sending(address, octets)).collect();
    // Whoever is not read as a publisher is served.
    Client::with_channel(address).declare("q");
    let total = broker.memory_total();
    assert!(total < WATERMARK + OVER, "{total} octets count");
    drop((clients, others));
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
    let mut octets = frames::publish(1, "q", &[0; 1 << 20]);
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
