//! The HTTP API, as its clients see it.

#![cfg(feature = "management")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod definitions;
mod events;
mod limits;
mod messages;
mod metrics;
mod nodes;
mod odd_requests;
mod own;
mod page;
mod rights;
mod strangers;
mod streams;
mod table;
mod testing;
mod tracing;
mod users;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leveret::Broker;
use serde_json::Value;

/// A broker that serves the HTTP API.
struct Api {
    broker: Broker,
    address: SocketAddr,
}

/// A status and a body.
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Api {
    fn start() -> Self {
        Self::over(Broker::new())
    }

    fn over(broker: Broker) -> Self {
        let address = broker.serve_http("127.0.0.1:0").unwrap();
        Self { broker, address }
    }

    /// As the default user.
    fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call_as("guest", "guest", method, path, body)
    }

    fn call_as(&self, user: &str, password: &str, method: &str, path: &str, body: &str) -> Answer {
        self.raw(&login(user, password), method, path, body)
    }

    /// With headers, each with its end.
    fn raw(&self, headers: &str, method: &str, path: &str, body: &str) -> Answer {
        request(self.address, headers, method, path, body)
    }

    fn expect(&self, status: u16, method: &str, path: &str, body: &str) -> Answer {
        let answer = self.call(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        answer
    }
}

fn request(address: SocketAddr, headers: &str, method: &str, path: &str, body: &str) -> Answer {
    let mut socket = send(address, headers, method, path, body);
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Answer { status, body: if chunked { unchunked(body) } else { body.to_owned() } }
}

/// Sends a request; the answer can be read from the socket.
fn send(address: SocketAddr, headers: &str, method: &str, path: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .unwrap();
    socket
}

/// The header that logs in, with its end.
fn login(user: &str, password: &str) -> String {
    let login = STANDARD.encode(format!("{user}:{password}"));
    format!("authorization: Basic {login}\r\n")
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&rest[..size]);
        body = rest[size..].strip_prefix("\r\n").unwrap_or_default();
    }
    whole
}
