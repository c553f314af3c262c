//! The page in a browser: its files, and the stream of changes that it lives on.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Api, login};

/// Head and size of the body of an answer.
fn head(api: &Api, headers: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(api.address).unwrap();
    write!(socket, "HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
        .unwrap();
    let mut head = String::new();
    let mut lines = BufReader::new(socket);
    while lines.read_line(&mut head).unwrap() > 2 {}
    head.to_ascii_lowercase()
}

/// The address of the script in the page.
fn script(api: &Api) -> String {
    let page = api.expect(200, "GET", "/", "").body;
    let (_, after) = page.split_once("src=\"./").unwrap();
    format!("/{}", after.split('"').next().unwrap())
}

/// A stream of changes.
struct Live(BufReader<TcpStream>);

impl Live {
    fn open(api: &Api, user: &str, query: &str) -> Self {
        let mut socket = TcpStream::connect(api.address).unwrap();
        let login = login(user, user);
        write!(
            socket,
            "GET /api/leveret/live?{query} HTTP/1.1\r\nhost: localhost\r\n{login}\
             accept: text/event-stream\r\n\r\n"
        )
        .unwrap();
        Self(BufReader::new(socket))
    }

    /// The next event; `None` when the stream has ended.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        while self.0.read_line(&mut line).unwrap() > 0 {
            if let Some(event) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(event).unwrap());
            }
            if line == "0\r\n" {
                return None;
            }
            line.clear();
        }
        None
    }
}

#[test]
fn the_page_runs_nothing_but_its_own_files() {
    let api = Api::start();
    let head = head(&api, "accept: text/html\r\n", "/");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let policy = head.lines().find(|line| line.starts_with("content-security-policy:")).unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = api.expect(200, "GET", "/index.html", "").body;
    assert!(!page.contains("style="), "{page}");
    assert!(!page.contains("://"), "it names no other host: {page}");
}

#[test]
fn files_of_the_page_come_compressed_and_are_kept_for_ever() {
    let api = Api::start();
    let script = script(&api);
    for (accept, encoding) in [("gzip, deflate, br", "br"), ("gzip, deflate", "gzip")] {
        let head = head(&api, &format!("accept-encoding: {accept}\r\n"), &script);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains(&format!("content-encoding: {encoding}\r\n")), "{head}");
        assert!(head.contains("cache-control: public, max-age=31536000, immutable"), "{head}");
        assert!(head.contains("vary: accept-encoding"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert!(length.parse::<usize>().unwrap() < 250_000, "{head}");
    }
    assert!(head(&api, "", &script).starts_with("http/1.1 406"));
    assert!(head(&api, "", "/assets/none.js").starts_with("http/1.1 404"));
}

#[test]
fn a_stream_tells_what_has_changed_and_no_more() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/queues/%2F/orders", r#"{"durable": true}"#);
    let mut live =
        Live::open(&api, "guest", "lists=queues&watch=/api/queues/%252F/orders&watch=/api/vhosts");
    let first = live.next().unwrap();
    let names = first["queues"]["figures"].as_array().unwrap();
    assert_eq!(names[0], "ready");
    let queue = &first["queues"]["new"][0];
    assert_eq!((&queue["name"], &queue["durable"]), (&json!("orders"), &json!(true)));
    let answer = &first["answers"]["/api/queues/%2F/orders"];
    assert_eq!((&answer["status"], &answer["body"]["messages"]), (&json!(200), &json!(0)));
    assert!(first["answers"]["/api/vhosts"]["body"].is_array());

    let message = r#"{"routing_key": "orders", "properties": {}, "payload": "x",
        "payload_encoding": "string"}"#;
    api.expect(200, "POST", "/api/exchanges/%2F/amq.default/publish", message);
    let moved = loop {
        let event = live.next().unwrap();
        if event["queues"]["moved"] != json!([]) {
            break event;
        }
    };
    assert_eq!(moved["queues"]["new"], json!([]));
    assert_eq!(moved["queues"]["moved"][0][0], queue["id"]);
    assert_eq!(moved["queues"]["moved"][0][1], 1);

    api.expect(204, "DELETE", "/api/queues/%2F/orders", "");
    let gone = loop {
        let event = live.next().unwrap();
        if event["queues"]["gone"] != json!([]) {
            break event;
        }
    };
    assert_eq!(gone["queues"]["gone"], json!([queue["id"]]));
    assert_eq!(gone["answers"]["/api/queues/%2F/orders"]["status"], 404);
}

#[test]
fn a_stream_tells_nobody_more_than_the_endpoints_do() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/queues/%2F/secret", "{}");
    let user = r#"{"password": "reader", "tags": "management"}"#;
    api.expect(201, "PUT", "/api/users/reader", user);
    let mut live = Live::open(&api, "reader", "lists=queues&watch=/api/nodes&watch=/api/queues");
    let first = live.next().unwrap();
    assert_eq!(first["queues"]["new"], json!([]));
    assert_eq!(first["answers"]["/api/nodes"]["status"], 401);
    assert_eq!(first["answers"]["/api/queues"]["body"], json!([]));

    api.expect(204, "DELETE", "/api/users/reader", "");
    while live.next().is_some() {}
}

#[test]
fn what_cannot_be_watched_is_named() {
    let api = Api::start();
    for (query, named) in [
        ("watch=/api/none", "/api/none"),
        ("watch=/api/leveret/live", "/api/leveret/live"),
        ("watch=/api/index.html", "/api/index.html"),
        ("lists=fruits", "fruits"),
    ] {
        let answer = api.expect(400, "GET", &format!("/api/leveret/live?{query}"), "");
        assert!(answer.body.contains(named), "{}", answer.body);
    }
    let many = ["watch=/api/vhosts"; 9].join("&");
    api.expect(400, "GET", &format!("/api/leveret/live?{many}"), "");
}

#[test]
fn the_past_is_told_in_samples() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/queues/%2F/q", "{}");
    for path in ["history", "history/queues/%2F/q", "history/exchanges/%2F/amq.topic"] {
        let past = api.expect(200, "GET", &format!("/api/leveret/{path}?age=60&step=5"), "").json();
        let names = past["names"].as_array().unwrap().len();
        for sample in past["samples"].as_array().unwrap() {
            assert_eq!(sample.as_array().unwrap().len(), names + 1, "{path}");
        }
    }
    api.expect(400, "GET", "/api/leveret/history?age=86400&step=1", "");
    api.expect(404, "GET", "/api/leveret/history/queues/%2F/none", "");
}
