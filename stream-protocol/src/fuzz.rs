//! Bodies of the fuzz targets, also run by the tests over a small corpus. They panic only if
//! something that must always hold does not.

use std::sync::Arc;

use crate::chunk::{Chunk, ChunkBuilder};
use crate::client_frame::ClientFrame;
use crate::config::ConnectionConfig;
use crate::connection::Connection;
use crate::entry::Entry;
use crate::event::Event;
use crate::request::Request;
use crate::response_code::ResponseCode;
use crate::server_frame::ServerFrame;

/// Largest frame that the connection of the fuzz target takes.
const FRAME_OCTETS_MAX: usize = 10_000;

/// Octets as a frame of either side, and as a chunk. What can be read can be written, and is then
/// the same.
pub fn frames(data: &[u8]) {
    let mut out = Vec::new();
    if let Ok(frame) = ClientFrame::read(data) {
        frame.write(&mut out);
        match (&frame, ClientFrame::read(out.get(4..).unwrap_or_default())) {
            (ClientFrame::Publish(one), Ok(ClientFrame::Publish(other))) => {
                assert_eq!(one.iter().count(), one.len());
                assert!(one.iter().eq(other.iter()) && one.publisher == other.publisher);
            }
            (frame, again) => assert_eq!(Ok(frame), again.as_ref()),
        }
    }
    out.clear();
    if let Ok(frame) = ServerFrame::read(data) {
        frame.write(&mut out);
        assert_eq!(Ok(frame), ServerFrame::read(out.get(4..).unwrap_or_default()));
    }
    if let Ok(chunk) = Chunk::read(data) {
        rebuild(&chunk);
    }
}

fn rebuild(chunk: &Chunk<'_>) {
    let mut builder = ChunkBuilder::new();
    let mut offset = chunk.header.first_offset;
    for (first, entry) in chunk.entries() {
        assert_eq!(first, offset);
        assert!(builder.push(&entry));
        offset = offset.saturating_add(u64::from(entry.records()));
        if let Entry::Batch(batch) = entry {
            assert!(batch.messages().count() <= usize::from(batch.records));
        }
    }
    let mut out = Vec::new();
    builder.write(chunk.header.first_offset, chunk.header.timestamp_ms, &mut out);
    let again = Chunk::read(&out);
    assert!(again.is_ok_and(|again| again.entries().eq(chunk.entries())));
}

/// Octets to a connection, in pieces whose size is the second octet; after a handshake if the
/// first is odd.
pub fn connection(data: &[u8]) {
    let Some((&[from, size], data)) = data.split_first_chunk() else { return };
    let config =
        ConnectionConfig { frame_octets_max: FRAME_OCTETS_MAX, ..ConnectionConfig::default() };
    let mut connection = Connection::new(Arc::new(config), 0);
    if from % 2 == 1 {
        feed(&mut connection, &handshake());
        assert!(connection.is_running());
    }
    let mut now_ms = 0;
    for part in data.chunks(usize::from(size).max(1)) {
        connection.consumer_update(size, from % 3 == 1);
        feed(&mut connection, part);
        assert!(connection.unfinished_octets() <= 70_000);
        connection.input_arrived(now_ms);
        now_ms += u64::from(from);
        connection.handle_timeout(now_ms);
        assert!(connection.poll_timeout().is_none_or(|at| at > now_ms));
        // What a connection says by itself is little next to what it hears.
        assert!(connection.transmit().len() < 2_000 * (part.len() + 1));
        connection.transmit().clear();
    }
}

/// What a client says until its connection is open.
fn handshake() -> Vec<u8> {
    let requests = [
        Request::PeerProperties { properties: vec![("product", "fuzz")] },
        Request::SaslHandshake {},
        Request::SaslAuthenticate { mechanism: "PLAIN", response: b"\0a\0b" },
    ];
    let mut out = Vec::new();
    for request in requests {
        ClientFrame::Request { correlation: 1, request }.write(&mut out);
    }
    ClientFrame::Tune { frame_max: 0, heartbeat_s: 1 }.write(&mut out);
    let request = Request::Open { virtual_host: "/" };
    ClientFrame::Request { correlation: 4, request }.write(&mut out);
    out
}

/// What was decided about an event, once it no longer borrows from the connection.
enum Answer {
    Login(u8),
    Open,
    Code,
    Nothing,
}

fn feed(connection: &mut Connection, mut input: &[u8]) {
    loop {
        let (used, event) = connection.poll_event(input);
        assert!(used <= input.len());
        let answer = match event {
            Some(Event::Login { response, .. }) => {
                Answer::Login(response.first().copied().unwrap_or_default())
            }
            Some(Event::Open { .. }) => Answer::Open,
            Some(Event::Request { request, .. }) => {
                assert!(!matches!(request, Request::Close { .. } | Request::Open { .. }));
                Answer::Code
            }
            _ => Answer::Nothing,
        };
        match answer {
            Answer::Login(0) => connection.accept_login(),
            Answer::Login(1) => connection.challenge("who?"),
            Answer::Login(_) => connection.refuse_login(ResponseCode::AuthenticationFailure),
            Answer::Open => connection.accept_open("localhost", 5552),
            Answer::Code => assert!(connection.is_running()),
            Answer::Nothing => {}
        }
        if used == 0 {
            break;
        }
        input = input.get(used..).unwrap_or_default();
    }
    assert!(input.is_empty());
}
