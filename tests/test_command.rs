//! `leveret test`: what fixtures of other languages build on.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

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

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let address = self.ready["control"].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        let body = body.map_or_else(String::new, |body| body.to_string());
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line is all that it prints");
    }
}

async fn declare(uri: &str) {
    use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
    use lapin::types::{AMQPValue, FieldTable};
    let connection = lapin::Connection::connect(uri, Default::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(Default::default()).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(3_600_000));
    channel.queue_declare("codes".into(), QueueDeclareOptions::default(), arguments).await.unwrap();
    channel
        .basic_publish(
            "".into(),
            "codes".into(),
            BasicPublishOptions::default(),
            b"123456",
            Default::default(),
        )
        .await
        .unwrap()
        .await
        .unwrap();
    connection.close(200, "".into()).await.unwrap();
}

#[test]
fn it_serves_a_client_and_moves_its_time_by_hand() {
    let server = Server::start(&["--manual-clock"]);
    let uri = server.ready["amqp"].as_str().unwrap().to_owned();
    tokio::runtime::Runtime::new().unwrap().block_on(declare(&uri));
    let queue = |ready| {
        let queue = json!({"vhost": "/", "name": "codes", "unacked": 0, "consumers": 0});
        let mut queue = queue;
        queue["ready"] = ready;
        json!([queue])
    };
    assert_eq!(server.call("GET", "/queues", None), (200, queue(json!(1))));
    let (_, before) = server.call("GET", "/clock", None);
    assert_eq!(before["manual"], true);
    let (status, after) = server.call("POST", "/clock/advance", Some(json!({"ms": 3_600_000})));
    assert_eq!(status, 200);
    let now = |clock: &Value| clock["now_ms"].as_u64().unwrap();
    assert_eq!(now(&after) - now(&before), 3_600_000);
    assert_eq!(server.call("GET", "/queues", None), (200, queue(json!(0))));
    server.end();
}

#[test]
fn what_cannot_be_done_is_explained() {
    let server = Server::start(&[]);
    let (status, answer) = server.call("POST", "/clock/advance", Some(json!({"ms": 5})));
    assert_eq!(status, 400);
    assert_eq!(answer["error"], "the clock is the system's: start with --manual-clock");
    assert_eq!(server.call("PUT", "/alarms", Some(json!({"memory": true}))).0, 204);
    assert_eq!(server.call("PUT", "/alarms", Some(json!({"moon": true}))).0, 422);
    assert_eq!(server.call("GET", "/nothing", None).0, 404);
    server.end();
}
