//! What the HTTP API tells of TLS, and the API itself over it.

use std::io::{Read, Write};
use std::net::SocketAddr;

use leveret::Broker;
use leveret::tls::{LoginFrom, TestCertificates, Tls};
use serde_json::Value;

use crate::connect;

const LOGIN: &str = "authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nconnection: close\r\n";

/// The status and the body.
fn get(address: SocketAddr, authority: &str, path: &str) -> (u16, String) {
    let mut stream = connect(address, authority, None);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n{LOGIN}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

struct Api {
    broker: Broker,
    made: TestCertificates,
    tls: Tls,
    address: SocketAddr,
}

impl Api {
    fn start() -> Self {
        let (broker, made) = (Broker::new(), TestCertificates::new().unwrap());
        let mut settings = made.server_settings().unwrap();
        (settings.verify, settings.login_from) = (true, LoginFrom::CommonName);
        let tls = Tls::open(settings).unwrap();
        let address = broker.serve_https("127.0.0.1:0", &tls).unwrap();
        Self { broker, made, tls, address }
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = get(self.address, &self.made.authority(), path);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }
}

#[test]
fn the_node_tells_how_to_log_in_and_where_http_is() {
    let api = Api::start();
    let offered = || {
        let (_, nodes) = api.get("/api/nodes");
        let all = nodes[0]["auth_mechanisms"].as_array().unwrap().clone();
        let enabled = all.into_iter().filter(|mechanism| mechanism["enabled"] == true);
        enabled.map(|mechanism| mechanism["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(offered(), ["PLAIN", "AMQPLAIN", "ANONYMOUS"]);
    api.broker.listen_tls("127.0.0.1:0", &api.tls).unwrap();
    assert_eq!(offered(), ["PLAIN", "AMQPLAIN", "EXTERNAL", "ANONYMOUS"]);
    let (_, overview) = api.get("/api/overview");
    let context = serde_json::json!([{
        "description": "RabbitMQ Management", "path": "/", "cowboy_opts": "[]", "ssl_opts": [],
        "ssl": "true", "ip": "127.0.0.1", "port": api.address.port().to_string(),
        "node": overview["node"],
    }]);
    assert_eq!(overview["contexts"], context);
}

#[test]
fn a_connection_over_tls_is_told_with_its_certificate() {
    let api = Api::start();
    let address = api.broker.listen_tls("127.0.0.1:0", &api.tls).unwrap();
    let own = api.made.client("guest").unwrap();
    let mut client = connect(address, &api.made.authority(), Some(&own));
    log_in(&mut client);
    let (status, connections) = api.get("/api/connections");
    assert_eq!(status, 200);
    let (_, host) = api.get("/api/vhosts/%2F");
    assert!(host["recv_oct"].as_u64() > Some(8) && host["send_oct"].as_u64() > Some(8), "{host}");
    let shown = &connections[0];
    assert_eq!(shown["ssl"], true);
    assert_eq!(shown["ssl_protocol"], "tlsv1.3");
    assert_eq!(shown["ssl_key_exchange"], "any");
    assert_eq!(shown["ssl_hash"], "aead");
    assert!(shown["ssl_cipher"].as_str().unwrap().starts_with("aes_"), "{shown}");
    assert_eq!(shown["peer_cert_subject"], "CN=guest");
    assert_eq!(shown["peer_cert_issuer"], "CN=leveret tests");
    assert_eq!(shown["peer_cert_validity"], "2020-01-01T00:00:00Z - 2049-12-31T00:00:00Z");
    assert_eq!(shown["auth_mechanism"], "EXTERNAL");
    assert_eq!(shown["user"], "guest");
}

/// By EXTERNAL, to the virtual host `/`.
fn log_in(client: &mut (impl Read + Write)) {
    let frame = |payload: &[u8]| {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[1, 0, 0][..], &size, payload, &[206]].concat()
    };
    crate::first_octets(client).unwrap();
    client.read_exact(&mut [0; 1]).unwrap(); // the end of the frame
    let start_ok = [&[0, 10, 0, 11, 0, 0, 0, 0][..], b"\x08EXTERNAL\0\0\0\0\x05en_US"].concat();
    client.write_all(&frame(&start_ok)).unwrap();
    client.read_exact(&mut [0; 20]).unwrap(); // tune
    client.write_all(&frame(&[0, 10, 0, 31, 7, 255, 0, 2, 0, 0, 0, 0])).unwrap();
    client.write_all(&frame(&[0, 10, 0, 40, 1, b'/', 0, 0])).unwrap();
    client.read_exact(&mut [0; 13]).unwrap(); // open-ok
}

#[test]
fn certificates_that_expire_soon_fail_the_health_check() {
    let api = Api::start();
    let check = |span: &str| api.get(&format!("/api/health/checks/certificate-expiration/{span}"));
    assert_eq!(check("1/months").0, 200);
    let (status, failed) = check("40/years");
    assert_eq!(status, 503);
    assert_eq!(failed["reason"], "Certificates expiring");
    assert_eq!(failed["expired"][0]["protocol"], "https");
    assert_eq!(failed["expired"][0]["certfile_expires_on"][0], "2049-12-31T00:00:00Z");
    assert_eq!(check("1/minutes").0, 400);
    assert_eq!(api.get("/api/health/checks/protocol-listener/https").0, 200);
    assert_eq!(api.get("/api/health/checks/protocol-listener/amqps").0, 503);
}

#[test]
fn the_end_of_certificates_is_a_metric() {
    let api = Api::start();
    let metrics = api.broker.serve_metrics("127.0.0.1:0").unwrap();
    let mut socket = std::net::TcpStream::connect(metrics).unwrap();
    write!(socket, "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let line = "subject=\"CN=localhost\"} 2524521600";
    let is_told =
        |text: &str| text.starts_with("leveret_certificate_expires") && text.ends_with(line);
    assert!(answer.lines().any(is_told), "{answer}");
}
