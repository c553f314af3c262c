//! Requests to the HTTP API, over a socket.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use leveret::Broker;

/// Requests that one broker gets: what they leave in it is not to grow for ever.
const REQUESTS_MAX: usize = 500;

struct Server {
    /// Dropped with the server.
    _broker: Broker,
    address: SocketAddr,
    requests: usize,
}

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// `METHOD PATH`, a line's end, further lines of the head up to an empty one if the first octet is
/// odd, and a body.
pub fn run(data: &[u8]) {
    SERVER.with_borrow_mut(|server| {
        let server = server.get_or_insert_with(|| {
            let broker = Broker::for_tests();
            let address = broker.serve_http("127.0.0.1:0").expect("a port");
            Server { _broker: broker, address, requests: 0 }
        });
        server.requests += 1;
        ask(server.address, data);
    });
    SERVER.with_borrow_mut(|server| {
        server.take_if(|server| server.requests > REQUESTS_MAX);
    });
}

fn ask(address: SocketAddr, data: &[u8]) {
    let [choice, data @ ..] = data else { return };
    let end = data.iter().position(|&octet| octet == b'\n').unwrap_or(data.len());
    let (line, rest) = data.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let (head, body) = match rest.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) if choice % 2 == 1 => (&rest[..=at], &rest[at + 2..]),
        _ => (&b"authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\nhost: localhost\n"[..], rest),
    };
    let mut request = line.to_vec();
    request.extend_from_slice(b" HTTP/1.1\r\n");
    request.extend_from_slice(head);
    let length = body.len();
    let ends = format!("connection: close\r\ncontent-length: {length}\r\n\r\n");
    request.extend_from_slice(ends.as_bytes());
    request.extend_from_slice(body);
    let Ok(mut socket) = TcpStream::connect(address) else { return };
    let patience = Some(Duration::from_secs(5));
    socket.set_read_timeout(patience).expect("a time");
    let mut answer = Vec::new();
    if socket.write_all(&request).and_then(|()| socket.read_to_end(&mut answer)).is_ok() {
        let is_failure = answer.starts_with(b"HTTP/1.1 500");
        assert!(!is_failure, "{}", String::from_utf8_lossy(&answer));
    }
}
