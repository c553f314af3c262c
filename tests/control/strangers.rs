//! Requests that others make than the one who was told the token, and those that are cut oddly.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Server;

/// The status that these octets are answered with.
fn status(server: &Server, octets: &str) -> u16 {
    let address = server.ready["control"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(octets.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_body_is_json_whole_and_not_too_large() {
    let server = Server::start(&[]);
    let token = server.ready["token"].as_str().unwrap();
    let reset = |headers: &str| {
        let head = "POST /reset HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
        status(&server, &format!("{head}authorization: Bearer {token}\r\n{headers}"))
    };
    let chunks = "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(reset(chunks), 415);
    assert_eq!(reset(&format!("content-type: text/plain\r\n{chunks}")), 415);
    assert_eq!(reset(&format!("content-type: application/json\r\n{chunks}")), 204);
    let sized = "content-length: 2\r\n\r\n{}";
    assert_eq!(reset(&format!("content-type: application/jsonp\r\n{sized}")), 415);
    assert_eq!(reset(&format!("content-type: Application/JSON; charset=utf-8\r\n{sized}")), 204);
    let json = "content-type: application/json\r\n";
    assert_eq!(reset(&format!("{json}content-type: text/plain\r\n{sized}")), 400);
    assert_eq!(reset(&format!("{json}content-length: 99999999999\r\n\r\n{{}}")), 413);
    let broken = "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}";
    assert_eq!(reset(&format!("{json}{broken}")), 413);
    server.end();
}

#[test]
fn a_host_is_named_once_and_is_this_machine() {
    let server = Server::start(&[]);
    let token = server.ready["token"].as_str().unwrap();
    let get = |target: &str, headers: &str| {
        let login = format!("authorization: bearer {token}\r\nconnection: close\r\n");
        status(&server, &format!("GET {target} HTTP/1.1\r\n{login}{headers}\r\n"))
    };
    for own in ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:9"] {
        assert_eq!(get("/clock", &format!("host: {own}\r\n")), 200, "{own}");
    }
    for foreign in ["", "localhost.example", "127.0.0.1.example", "example@localhost", "[::1", "a"]
    {
        assert_eq!(get("/clock", &format!("host: {foreign}\r\n")), 403, "{foreign}");
    }
    assert_eq!(get("/clock", ""), 403);
    assert_eq!(get("/clock", "host: localhost\r\nhost: example.com\r\n"), 400);
    assert_eq!(get("http://example.com/clock", "host: localhost\r\n"), 403);
    assert_eq!(get("/clock", "host: localhost\r\nauthorization: Bearer 0\r\n"), 400);
    assert_eq!(get("/clock", "host: localhost\r\norigin: null\r\n"), 403);
    let asked = format!("GET /clock?token={token} HTTP/1.1\r\nhost: localhost\r\n");
    assert_eq!(status(&server, &format!("{asked}connection: close\r\n\r\n")), 401);
    server.end();
}
