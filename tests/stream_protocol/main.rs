//! The stream protocol through its socket: what a client asks for, what it is told, and what
//! becomes of messages on the way between it and AMQP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod amqp;
mod client;
mod connections;
mod durable;
mod faults;
mod groups;
#[cfg(feature = "management")]
mod http;
mod offsets;
mod publishing;
mod reading;
mod rights;
mod streams;
mod super_streams;

use std::net::SocketAddr;

use leveret::{AdvertisedAddress, Broker, BrokerBuilder};

/// A broker that listens for stream clients on a free port of the loopback interface.
fn listening() -> (Broker, SocketAddr) {
    listening_with(Broker::builder())
}

fn listening_with(builder: BrokerBuilder) -> (Broker, SocketAddr) {
    let broker = builder.build();
    let address = listen(&broker);
    (broker, address)
}

fn listen(broker: &Broker) -> SocketAddr {
    let advertised = AdvertisedAddress::default();
    broker.listen_for_streams("127.0.0.1:0", advertised).expect("a free port")
}
