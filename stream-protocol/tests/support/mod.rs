//! A client's half of the wire, for tests.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;

use leveret_stream_protocol::{
    ClientFrame, Connection, ConnectionConfig, Event, Request, ServerFrame,
};

/// A request with its size in front.
pub(crate) fn request(correlation: u32, request: Request<'_>) -> Vec<u8> {
    client(&ClientFrame::Request { correlation, request })
}

/// A frame with its size in front.
pub(crate) fn client(frame: &ClientFrame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.write(&mut out);
    out
}

/// A frame of any kind, with its size in front.
pub(crate) fn raw(key: u16, version: u16, content: &[u8]) -> Vec<u8> {
    let size = 4 + content.len() as u32;
    [&size.to_be_bytes()[..], &key.to_be_bytes(), &version.to_be_bytes(), content].concat()
}

pub(crate) fn greeting() -> Vec<u8> {
    request(1, Request::PeerProperties { properties: vec![("product", "test")] })
}

pub(crate) fn login(mechanism: &str, response: &[u8]) -> Vec<u8> {
    request(3, Request::SaslAuthenticate { mechanism, response })
}

pub(crate) fn tune(frame_max: u32, heartbeat_s: u32) -> Vec<u8> {
    client(&ClientFrame::Tune { frame_max, heartbeat_s })
}

pub(crate) fn open(virtual_host: &str) -> Vec<u8> {
    request(4, Request::Open { virtual_host })
}

pub(crate) fn close_answer() -> Vec<u8> {
    client(&ClientFrame::CloseAnswer { correlation: 1, code: 1 })
}

/// How the owner answers a login or the opening of a virtual host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Agrees,
    Waits,
}

/// A connection with an owner that keeps a record.
pub(crate) struct Peer {
    pub conn: Connection,
    pub owner: Owner,
    pub events: Vec<String>,
}

impl Peer {
    pub(crate) fn with(config: ConnectionConfig) -> Self {
        let conn = Connection::new(Arc::new(config), 0);
        Self { conn, owner: Owner::Agrees, events: Vec::new() }
    }

    pub(crate) fn new() -> Self {
        Self::with(ConnectionConfig::default())
    }

    /// Greeted, and told the mechanisms.
    pub(crate) fn greeted() -> Self {
        let mut peer = Self::new();
        peer.feed(&[greeting(), request(2, Request::SaslHandshake {})].concat());
        peer.forget();
        peer
    }

    /// An open connection without heartbeats.
    pub(crate) fn open() -> Self {
        Self::open_with(0)
    }

    pub(crate) fn open_with(heartbeat_s: u32) -> Self {
        let mut peer = Self::greeted();
        peer.feed(&[login("PLAIN", b"\0a\0b"), tune(0, heartbeat_s), open("/")].concat());
        assert!(peer.conn.is_running());
        peer.forget();
        peer
    }

    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.conn.transmit().clear();
    }

    /// Input, answered as the owner does.
    pub(crate) fn feed(&mut self, mut input: &[u8]) {
        loop {
            let (used, event) = self.conn.poll_event(input);
            self.events.extend(event.as_ref().map(|event| format!("{event:?}")));
            let asked = match event {
                Some(Event::Login { .. }) => 1,
                Some(Event::Open { .. }) => 2,
                _ => 0,
            };
            match (asked, self.owner) {
                (1, Owner::Agrees) => self.conn.accept_login(),
                (2, Owner::Agrees) => self.conn.accept_open("here", 5552),
                _ => {}
            }
            if used == 0 {
                break;
            }
            input = &input[used..];
        }
    }

    /// Everything that was sent, as frames.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        let out = std::mem::take(self.conn.transmit());
        frames(&out)
            .iter()
            .map(|frame| format!("{:?}", ServerFrame::read(frame).unwrap()))
            .collect()
    }
}

/// The frames in some octets, without their sizes.
pub(crate) fn frames(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((size, rest)) = octets.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*size) as usize);
        frames.push(frame);
        octets = rest;
    }
    assert!(octets.is_empty());
    frames
}
