//! From PeerProperties to an open connection, and what can go wrong on the way.

mod support;

use leveret_stream_protocol::{
    ClientFrame, Command, CommandVersions, ConnectionConfig, Finish, Request, ResponseCode,
};
use support::*;

#[test]
fn each_step_is_answered() {
    let config = ConnectionConfig {
        server_properties: vec![("product".to_owned(), "leveret".to_owned())],
        ..ConnectionConfig::default()
    };
    let mut peer = Peer::with(config);
    peer.feed(&greeting());
    peer.feed(&request(2, Request::SaslHandshake {}));
    peer.feed(&login("PLAIN", b"\0guest\0guest"));
    peer.feed(&tune(4096, 7));
    peer.feed(&open("/"));
    assert_eq!(
        peer.sent(),
        [
            "Response { correlation: 1, response: PeerProperties { code: Ok, \
             properties: [(\"product\", \"leveret\")] } }",
            "Response { correlation: 2, response: SaslHandshake { code: Ok, \
             mechanisms: [\"PLAIN\", \"AMQPLAIN\"] } }",
            "Response { correlation: 3, response: SaslAuthenticate { code: Ok, challenge: None } }",
            "Tune { frame_max: 1048576, heartbeat_s: 60 }",
            "Response { correlation: 4, response: Open { code: Ok, properties: \
             Some([(\"advertised_host\", \"here\"), (\"advertised_port\", \"5552\")]) } }",
        ]
    );
    assert_eq!(peer.events[0], "PeerProperties { properties: [(\"product\", \"test\")] }");
    assert!(peer.events[1].starts_with("Login { mechanism: \"PLAIN\", response: [0, 103"));
    assert_eq!(peer.events[2..], ["Open { virtual_host: \"/\", frame_max: 4096, heartbeat_s: 7 }"]);
    assert_eq!((peer.conn.frame_max(), peer.conn.heartbeat_s()), (4096, 7));
    assert!(peer.conn.is_running() && !peer.conn.is_finished());
}

#[test]
fn the_whole_handshake_may_come_at_once_or_octet_by_octet() {
    let input = [
        greeting(),
        request(2, Request::SaslHandshake {}),
        login("AMQPLAIN", b"x"),
        raw(0x14, 1, &[0; 8]),
        client(&ClientFrame::Heartbeat),
        open("/"),
    ]
    .concat();
    let mut at_once = Peer::new();
    at_once.feed(&input);
    let mut slowly = Peer::new();
    input.iter().for_each(|octet| slowly.feed(&[*octet]));
    assert!(at_once.conn.is_running() && slowly.conn.is_running());
    assert_eq!((at_once.sent(), &at_once.events), (slowly.sent(), &slowly.events));
}

#[test]
fn input_waits_for_the_answer() {
    let mut peer = Peer::greeted();
    peer.owner = Owner::Waits;
    let input = [login("PLAIN", b"x"), tune(0, 0)].concat();
    let (used, event) = peer.conn.poll_event(&input);
    assert!(event.is_some());
    assert!(peer.conn.is_waiting());
    assert_eq!(peer.conn.poll_event(&input[used..]), (0, None));
    assert_eq!(peer.conn.poll_timeout(), None);
    peer.conn.accept_login();
    assert_eq!(peer.conn.poll_event(&input[used..]), (input.len() - used, None));
}

#[test]
fn challenge_and_response() {
    let mut peer = Peer::greeted();
    peer.owner = Owner::Waits;
    peer.feed(&login("PLAIN", b""));
    peer.conn.challenge("who?");
    assert_eq!(
        peer.sent(),
        ["Response { correlation: 3, response: SaslAuthenticate { code: SaslChallenge, \
          challenge: Some(\"who?\") } }"]
    );
    peer.owner = Owner::Agrees;
    peer.feed(&login("PLAIN", b"me"));
    assert_eq!(peer.sent().len(), 2);
    peer.feed(&tune(0, 0));
}

/// The answer comes after three seconds, and nothing else is done in between.
fn assert_refused_late(mut peer: Peer, answer: &str) {
    peer.feed(&open("/"));
    assert!(peer.sent().is_empty());
    assert_eq!(peer.conn.poll_timeout(), Some(3_000));
    peer.conn.handle_timeout(2_999);
    assert!(!peer.conn.is_finished());
    peer.conn.handle_timeout(3_000);
    assert_eq!(peer.sent(), [answer]);
    assert_eq!(peer.conn.finish(), Some(Finish::HandshakeFailed));
}

#[test]
fn wrong_credentials_are_answered_after_a_delay() {
    let mut peer = Peer::greeted();
    peer.owner = Owner::Waits;
    peer.feed(&login("PLAIN", b"x"));
    peer.conn.refuse_login(ResponseCode::AuthenticationFailure);
    let answer = "Response { correlation: 3, response: SaslAuthenticate { \
                  code: AuthenticationFailure, challenge: None } }";
    assert_refused_late(peer, answer);
}

#[test]
fn other_refusals_of_a_login_come_at_once() {
    for code in [ResponseCode::AuthenticationFailureLoopback, ResponseCode::SaslError] {
        let mut peer = Peer::greeted();
        peer.owner = Owner::Waits;
        peer.feed(&login("PLAIN", b"x"));
        peer.conn.refuse_login(code);
        assert!(peer.sent()[0].contains(&format!("code: {code:?}, challenge: None")));
        assert_eq!(peer.conn.finish(), Some(Finish::HandshakeFailed));
    }
}

#[test]
fn a_mechanism_that_is_not_offered_is_refused_at_once() {
    let mut peer = Peer::greeted();
    peer.feed(&login("EXTERNAL", b""));
    assert!(peer.sent()[0].contains("code: SaslMechanismNotSupported"));
    assert_eq!(peer.events, ["Closed(Mechanism)"]);
    assert_eq!(peer.conn.finish(), Some(Finish::HandshakeFailed));
}

#[test]
fn a_virtual_host_is_refused_after_a_delay() {
    let mut peer = Peer::greeted();
    peer.feed(&[login("PLAIN", b"x"), tune(0, 1)].concat());
    peer.owner = Owner::Waits;
    peer.feed(&open("secret"));
    peer.forget();
    peer.conn.refuse_open();
    let answer = "Response { correlation: 4, response: Open { code: VirtualHostAccessFailure, \
                  properties: None } }";
    assert_refused_late(peer, answer);
}

#[test]
fn what_is_out_of_turn_ends_the_handshake_without_a_word() {
    let create = request(9, Request::Create { stream: "s", arguments: Vec::new() });
    let out_of_turn = [
        create,
        open("/"),
        tune(0, 0),
        login("PLAIN", b""),
        raw(0x7fff, 1, b""),
        raw(0x12, 2, b"\0\0\0\x01"),
        b"\0\0\0\x01x".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for input in out_of_turn {
        let mut peer = Peer::new();
        peer.feed(&input);
        assert!(peer.sent().is_empty());
        assert_eq!(peer.events.len(), 1, "{:?}", peer.events);
        assert!(peer.events[0].starts_with("Closed(ByError("), "{:?}", peer.events);
        assert_eq!(peer.conn.finish(), Some(Finish::HandshakeFailed));
    }
}

#[test]
fn frames_are_small_until_the_connection_is_open() {
    let mut peer = Peer::new();
    peer.feed(&16_385_u32.to_be_bytes());
    assert_eq!(peer.events, ["Closed(ByError(TooLarge { octets: 16385, octets_max: 16384 }))"]);
    assert!(peer.conn.is_finished());
}

#[test]
fn each_step_has_its_time() {
    let mut peer = Peer::new();
    assert_eq!(peer.conn.poll_timeout(), Some(10_000));
    peer.conn.input_arrived(9_000);
    peer.feed(&greeting());
    assert_eq!(peer.conn.poll_timeout(), Some(19_000));
    peer.forget();
    peer.conn.handle_timeout(19_000);
    assert_eq!(peer.conn.finish(), Some(Finish::HandshakeTimeout));
    assert!(peer.sent().is_empty());
}

#[test]
fn versions_are_exchanged_and_deliver_2_is_noted() {
    for (max, version) in [(1, 1), (2, 2), (3, 2)] {
        let mut peer = Peer::open();
        let deliver = CommandVersions { key: Command::Deliver.key(), min: 1, max };
        let versions = vec![CommandVersions { key: 99, min: 1, max: 2 }, deliver];
        peer.feed(&request(5, Request::ExchangeCommandVersions { versions }));
        assert!(peer.sent()[0].starts_with(
            "Response { correlation: 5, response: ExchangeCommandVersions { code: Ok, versions: \
             [CommandVersions { key: 1, min: 1, max: 1 }, \
             CommandVersions { key: 2, min: 1, max: 2 }"
        ));
        assert_eq!(peer.conn.deliver_version(), version);
        assert!(peer.events.is_empty());
    }
}
