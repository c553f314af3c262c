//! Peers that do not get through the handshake, and the limits that count connections.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use leveret::access::PasswordHash;
use leveret::{Broker, Limits};

use crate::client::{Client, is_connection};
use crate::{frames, listening, wait_until};

/// Limits with a handshake so short that tests can wait for it.
fn hasty() -> Limits {
    Limits::new().handshake_timeout_ms(100)
}

/// Reads until the broker closes the socket; garbage may well be answered by a reset.
fn drain(client: &mut Client) -> Vec<u8> {
    let mut all = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match client.socket.read(&mut chunk) {
            Ok(0) => return all,
            Ok(octets) => all.extend_from_slice(&chunk[..octets]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("the socket was not closed: {error}"),
        }
    }
}

#[test]
fn garbage_instead_of_the_header_is_answered_with_the_header() {
    let (_broker, address) = listening(Limits::default());
    for (garbage, answer) in [
        (&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], b"AMQP\x03\x01\x00\x00"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", b"AMQP\x03\x01\x00\x00"),
        (b"AMQP\x00\x00\x09\x02", b"AMQP\x00\x00\x09\x01"),
        (b"AMQP\x00\x00\x0a\x00", b"AMQP\x00\x00\x09\x01"),
        (b"AMQP\x00\x00\x08\x00", b"AMQP\x03\x01\x00\x00"),
        (b"AMQP\x01\x01\x08\x00", b"AMQP\x03\x01\x00\x00"),
        (b"AMQP\x05\x01\x00\x00", b"AMQP\x03\x01\x00\x00"),
        (b"AMQP\xff\xff\xff\xff", b"AMQP\x03\x01\x00\x00"),
        (b"amqp\x00\x00\x09\x01", b"AMQP\x03\x01\x00\x00"),
        // RabbitMQ speaks AMQP 1.0; who does not says what it speaks.
        (b"AMQP\x00\x01\x00\x00", b"AMQP\x00\x00\x09\x01"),
        (b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x00\x09\x01"),
    ] {
        let mut client = Client::new(address);
        client.send(garbage);
        assert_eq!(drain(&mut client), answer, "{:?}", garbage.escape_ascii().to_string());
    }
    Client::open(address);
}

/// A connection up to tune, which is not answered.
fn tuning(address: SocketAddr) -> Client {
    let mut client = Client::new(address);
    client.send(frames::HEADER);
    assert!(is_connection(&client.method().1, 10));
    let login = frames::start_ok("PLAIN", b"\0guest\0guest", frames::CAPABILITIES);
    assert!(is_connection(&client.ask(&login), 30));
    client
}

/// A connection that logs in like this, and would like to hear why it is refused.
fn logging_in(address: SocketAddr, mechanism: &str, response: &[u8]) -> Client {
    let mut client = Client::new(address);
    client.send(frames::HEADER);
    assert!(is_connection(&client.method().1, 10));
    client.send(&frames::start_ok(mechanism, response, frames::CAPABILITIES));
    client
}

/// A connection whose password is wrong.
fn mistaken(address: SocketAddr, capabilities: &[&str]) -> Client {
    let mut client = Client::new(address);
    client.send(frames::HEADER);
    assert!(is_connection(&client.method().1, 10));
    client.send(&frames::start_ok("PLAIN", b"\0guest\0wrong", capabilities));
    client
}

fn garbage() -> Vec<u8> {
    (0..20_000u32).map(|n| (n * 7 % 251) as u8).collect()
}

/// Before open is due nobody is told what went wrong, and the socket closes after a delay
/// `[rabbitmq reader]`. All of these wait together.
#[test]
fn early_failures_close_the_socket_without_a_word() {
    let (broker, address) = listening(Limits::default());
    let mut clients = vec![mistaken(address, &[]), Client::new(address)];
    clients[1].send(frames::HEADER);
    assert!(is_connection(&clients[1].method().1, 10));
    clients[1].send(&garbage());
    clients.push(tuning(address));
    clients[2].send(&garbage());
    for (channel_max, frame_max) in [(2048, 131_072), (0, 131_072), (10, 4095), (10, 131_073)] {
        let mut client = tuning(address);
        client.send(&frames::tune_ok(channel_max, frame_max, 0));
        client.send(&frames::open("/"));
        clients.push(client);
    }
    let malformed: &[(&str, &[u8])] = &[
        ("PLAIN", b""),
        ("PLAIN", b"guest\0guest"),
        ("PLAIN", b"\0guest"),
        ("PLAIN", b"guest\0guest\0guest"),
        ("PLAIN", b"\0guest\0guest\0"),
        ("AMQPLAIN", b""),
        ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest"),
        ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDI\0\0\0\x06"),
        ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x09guest"),
    ];
    let logins = malformed.iter();
    clients.extend(logins.map(|(mechanism, response)| logging_in(address, mechanism, response)));
    // A frame larger than what goes before tune.
    let mut wordy = Client::new(address);
    wordy.send(frames::HEADER);
    assert!(is_connection(&wordy.method().1, 10));
    let response = [&b"\0guest\0"[..], &[b'x'; 4100]].concat();
    wordy.send(&frames::start_ok("PLAIN", &response, frames::CAPABILITIES));
    clients.push(wordy);
    // Nobody waits for them.
    Client::open(address);
    for client in &mut clients {
        assert_eq!(drain(client), b"");
    }
    wait_until("no connection is left", || broker.connection_count() == 0);
}

#[test]
fn garbage_ends_the_connection_alone() {
    // Nobody who sends garbage answers connection.close.
    let limits = Limits::new().close_timeout_ms(50);
    let (broker, address) = listening(limits);
    let mut bystander = Client::with_channel(address);
    let mut opening = Client::new(address);
    opening.logged_in(frames::CAPABILITIES, 0);
    opening.send(&garbage());
    assert!(opening.connection_closed().starts_with("501 FRAME_ERROR"));
    for number in [0, 1, 77] {
        let mut running = Client::with_channel(address);
        running.send(&frames::frame(9, number, b"rubbish"));
        running.send(&garbage());
        let text = running.connection_closed();
        assert!(text.starts_with("501 FRAME_ERROR"), "{text}");
        running.ended();
    }
    assert_eq!(bystander.declare("undisturbed"), 0);
    wait_until("one connection is left", || broker.connection_count() == 1);
}

#[test]
fn a_partial_header_and_silence_time_out() {
    let (_broker, address) = listening(hasty());
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(address)).collect();
    clients[1].send(&frames::HEADER[..7]);
    clients[2].send(frames::HEADER);
    clients[3].logged_in(frames::CAPABILITIES, 60);
    for client in &mut clients {
        client.ended();
    }
    let mut open = Client::open(address);
    open.open_channel(1);
}

#[test]
fn header_octet_by_octet_does_not_prolong_the_handshake() {
    let (_broker, address) = listening(hasty());
    let mut client = Client::new(address);
    // Then a heartbeat frame that never ends.
    let octets = frames::HEADER.iter().chain(&[8, 0, 0, 0, 0, 4, 0]).chain(std::iter::repeat(&0));
    client.socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    for octet in octets {
        // The write fails once the broker has closed the socket.
        if client.socket.write_all(&[*octet]).is_err() {
            return;
        }
        // connection.start, then nothing for a while.
        let _ = client.socket.read(&mut [0; 4096]);
    }
}

#[test]
fn who_has_said_nothing_for_longest_makes_room() {
    let limits = Limits::new().unfinished_handshakes_max(2);
    let (_broker, address) = listening(limits);
    let mut speaking = Client::new(address);
    speaking.send(frames::HEADER);
    assert!(is_connection(&speaking.method().1, 10));
    // Strangers who connect again and again keep nobody out.
    let mut stranger = Client::new(address);
    for _ in 0..5 {
        let next = Client::new(address);
        stranger.ended();
        stranger = next;
    }
    let login = frames::start_ok("PLAIN", b"\0guest\0guest", frames::CAPABILITIES);
    assert!(is_connection(&speaking.ask(&login), 30), "it is still there");
}

#[test]
fn who_says_nothing_has_to_go_soon() {
    let limits = Limits::new().first_octets_timeout_ms(1);
    let (_broker, address) = listening(limits);
    Client::new(address).ended();
}

#[test]
fn a_refused_client_does_not_hold_its_place_for_long() {
    let limits = hasty().unfinished_handshakes_max(1);
    let (_broker, address) = listening(limits);
    let mut stubborn = Client::new(address);
    stubborn.logged_in(frames::CAPABILITIES, 0);
    stubborn.send(&frames::open("nowhere"));
    assert_eq!(stubborn.connection_closed(), "530 NOT_ALLOWED - vhost nowhere not found");
    // close-ok never comes; the next client is served all the same.
    Client::new(address).opened(frames::CAPABILITIES, 0);
}

#[test]
fn connections_beyond_the_limit_are_refused() {
    let (broker, address) = listening(Limits::new().connections_max(2));
    let refused = || {
        let mut client = Client::new(address);
        client.logged_in(frames::CAPABILITIES, 0);
        client.send(&frames::open("/"));
        let text = client.connection_closed();
        client.send(&frames::connection_close_ok());
        client.ended();
        text
    };
    let first = Client::open(address);
    let _second = Client::open(address);
    let text = "530 NOT_ALLOWED - connection refused: node connection limit (2) is reached";
    assert_eq!(refused(), text);
    assert_eq!(refused(), text);
    drop(first);
    wait_until("there is room again", || broker.connection_count() == 1);
    let _third = Client::open(address);
    assert_eq!(refused(), text);
}

#[test]
fn the_connection_limit_holds_when_many_come_at_once() {
    const LIMIT: usize = 5;
    let (broker, address) = listening(Limits::new().connections_max(LIMIT));
    let mut clients: Vec<Client> = (0..40).map(|_| Client::new(address)).collect();
    for client in &mut clients {
        client.logged_in(frames::CAPABILITIES, 0);
    }
    for client in &mut clients {
        client.send(&frames::open("/"));
    }
    let opened = clients.iter_mut().filter_map(|client| match client.method().1 {
        method if is_connection(&method, 41) => Some(()),
        method if is_connection(&method, 50) => None,
        other => panic!("{other:?}"),
    });
    assert_eq!(opened.count(), LIMIT);
    assert_eq!(broker.connection_count(), LIMIT);
}

#[test]
fn wrong_passwords_are_told_to_those_who_want_to_know() {
    let (_broker, address) = listening(Limits::default());
    let mut told = mistaken(address, &["authentication_failure_close"]);
    assert_eq!(
        told.connection_closed(),
        "403 ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For \
         details see the broker logfile."
    );
    told.send(&frames::connection_close_ok());
    told.ended();
}

#[test]
fn anonymous_does_without_the_password_of_nobody_but_guest() {
    let builders = [
        Broker::builder().default_user("app", "secret"),
        Broker::builder().default_user("guest", "secret"),
        Broker::builder().no_default_user(),
    ];
    for builder in builders {
        let broker = builder.build();
        let address = broker.listen("127.0.0.1:0").unwrap();
        let mut client = Client::new(address);
        client.send(frames::HEADER);
        client.method();
        let capabilities = ["authentication_failure_close"];
        client.send(&frames::start_ok("ANONYMOUS", b"", &capabilities));
        let text = client.connection_closed();
        assert!(text.starts_with("403 ACCESS_REFUSED - Login was refused"), "{text}");
    }
}

#[test]
fn anonymous_from_this_machine_is_guest() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::new(address);
    client.send(frames::HEADER);
    assert!(is_connection(&client.method().1, 10));
    let login = frames::start_ok("ANONYMOUS", b"", frames::CAPABILITIES);
    assert!(is_connection(&client.ask(&login), 30));
    client.send(&frames::tune_ok(10, 131_072, 0));
    assert!(is_connection(&client.ask(&frames::open("/")), 41));
    client.open_channel(1);
    assert_eq!(client.declare("of-anonymous"), 0);
    assert_eq!(broker.connection_count(), 1);
}

#[test]
fn any_new_secret_is_taken() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    for secret in ["guest", "guess", ""] {
        assert!(is_connection(&client.ask(&frames::update_secret(secret)), 71));
    }
    broker.access().remove_user("guest");
    assert!(is_connection(&client.ask(&frames::update_secret("token")), 71));
    // The password is what it was.
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0").unwrap();
    let mut client = Client::with_channel(address);
    assert!(is_connection(&client.ask(&frames::update_secret("other")), 71));
    Client::open(address);
}

#[test]
fn names_and_passwords_may_be_any_octets() {
    let (broker, address) = listening(Limits::default());
    let hash = PasswordHash::new(b"\xff\x80", [1; 4]);
    broker.access().add_administrator("ada".into(), hash, "/".into());
    let mut client = logging_in(address, "PLAIN", b"\0ada\0\xff\x80");
    assert!(is_connection(&client.method().1, 30));
    let response = b"\x05LOGINS\0\0\0\x03ada\x08PASSWORDx\0\0\0\x02\xff\x80";
    let mut client = logging_in(address, "AMQPLAIN", response);
    assert!(is_connection(&client.method().1, 30));
    let mut client = logging_in(address, "PLAIN", b"\0\xff\0secret");
    assert!(client.connection_closed().starts_with("403 ACCESS_REFUSED - Login was refused"));
}
