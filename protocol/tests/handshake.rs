//! From the protocol header to an open connection, and what can go wrong on the way.

#![allow(clippy::panic, reason = "tests fail by panicking")]

mod support;

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, connection};
use leveret_protocol::{Connection, ConnectionConfig, Event, Finish};
use std::sync::Arc;
use support::*;

use connection::AMQPMethod as Method;

fn methods(frames: Vec<AMQPFrame>) -> Vec<Method> {
    let connection = |frame| match frame {
        AMQPFrame::Method(0, AMQPClass::Connection(method)) => method,
        other => panic!("not on channel 0: {other:?}"),
    };
    frames.into_iter().map(connection).collect()
}

/// Ends without a word, after a delay.
fn assert_silent(peer: &mut Peer) {
    assert!(peer.conn.transmit().is_empty());
    assert!(!peer.conn.is_finished());
    assert_eq!(peer.conn.poll_timeout(), Some(3_000));
    peer.feed(&close_ok());
    peer.conn.handle_timeout(3_000);
    assert_eq!(peer.conn.finish(), Some(Finish::HandshakeFailed));
    assert!(peer.conn.transmit().is_empty());
}

fn up_to_tune() -> Peer {
    let mut peer = Peer::new();
    peer.feed(HEADER);
    peer.feed(&start_ok("PLAIN", b"\0guest\0guest", &[]));
    peer.forget();
    peer
}

#[test]
fn start_says_what_the_server_can_do() {
    for header in [HEADER, b"AMQP\x01\x01\x00\x09"] {
        let mut peer = Peer::new();
        peer.feed(&header[..3]);
        assert!(peer.conn.transmit().is_empty());
        peer.feed(&header[3..]);
        let sent = methods(peer.sent());
        let [Method::Start(start)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!((start.version_major, start.version_minor), (0, 9));
        assert_eq!(start.mechanisms.as_bytes(), b"PLAIN AMQPLAIN");
        assert_eq!(start.locales.as_bytes(), b"en_US");
        assert!(start.server_properties.contains_key("capabilities"));
    }
}

#[test]
fn other_protocols_are_told_which_one_is_spoken() {
    for (input, answer) in [
        (&b"AMQP\x00\x00\x09\x00"[..], HEADER),
        (b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x03\x01\x00\x00"),
    ] {
        let mut peer = Peer::new();
        peer.feed(input);
        assert_eq!(peer.conn.transmit().to_vec(), answer);
        assert_eq!(peer.conn.finish(), Some(Finish::WrongProtocol));
        assert_eq!(peer.events.len(), 1);
        assert!(peer.events[0].starts_with("Closed(Handshake"));
    }
}

#[test]
fn pipelined_handshake() {
    let mut peer = Peer::new();
    let parts = [
        HEADER.to_vec(),
        start_ok("PLAIN", b"\0guest\0guest", &["basic.nack", "connection.blocked"]),
        tune_ok(100, 8192, 30),
        open("/"),
        open_channel(1),
    ];
    peer.feed(&parts.concat());
    assert_eq!(peer.events.len(), 3);
    assert!(peer.events[0].contains("mechanism: \"PLAIN\", response: [0, 103, 117"));
    let tuning = "Tuning { channel_max: 100, frame_max: 8192, heartbeat_s: 30 }";
    let open = format!("Open {{ virtual_host: \"/\", tuning: {tuning} }}");
    assert_eq!(peer.events[1..], [open.as_str(), "ChannelOpened { channel: 1 }"]);
    let sent = peer.sent();
    let zero = methods(sent[..3].to_vec());
    let tune = connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 };
    assert_eq!(zero[1..], [Method::Tune(tune), Method::OpenOk(connection::OpenOk {})]);
    assert_eq!(sent[3].channel_id(), 1);
    let conn = &peer.conn;
    assert_eq!((conn.channel_max(), conn.frame_max(), conn.heartbeat_s()), (100, 8192, 30));
    let can = conn.client_capabilities();
    assert!(can.basic_nack && can.connection_blocked);
    assert!(!can.consumer_cancel_notify && !can.authentication_failure_close);
}

#[test]
fn input_waits_for_the_answer() {
    let mut conn = Connection::new(Arc::new(ConnectionConfig::default()), 0);
    let login = [HEADER.to_vec(), start_ok("PLAIN", b"x", &[])].concat();
    let input = [login.clone(), tune_ok(1, 4096, 0)].concat();
    let (used, event) = conn.poll_event(&input);
    assert!(matches!(event, Some(Event::Login { mechanism: "PLAIN", response: b"x", .. })));
    assert_eq!(used, login.len());
    assert!(conn.is_waiting());
    assert!(matches!(conn.poll_event(&input[used..]), (0, None)));
    conn.accept_login();
    assert!(!conn.is_waiting());
    assert!(matches!(conn.poll_event(&input[used..]), (n, None) if n == input.len() - used));
}

#[test]
fn challenge_and_response() {
    let mut conn = Connection::new(Arc::new(ConnectionConfig::default()), 0);
    let input = [HEADER.to_vec(), start_ok("AMQPLAIN", b"", &[])].concat();
    assert!(conn.poll_event(&input).1.is_some());
    conn.transmit().clear();
    conn.challenge(b"who?");
    let secure = connection::Secure { challenge: "who?".into() };
    assert_eq!(methods(parse(&conn.transmit().to_vec())), [Method::Secure(secure)]);
    let answer = connection::SecureOk { response: "me".into() };
    let answer = on_zero(Method::SecureOk(answer));
    let (_, event) = conn.poll_event(&answer);
    let is_answer =
        |event| matches!(event, Event::LoginResponse { mechanism: "AMQPLAIN", response: b"me" });
    assert!(event.is_some_and(is_answer));
}

#[test]
fn refused_login() {
    let text = "Login was refused using authentication mechanism PLAIN. For details see the broker \
                logfile.";
    for told in [true, false] {
        let capabilities = if told { &["authentication_failure_close"][..] } else { &[] };
        let mut conn = Connection::new(Arc::new(ConnectionConfig::default()), 0);
        let input = [HEADER.to_vec(), start_ok("PLAIN", b"", capabilities)].concat();
        assert!(conn.poll_event(&input).1.is_some());
        conn.transmit().clear();
        conn.refuse_login(text);
        let mut peer = Peer { conn, events: Vec::new() };
        if told {
            assert_eq!(peer.close_sent(), format!("403 ACCESS_REFUSED - {text} 0.0"));
            peer.feed(&close_ok());
            assert_eq!(peer.conn.finish(), Some(Finish::Closed));
        } else {
            assert_silent(&mut peer);
        }
    }
}

#[test]
fn unknown_mechanism() {
    let mut peer = Peer::new();
    peer.feed(HEADER);
    peer.forget();
    peer.feed(&start_ok("GSSAPI", b"x", &["authentication_failure_close"]));
    assert_eq!(
        peer.events,
        ["Closed(Handshake { reason: \"COMMAND_INVALID - unknown authentication mechanism \
          'GSSAPI'\" })"]
    );
    assert_silent(&mut peer);
}

#[test]
fn bad_answers_to_tune() {
    for answer in [
        tune_ok(2047, 4095, 0),
        tune_ok(2047, 131_073, 0),
        tune_ok(2048, 131_072, 0),
        tune_ok(100, 0, 0),
        open("/"),
        frame(1, 0, &[0, 10, 0, 31, 1]),
        frame(9, 0, b""),
    ] {
        let mut peer = up_to_tune();
        peer.feed(&answer);
        assert!(peer.events[0].starts_with("Closed(Handshake"), "{:?}", peer.events);
        assert_silent(&mut peer);
    }
}

#[test]
fn errors_where_open_is_due() {
    let close = connection::Close { reply_code: 200, ..Default::default() };
    for (input, expected) in [
        (open_channel(1), "505 UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>> 0.0"),
        (
            on_zero(Method::Close(close)),
            "504 CHANNEL_ERROR - unexpected method in connection state opening 10.50",
        ),
    ] {
        let mut peer = up_to_tune();
        peer.feed(&tune_ok(2047, 131_072, 0));
        peer.feed(&input);
        assert_eq!(peer.close_sent(), expected);
        peer.feed(&close_ok());
        assert!(peer.conn.is_finished());
    }
}

#[test]
fn refused_virtual_host() {
    let mut conn = up_to_tune().conn;
    let input = [tune_ok(2047, 131_072, 0), open("no-such-vhost")].concat();
    let (_, event) = conn.poll_event(&input);
    assert!(matches!(event, Some(Event::Open { virtual_host: "no-such-vhost", .. })));
    conn.close_connection(530, "NOT_ALLOWED - vhost no-such-vhost not found", 10, 40);
    conn.accept_open();
    let mut peer = Peer { conn, events: Vec::new() };
    let expected = "530 NOT_ALLOWED - vhost no-such-vhost not found 10.40";
    assert_eq!(peer.close_sent(), expected);
    assert!(!peer.conn.is_running());
}

#[test]
fn handshake_takes_too_long() {
    let mut peer = Peer::new();
    peer.feed(HEADER);
    assert_eq!(peer.conn.poll_timeout(), Some(10_000));
    peer.conn.handle_timeout(9_999);
    assert!(!peer.conn.is_finished());
    peer.conn.handle_timeout(10_000);
    assert_eq!(peer.conn.finish(), Some(Finish::HandshakeTimeout));
}

#[test]
fn heartbeats() {
    let mut peer = up_to_tune();
    peer.conn.input_arrived(100);
    peer.feed(&[tune_ok(10, 4096, 1), open("/")].concat());
    peer.forget();
    assert_eq!(peer.conn.poll_timeout(), Some(600));
    peer.conn.handle_timeout(600);
    assert_eq!(peer.sent(), [AMQPFrame::Heartbeat]);
    assert_eq!(peer.conn.poll_timeout(), Some(1100));
    peer.conn.output_sent(1000);
    assert_eq!(peer.conn.poll_timeout(), Some(1500));
    peer.feed(&frame(8, 0, b""));
    peer.conn.input_arrived(1200);
    peer.conn.output_sent(3000);
    peer.conn.handle_timeout(3199);
    assert!(peer.sent().is_empty() && !peer.conn.is_finished());
    peer.conn.handle_timeout(3200);
    assert_eq!(peer.conn.finish(), Some(Finish::PeerSilent));
    assert!(peer.sent().is_empty());
}

#[test]
fn secrets_and_blocking() {
    let mut peer = Peer::open(2047, 131_072);
    let update = connection::UpdateSecret { new_secret: "s".into(), reason: "refresh".into() };
    peer.feed(&on_zero(Method::UpdateSecret(update)));
    assert_eq!(peer.events, ["UpdateSecret { new_secret: [115], reason: \"refresh\" }"]);
    peer.conn.accept_secret();
    peer.conn.blocked("low on memory");
    peer.conn.unblocked();
    assert_eq!(methods(peer.sent()), [Method::UpdateSecretOk(connection::UpdateSecretOk {})]);

    let mut peer = Peer::new();
    let parts = [
        HEADER.to_vec(),
        start_ok("PLAIN", b"", &["connection.blocked"]),
        tune_ok(10, 4096, 0),
        open("/"),
    ];
    peer.feed(&parts.concat());
    peer.forget();
    peer.conn.blocked("low on memory");
    peer.conn.unblocked();
    let blocked = connection::Blocked { reason: "low on memory".into() };
    let unblocked = Method::Unblocked(connection::Unblocked {});
    assert_eq!(methods(peer.sent()), [Method::Blocked(blocked), unblocked]);
}
