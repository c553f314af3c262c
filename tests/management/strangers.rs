//! Those who only take up places, and requests of which it is not clear whom they are for.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use leveret::{Broker, HttpSettings};

use crate::{Api, login};

const PLACES: usize = 4;

fn with_few_places() -> Api {
    let mut settings = HttpSettings::default();
    settings.connections_max = PLACES;
    Api::over(Broker::builder().http(settings).build())
}

fn connected(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// The status that these octets are answered with.
fn status(socket: &mut TcpStream, octets: &str) -> u16 {
    socket.write_all(octets.as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let octets = socket.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..octets]);
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn who_asks_nothing_makes_room_for_who_does() {
    let api = with_few_places();
    let login = login("guest", "guest");
    let ask = format!("GET /api/whoami HTTP/1.1\r\nhost: localhost\r\n{login}\r\n");
    let mut honest = connected(api.address);
    assert_eq!(status(&mut honest, &ask), 200);
    let mut silent: Vec<_> = (0..3 * PLACES).map(|_| connected(api.address)).collect();
    let mut next = connected(api.address);
    assert_eq!(status(&mut next, &ask), 200);
    // The first of the strangers had to go; who was let in before them did not.
    assert_eq!(silent[0].read(&mut [0]).unwrap(), 0);
    assert_eq!(status(&mut honest, &ask), 200);
}

#[test]
fn wrong_logins_that_wait_make_room_too() {
    let api = with_few_places();
    let ask = |password: &str| {
        let login = login("guest", password);
        format!("GET /api/whoami HTTP/1.1\r\nhost: localhost\r\n{login}\r\n")
    };
    let mut guessing = connected(api.address);
    (0..50).for_each(|_| assert_eq!(status(&mut guessing, &ask("wrong")), 401));
    let mut late: Vec<_> = (0..3 * PLACES).map(|_| connected(api.address)).collect();
    late.iter_mut().for_each(|socket| socket.write_all(ask("wrong").as_bytes()).unwrap());
    assert_eq!(status(&mut connected(api.address), &ask("guest")), 200);
}

#[test]
fn a_request_is_for_one_host_and_of_one_origin() {
    let api = Api::start();
    let ask = |target: &str, headers: &str| {
        let login = login("guest", "guest");
        let request = format!("PUT {target} HTTP/1.1\r\n{login}{headers}content-length: 2\r\n");
        let json = "content-type: application/json\r\n\r\n{}";
        status(&mut connected(api.address), &format!("{request}{json}"))
    };
    let (own, queue) = ("host: localhost:1\r\n", "/api/queues/%2F/q");
    assert_eq!(ask(queue, own), 201);
    assert_eq!(ask(queue, &format!("{own}origin: http://localhost:1\r\n")), 204);
    assert_eq!(ask(queue, &format!("{own}host: evil.example\r\n")), 400);
    assert_eq!(ask(queue, ""), 400);
    assert_eq!(ask(&format!("http://evil.example{queue}"), own), 403);
    let two = "origin: http://localhost:1\r\norigin: http://evil.example\r\n";
    assert_eq!(ask(queue, &format!("{own}{two}")), 403);
}

/// Creates a queue with a body of so many octets at least, of which `announced` are.
fn upload(announced: &str, octets: usize) -> String {
    let login = login("guest", "guest");
    let body = format!("{{\"durable\":false{}}}", " ".repeat(octets));
    format!(
        "PUT /api/queues/%2F/q HTTP/1.1\r\nhost: localhost\r\n{login}\
         content-type: application/json\r\n{announced}\r\n\r\n{body}"
    )
}

fn whole_upload(octets: usize) -> String {
    let length = "{\"durable\":false}".len() + octets;
    upload(&format!("content-length: {length}"), octets)
}

/// What a socket is answered within a moment; 0 if it is closed without a word.
fn answered(socket: &mut TcpStream) -> Option<u16> {
    let mut answer = [0; 1024];
    match socket.read(&mut answer) {
        Ok(octets) => {
            let answer = String::from_utf8_lossy(&answer[..octets]);
            Some(answer.split(' ').nth(1).map_or(0, |status| status.parse().unwrap()))
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(_) => Some(0),
    }
}

/// Each sends an octet now and then: large bodies that were announced, or not, and small ones.
#[test]
fn bodies_that_do_not_end_are_given_up() {
    let mut settings = HttpSettings::default();
    settings.body_timeout_ms = 400;
    let api = Api::over(Broker::builder().http(settings).build());
    let begin = |number: usize| {
        let lengths =
            ["content-length: 100000", "transfer-encoding: chunked", "content-length: 90"];
        let mut socket = connected(api.address);
        let head = upload(lengths[number % 3], 0);
        socket.write_all(&head.as_bytes()[..head.len() - "{\"durable\":false}".len()]).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        socket
    };
    let mut slow: Vec<_> = (0..30).map(begin).collect();
    let (mut statuses, mut served) = (Vec::new(), 0);
    while !slow.is_empty() {
        assert!([201, 204].contains(&status(&mut connected(api.address), &whole_upload(9))));
        served += 1;
        slow.retain_mut(|socket| {
            // A chunk's length may have many zeros before it.
            let _ = socket.write(b"0");
            let answer = answered(socket);
            statuses.extend(answer);
            answer.is_none()
        });
    }
    assert!(served > 1 && statuses.iter().all(|status| [0, 400, 503].contains(status)));
    assert!(statuses.contains(&400), "{statuses:?}");
    // All the room for large ones is there again.
    for _ in 0..5 {
        assert_eq!(status(&mut connected(api.address), &whole_upload(90_000)), 204);
    }
}

#[test]
fn bodies_of_a_wrong_length_are_refused() {
    let api = Api::start();
    let wrong = [
        "content-length: -1",
        "content-length: 17, 18",
        "content-length: 17\r\ncontent-length: 18",
        "content-length: 99999999999999999999999",
        "content-length: 999999999999999999",
        "content-length: 16",
        "transfer-encoding: chunked",
        "transfer-encoding: nonsense",
    ];
    for announced in wrong {
        let mut socket = connected(api.address);
        let status = status(&mut socket, &upload(announced, 0));
        assert!([400, 501].contains(&status), "{announced}: {status}");
        assert!(api.broker.virtual_host("/").unwrap().queue("q").is_err(), "{announced}");
    }
    // Of this one the rest never comes.
    let mut socket = connected(api.address);
    socket.write_all(upload("content-length: 18", 0).as_bytes()).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert!([0, 400].contains(&answered(&mut socket).unwrap()));
    assert!(api.broker.virtual_host("/").unwrap().queue("q").is_err());
    assert_eq!(status(&mut connected(api.address), &whole_upload(0)), 201);
}
