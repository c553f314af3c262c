//! `leveret test`: what fixtures of other languages build on.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod faults;
mod journal;
mod lives;
mod queues;
mod strangers;
mod streams;
mod topology;
mod waiting;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    ready: Value,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_leveret"))
            .arg("test")
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap();
        Self { child, output, ready }
    }

    /// The headers of a caller who was told the token, each with its end.
    fn login(&self) -> String {
        let token = self.ready["token"].as_str().unwrap();
        format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n")
    }

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.call_with(&self.login(), method, path, body)
    }

    fn call_with(
        &self,
        headers: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let address = self.ready["control"].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        let body = body.map_or_else(String::new, |body| body.to_string());
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let answer = answer.as_str();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// A call that is granted.
    fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn get(&self, path: &str) -> Value {
        self.ok("GET", path, None)
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.ok("POST", path, Some(body))
    }

    /// A call that is refused; returns why.
    fn refused(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> String {
        let (is, answer) = self.call(method, path, body);
        assert_eq!(is, status, "{method} {path}: {answer}");
        answer["error"].as_str().unwrap().to_owned()
    }

    /// Publishes to a queue.
    fn fill(&self, queue: &str, body: &str) -> Value {
        self.post("/publish", json!({"routing_key": queue, "body": body}))["confirmed"].clone()
    }

    /// A client of the broker.
    async fn connect(&self) -> lapin::Connection {
        let uri = self.ready["amqp"].as_str().unwrap();
        lapin::Connection::connect(uri, Default::default()).await.unwrap()
    }

    /// A client that gives its connection a name.
    async fn connect_as(&self, name: &str) -> lapin::Connection {
        let uri = self.ready["amqp"].as_str().unwrap();
        let properties = lapin::ConnectionProperties::default();
        lapin::Connection::connect(uri, properties.with_connection_name(name.into())).await.unwrap()
    }

    /// A client in another virtual host.
    async fn connect_to(&self, vhost: &str) -> lapin::Result<lapin::Connection> {
        let uri = self.ready["amqp"].as_str().unwrap().replace("%2F", vhost);
        lapin::Connection::connect(&uri, Default::default()).await
    }

    /// A channel on which nothing goes wrong, with this queue.
    async fn with_queue(&self, queue: &str) -> lapin::Channel {
        let channel = self.connect().await.create_channel().await.unwrap();
        declare(&channel, queue).await.unwrap();
        channel
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line is all that it prints");
    }
}

async fn declare(channel: &lapin::Channel, queue: &str) -> lapin::Result<lapin::Queue> {
    channel.queue_declare(queue.into(), Default::default(), Default::default()).await
}

async fn declare_with_ttl(channel: &lapin::Channel, queue: &str, ms: i32) {
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(ms));
    channel.queue_declare(queue.into(), Default::default(), arguments).await.unwrap();
}

/// The reply code with which the broker closed something.
fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

#[tokio::test]
async fn it_serves_a_client_and_moves_its_time_by_hand() {
    let server = Server::start(&["--manual-clock"]);
    let channel = server.connect().await.create_channel().await.unwrap();
    declare_with_ttl(&channel, "codes", 3_600_000).await;
    assert_eq!(server.fill("codes", "123456"), "ack");
    let queue = |ready: u64| {
        json!([{
            "vhost": "/", "name": "codes", "ready": ready, "unacked": 0, "consumers": 0
        }])
    };
    assert_eq!(server.get("/queues"), queue(1));
    let before = server.get("/clock");
    assert_eq!(before["manual"], true);
    let after = server.post("/clock/advance", json!({"ms": 3_600_000}));
    let now = |clock: &Value| clock["now_ms"].as_u64().unwrap();
    assert_eq!(now(&after) - now(&before), 3_600_000);
    assert_eq!(server.get("/queues"), queue(0));
    server.end();
}

#[test]
fn what_cannot_be_done_is_explained() {
    let server = Server::start(&["--journal", "0"]);
    let answer = server.refused(400, "POST", "/clock/advance", Some(json!({"ms": 5})));
    assert_eq!(answer, "the clock is the system's: start with --manual-clock");
    server.ok("PUT", "/alarms", Some(json!({"memory": true})));
    let answer = server.refused(400, "PUT", "/alarms", Some(json!({"moon": true})));
    assert!(answer.starts_with("moon: unknown field `moon`, expected `memory` or `disk`"));
    let answer = server.refused(400, "PUT", "/alarms", None);
    assert!(answer.starts_with("EOF while parsing"), "{answer}");
    assert_eq!(server.refused(404, "GET", "/nothing", None), "there is nothing at /nothing");
    assert_eq!(server.refused(405, "GET", "/reset", None), "GET is not what /reset takes");
    let answer = server.refused(400, "GET", "/journal", None);
    assert_eq!(answer, "the journal is off: start without --journal 0");
    let answer = server.refused(400, "GET", "/lints", None);
    assert_eq!(answer, "lints are off: start with --lint warn or --lint deny");
    server.end();
}

#[tokio::test]
async fn what_is_seldom_meant_is_kept_or_refused() {
    for (level, is_refused) in [("warn", false), ("deny", true)] {
        let server = Server::start(&["--lint", level]);
        let channel = server.connect().await.create_channel().await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-mesage-ttl".into(), AMQPValue::LongInt(1));
        let declared = channel.queue_declare("q".into(), Default::default(), arguments).await;
        assert_eq!(declared.as_ref().err().and_then(reply_code), is_refused.then_some(406));
        let lints = server.get("/lints");
        assert_eq!(lints[0]["kind"], "unknown_argument");
        assert_eq!(lints[0]["subject"], "queue 'q' in vhost '/'");
        assert!(lints[0]["text"].as_str().unwrap().contains("did you mean 'x-message-ttl'?"));
        server.end();
    }
}

#[test]
fn nobody_is_waited_for_when_the_parent_is_gone() {
    let server = Server::start(&[]);
    let address = server.ready["control"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut waiting = TcpStream::connect(address).unwrap();
    let body = json!({"for": {"connections": 9}, "limit_ms": 600_000}).to_string();
    let (login, length) = (server.login(), body.len());
    write!(waiting, "POST /wait HTTP/1.1\r\nhost: localhost\r\n{login}content-length: {length}")
        .unwrap();
    write!(waiting, "\r\n\r\n{body}").unwrap();
    // The next call is answered after that one was taken.
    server.get("/clock");
    server.end();
}

#[test]
fn a_page_in_a_browser_is_not_obeyed() {
    let server = Server::start(&[]);
    let login = server.login();
    let token = login.split("\r\n").next().unwrap();
    let status = |headers: &str| server.call_with(headers, "POST", "/reset", Some(json!({}))).0;
    assert_eq!(status("content-type: application/json\r\n"), 401);
    let guessed = "authorization: Bearer 0\r\ncontent-type: application/json\r\n";
    assert_eq!(status(guessed), 401);
    assert_eq!(status(&format!("{login}origin: http://example.com\r\n")), 403);
    // What a page can send without asking first.
    assert_eq!(status(&format!("{token}\r\ncontent-type: text/plain\r\n")), 415);
    let text = "POST /reset HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n";
    let address = server.ready["control"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut rebound = TcpStream::connect(address).unwrap();
    write!(rebound, "{text}{login}content-length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    rebound.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    server.end();
}
