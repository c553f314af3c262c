//! Shovels as parameters: set, refused, listed, exported, imported, over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leveret::Broker;
use leveret::definitions::Definitions;
use serde_json::{Value, json};

use crate::{SOON, Shovelling, broker, to};

struct Api(std::net::SocketAddr);

impl Api {
    fn of(broker: &Broker) -> Self {
        Self(broker.serve_http("127.0.0.1:0").unwrap())
    }

    fn call_as(&self, user: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut socket = TcpStream::connect(self.0).unwrap();
        let login = STANDARD.encode(user);
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {login}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer[9..12].parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.call_as("guest:guest", method, path, body)
    }
}

const PARAMETER: &str = "/api/parameters/shovel/%2F/s";
const SHOVEL: &str = "/api/shovels/vhost/%2F/s";

#[test]
fn a_shovel_is_set_shown_restarted_and_deleted_over_http() {
    let broker = broker(&["in"]);
    let api = Api::of(&broker);
    let value = to("amqp://guest:guest@/%2f", json!({}));
    let body = json!({ "value": value }).to_string();
    assert_eq!(api.call("PUT", PARAMETER, &body), (201, Value::Null));
    assert_eq!(api.call("PUT", PARAMETER, &body), (204, Value::Null));
    broker.wait_for_state("running");
    let (status, all) = api.call("GET", "/api/shovels", "");
    assert_eq!((status, all.as_array().map(Vec::len)), (200, Some(1)));
    let shown = &all[0];
    for (key, value) in [
        ("name", "s"),
        ("vhost", "/"),
        ("type", "dynamic"),
        ("state", "running"),
        ("src_uri", "amqp://"),
        ("dest_uri", "amqp:///%2f"),
        ("src_protocol", "amqp091"),
        ("dest_protocol", "amqp091"),
        ("src_queue", "in"),
        ("dest_queue", "out"),
        ("remaining", "unlimited"),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    assert_eq!((&shown["forwarded"], &shown["pending"]), (&json!(0), &json!(0)));
    let time = shown["timestamp"].as_str().unwrap();
    assert_eq!((time.len(), &time[10..11]), (19, " "), "{time}");
    assert_eq!(api.call("GET", "/api/shovels/%2F", "").1, all);
    assert_eq!(api.call("GET", "/api/shovels/none", "").0, 404);
    let (status, parameter) = api.call("GET", SHOVEL, "");
    assert_eq!((status, &parameter["value"]["dest-uri"]), (200, &json!("amqp:///%2f")));
    let (_, parameter) = api.call("GET", PARAMETER, "");
    assert_eq!(parameter["value"], value, "who may set it sees all of it");
    assert_eq!(api.call("DELETE", &format!("{SHOVEL}/restart"), "").0, 204);
    broker.fill("in", 0..5);
    broker.wait_for_ready("out", 5);
    assert_eq!(api.call("DELETE", SHOVEL, "").0, 204);
    for (method, path) in [
        ("GET", SHOVEL),
        ("DELETE", SHOVEL),
        ("DELETE", PARAMETER),
        ("DELETE", "/api/shovels/vhost/%2F/s/restart"),
    ] {
        assert_eq!(api.call(method, path, "").0, 404, "{method} {path}");
    }
    assert_eq!(api.call("GET", "/api/shovels", "").1, json!([]));
}

#[test]
fn what_is_wrong_is_told_and_nothing_changes() {
    let broker = broker(&["in"]);
    let api = Api::of(&broker);
    let good = json!({"value": to("amqp://", json!({}))}).to_string();
    assert_eq!(api.call("PUT", PARAMETER, &good).0, 201);
    broker.wait_for_state("running");
    for (extra, reason) in [
        (
            json!({"dest-uri": "amqp://u:secret@h:99999999"}),
            "\"amqp://h:99999999\" not a valid URI: {{port_out_of_range,99999999},\
             \"amqp://h:99999999\"}",
        ),
        (
            json!({"dest-uri": "amqp:///nonesuch"}),
            "user \"guest\" may not connect to vhost \"nonesuch\"",
        ),
        (json!({"foo": 1}), "Unrecognised terms [{&lt;&lt;\"foo\"&gt;&gt;,1}] in s"),
        (json!({"dest-queue": "in"}), "the shovel s has the same queue at both ends"),
    ] {
        let body = json!({"value": to("amqp://", extra)}).to_string();
        let (status, answer) = api.call("PUT", PARAMETER, &body);
        let text = format!("Validation failed\n\n{reason}\n");
        assert_eq!((status, answer["reason"].as_str()), (400, Some(text.as_str())));
    }
    broker.fill("in", 0..3);
    broker.wait_for_ready("out", 3);
    let host = broker.virtual_host("/").unwrap();
    let unknown = host.set_parameter("nonesuch", "s", "{}").unwrap_err();
    assert_eq!(unknown.to_string(), "component nonesuch not found");
}

#[test]
fn whoever_sees_shovels_sees_those_where_it_has_permissions() {
    let broker = broker(&["in"]);
    broker.add_virtual_host("other");
    let api = Api::of(&broker);
    for (user, tags) in [("watcher", "monitoring"), ("maker", "policymaker")] {
        let body = json!({"password": "pw", "tags": tags}).to_string();
        assert_eq!(api.call("PUT", &format!("/api/users/{user}"), &body).0, 201);
        let none = r#"{"configure": "", "write": "", "read": ""}"#;
        assert_eq!(api.call("PUT", &format!("/api/permissions/other/{user}"), none).0, 201);
    }
    let value = to("amqp://127.0.0.1:1", json!({"src-uri": "amqp:///other"}));
    let body = json!({ "value": value }).to_string();
    for vhost in ["%2F", "other"] {
        let path = format!("/api/parameters/shovel/{vhost}/s");
        assert_eq!(api.call("PUT", &path, &body).0, 201);
    }
    let (status, seen) = api.call_as("watcher:pw", "GET", "/api/shovels", "");
    assert_eq!((status, seen.as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(seen[0]["vhost"], "other");
    assert_eq!(api.call_as("watcher:pw", "GET", SHOVEL, "").0, 404);
    assert_eq!(api.call_as("watcher:pw", "DELETE", "/api/shovels/vhost/other/s", "").0, 401);
    assert_eq!(api.call_as("maker:pw", "GET", "/api/shovels", "").0, 401);
    // A policymaker cannot reach with a shovel where it has no permissions itself.
    let path = "/api/parameters/shovel/other/t";
    let far = json!({"value": to("amqp://", json!({"src-uri": "amqp:///other"}))}).to_string();
    let (status, answer) = api.call_as("maker:pw", "PUT", path, &far);
    let reason = "Validation failed\n\nuser \"maker\" may not connect to vhost \"/\"\n";
    assert_eq!((status, answer["reason"].as_str()), (400, Some(reason)));
    assert_eq!(api.call_as("maker:pw", "DELETE", "/api/shovels/vhost/other/s", "").0, 204);
}

#[test]
fn definitions_have_shovels_and_bring_them() {
    let broker = broker(&["in"]);
    broker.shovel(&to("amqp://", json!({}))).unwrap();
    let (_, exported) = Api::of(&broker).call("GET", "/api/definitions", "");
    let parameters = exported["parameters"].as_array().unwrap();
    assert_eq!(parameters.len(), 1);
    assert_eq!(
        (&parameters[0]["component"], &parameters[0]["name"]),
        (&json!("shovel"), &json!("s"))
    );
    let other = Broker::new();
    let definitions = Definitions::from_json(exported.to_string().as_bytes()).unwrap();
    other.import(&definitions).unwrap();
    other.fill("in", 0..4);
    other.wait_for_ready("out", 4);
    let bad = r#"{"vhosts": [{"name": "/"}], "parameters": [{"component": "shovel", "name": "t",
        "vhost": "/", "value": {"src-queue": "a"}}]}"#;
    let refused = other.import(&Definitions::from_json(bad.as_bytes()).unwrap()).unwrap_err();
    let text = "shovel 't': Key \"dest-uri\" not found in t; Key \"src-uri\" not found in t";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn shovels_go_with_their_virtual_host() {
    let broker = Broker::new();
    broker.add_virtual_host("v");
    let host = broker.virtual_host("v").unwrap();
    let value = to("amqp://127.0.0.1:1", json!({"src-uri": "amqp:///v"})).to_string();
    host.set_parameter("shovel", "s", &value).unwrap();
    assert_eq!(Api::of(&broker).call("DELETE", "/api/vhosts/v", "").0, 204);
    broker.add_virtual_host("v");
    assert!(broker.virtual_host("v").unwrap().shovels().is_empty());
    broker.wait_until(SOON, |broker| broker.connection_count() == 0).unwrap();
}
