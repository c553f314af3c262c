//! Those who only take up places, and requests of which it is not clear whom they are for.

use std::io::{Read, Write};
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
