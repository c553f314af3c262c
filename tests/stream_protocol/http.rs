//! What the HTTP API tells of stream connections, at the addresses of RabbitMQ's plugin.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use leveret::Broker;
use leveret_stream_protocol::{OffsetSpec, Request};
use serde_json::{Value, json};

use crate::client::{Client, Code, wait_until};
use crate::listening;

/// The default user's login.
const GUEST: &str = "Z3Vlc3Q6Z3Vlc3Q=";
/// That of `joe`, whose password is his name.
const JOE: &str = "am9lOmpvZQ==";

struct Api(SocketAddr);

impl Api {
    fn of(broker: &Broker) -> Self {
        Self(broker.serve_http("127.0.0.1:0").unwrap())
    }

    fn call(&self, login: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut socket = TcpStream::connect(self.0).unwrap();
        write!(
            socket,
            "{method} /api/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-length: {}\r\nauthorization: Basic {login}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        // Lists come in one chunk.
        let body = body.find(['[', '{']).map_or("", |at| body.split_at(at).1);
        let body = body.rsplit_once("\r\n0\r\n").map_or(body, |(body, _)| body);
        (status, serde_json::from_str(body.trim_end()).unwrap_or_default())
    }

    fn get(&self, path: &str) -> Value {
        let (status, value) = self.call(GUEST, "GET", path, "");
        assert_eq!(status, 200, "{path}: {value}");
        value
    }
}

/// The name of the only stream connection as a part of a path.
fn name(api: &Api) -> String {
    let connections = api.get("stream/connections");
    assert_eq!(connections.as_array().unwrap().len(), 1, "{connections}");
    connections[0]["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E")
}

#[test]
fn publishers_are_shown_with_what_became_of_their_messages() {
    let (broker, address) = listening();
    let api = Api::of(&broker);
    let mut client = Client::open(address);
    client.create("s");
    assert_eq!(client.declare(3, "me", "s"), Code::Ok);
    client.publish(3, 1, &["a", "b"]);
    assert_eq!(client.confirms(3, 2), [1, 2]);
    let shown = api.get("stream/publishers/%2F/s")[0].clone();
    assert_eq!(shown["connection_details"]["user"], "guest");
    assert_eq!(shown["queue"], json!({"name": "s", "vhost": "/"}));
    let told = ["publisher_id", "reference", "published", "confirmed", "errored"];
    assert_eq!(
        told.map(|name| shown[name].clone()),
        [json!(3), json!("me"), 2.into(), 2.into(), 0.into()]
    );
    let own = format!("stream/connections/%2F/{}/publishers", name(&api));
    for path in ["stream/publishers", "stream/publishers/%2F", &own] {
        assert_eq!(api.get(path)[0]["publisher_id"], 3, "{path}");
    }
    assert_eq!(api.get("stream/%2F/s/tracking?type=writer"), json!({"writers": {"me": 2}}));
    client.ok(Request::DeletePublisher { publisher: 3 });
    assert_eq!(api.get("stream/publishers"), json!([]));
}

#[test]
fn consumers_are_shown_with_where_they_are() {
    let (broker, address) = listening();
    let api = Api::of(&broker);
    let mut client = Client::open(address);
    client.create("s");
    client.declare(1, "", "s");
    client.publish(1, 1, &["a", "b", "c"]);
    client.confirms(1, 3);
    client.subscribe(7, "s", OffsetSpec::Offset(3), 10);
    let shown = || api.get("stream/consumers/%2F")[0].clone();
    let told = |names: [&str; 4]| names.map(|name| shown()[name].clone());
    let names = ["subscription_id", "offset", "consumed", "credits"];
    assert_eq!(told(names), [7, 3, 0, 10].map(|it| json!(it)));
    let mut other = Client::open(address);
    other.declare(1, "", "s");
    other.publish(1, 4, &["d", "e"]);
    assert_eq!(client.texts(1), ["d", "e"]);
    wait_until("what was sent is counted", || shown()["consumed"] == 2);
    assert_eq!(told(names)[..3], [7, 5, 2].map(|it| json!(it)));
    assert_eq!((&shown()["active"], &shown()["offset_lag"]), (&json!(true), &json!(0)));
    client.ok(Request::Unsubscribe { subscription: 7 });
    assert_eq!(api.get("stream/consumers"), json!([]));
}

#[test]
fn a_connection_is_shown_to_its_user_and_can_be_closed() {
    let (broker, address) = listening();
    let api = Api::of(&broker);
    let user = r#"{"password": "joe", "tags": "management"}"#;
    assert_eq!(api.call(GUEST, "PUT", "users/joe", user).0, 201);
    let mut client = Client::open(address);
    client.create("s");
    client.declare(1, "", "s");
    let path = format!("stream/connections/%2F/{}", name(&api));
    assert_eq!(api.get(&path)["protocol"], "stream");
    assert_eq!(api.call(JOE, "GET", "stream/connections", ""), (200, json!([])));
    assert_eq!(api.call(JOE, "GET", "stream/publishers", ""), (200, json!([])));
    assert_eq!(api.call(JOE, "GET", &path, "").0, 401);
    assert_eq!(api.call(JOE, "DELETE", &path, "").0, 401);
    for missing in
        ["stream/connections/%2F/nobody", "stream/connections/nowhere", "stream/publishers/%2F/no"]
    {
        assert_eq!(api.call(GUEST, "GET", missing, "").0, 404, "{missing}");
    }
    assert_eq!(api.call(GUEST, "DELETE", &path, "").0, 204);
    wait_until("the connection is closed", || api.get("stream/connections") == json!([]));
}
