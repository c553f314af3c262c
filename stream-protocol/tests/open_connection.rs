//! An open connection: what it reports, how it ends, what its timers do.

mod support;

use leveret_stream_protocol::{
    ClientFrame, ConnectionConfig, Entry, Finish, OffsetSpec, Publish, Published, Request,
    ResponseCode,
};
use support::*;

/// What Close says after `input`; afterwards everything but its answer is ignored.
fn close_after(peer: &mut Peer, input: &[u8]) -> String {
    peer.feed(input);
    let sent = peer.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(peer.events.len(), 1, "{:?}", peer.events);
    peer.feed(&request(6, Request::Delete { stream: "s" }));
    peer.feed(&raw(0x55, 1, b"?"));
    peer.feed(&client(&ClientFrame::Heartbeat));
    assert!(peer.sent().is_empty() && !peer.conn.is_finished());
    peer.feed(&close_answer());
    assert_eq!((peer.events.len(), peer.conn.finish()), (1, Some(Finish::Closed)));
    sent[0].clone()
}

#[test]
fn requests_are_passed_on() {
    let mut peer = Peer::open();
    let subscribe = Request::Subscribe {
        subscription: 3,
        stream: "s",
        offset: OffsetSpec::Timestamp(-5),
        credit: 10,
        properties: None,
    };
    peer.feed(&request(8, subscribe));
    peer.feed(&client(&ClientFrame::Credit { subscription: 3, credit: -1 }));
    let store = ClientFrame::StoreOffset { reference: "me", stream: "s", offset: 7 };
    peer.feed(&client(&store));
    assert_eq!(
        peer.events,
        [
            "Request { correlation: 8, request: Subscribe { subscription: 3, stream: \"s\", \
             offset: Timestamp(-5), credit: 10, properties: None } }",
            "Credit { subscription: 3, credit: -1 }",
            "StoreOffset { reference: \"me\", stream: \"s\", offset: 7 }",
        ]
    );
    assert!(peer.sent().is_empty());
}

#[test]
fn a_publish_in_pieces_is_one_event() {
    let messages = [1, 2].map(|publishing_id| Published {
        publishing_id,
        filter_value: Some(b"eu"),
        entry: Entry::Message(b"hello"),
    });
    let mut input = Vec::new();
    Publish::write(9, &messages, &mut input);
    let mut peer = Peer::open();
    input.chunks(3).for_each(|piece| peer.feed(piece));
    assert_eq!(peer.events.len(), 1);
    assert!(peer.events[0].starts_with("Publish(Publish { publisher: 9, version: 2, count: 2"));
}

#[test]
fn what_cannot_be_read_or_is_not_expected_is_an_unknown_frame() {
    let close = "Close { correlation: 1, code: 13, reason: \"unknown frame\" }";
    for input in [
        raw(0x55, 1, b""),
        raw(0x03, 1, b"\0\0\0\0\0"),
        raw(0x02, 3, b"\0\0\0\0\0"),
        raw(0x02, 1, b"\0\0\0\0\x01"),
        raw(0x0e, 1, b"\0\0\0\x01\0\x01s "),
        raw(0x8003, 1, b""),
        request(1, Request::Open { virtual_host: "/" }),
        request(1, Request::SaslHandshake {}),
        greeting(),
        tune(0, 0),
        close_answer(),
        b"\0\0\0\x02\0\x01".to_vec(),
    ] {
        assert_eq!(close_after(&mut Peer::open(), &input), close, "{input:?}");
    }
}

#[test]
fn unknown_offset_types_and_batches_with_filters_are_unknown_frames() {
    let offset_9 = b"\0\0\0\x01\x07\0\x01s\0\x09\0\x0a";
    let offset_0 = b"\0\0\0\x01\x07\0\x01s\0\0\0\x0a";
    let batch =
        [&[0, 0, 0, 0, 1][..], &[0; 8], b"\xff\xff\x80\0\x01\0\0\0\x01\0\0\0\x01a"].concat();
    let empty_batch = [&[0, 0, 0, 0, 1][..], &[0; 8], b"\x80\0\0\0\0\0\x01\0\0\0\x01a"].concat();
    for input in [
        raw(0x07, 1, offset_9),
        raw(0x07, 1, offset_0),
        raw(0x02, 2, &batch),
        raw(0x02, 1, &empty_batch),
    ] {
        assert!(close_after(&mut Peer::open(), &input).contains("code: 13"));
    }
}

#[test]
fn a_frame_beyond_the_limit_is_too_large_and_passed_over() {
    let mut peer = Peer::open();
    let frame = raw(0x02, 1, &vec![0; 20 * 1024 * 1024]);
    assert_eq!(
        close_after(&mut peer, &frame),
        "Close { correlation: 1, code: 14, reason: \"frame too large\" }"
    );
    assert_eq!(peer.conn.unfinished_octets(), 0);
}

#[test]
fn a_frame_larger_than_agreed_on_is_taken() {
    let mut peer = Peer::greeted();
    peer.feed(&[login("PLAIN", b"x"), tune(4096, 0), open("/")].concat());
    peer.forget();
    let message = vec![7; 3 * 1024 * 1024];
    let messages =
        [Published { publishing_id: 1, filter_value: None, entry: Entry::Message(&message) }];
    let mut input = Vec::new();
    Publish::write(1, &messages, &mut input);
    peer.feed(&input);
    assert!(peer.events[0].starts_with("Publish("));
}

#[test]
fn close_by_the_client_is_answered_and_ends_it() {
    let mut peer = Peer::open();
    peer.feed(&request(77, Request::Close { code: 1, reason: "bye" }));
    assert_eq!(peer.events, ["Closed(ByClient { code: 1, reason: \"bye\" })"]);
    let answer = "Response { correlation: 77, response: Code { command: Close, code: Ok } }";
    assert_eq!(peer.sent(), [answer]);
    assert_eq!((peer.conn.finish(), peer.conn.poll_timeout()), (Some(Finish::Closed), None));
    peer.feed(&request(78, Request::Delete { stream: "s" }));
    assert_eq!(peer.events.len(), 1);
}

#[test]
fn close_by_the_server_waits_for_the_answer_and_no_longer() {
    let mut peer = Peer::open();
    peer.conn.handle_timeout(500);
    peer.conn.close(ResponseCode::InternalError, "shutting down");
    assert_eq!(peer.sent(), ["Close { correlation: 1, code: 15, reason: \"shutting down\" }"]);
    peer.conn.close(ResponseCode::InternalError, "again");
    assert!(peer.sent().is_empty());
    assert_eq!(peer.conn.poll_timeout(), Some(10_500));
    peer.conn.handle_timeout(10_500);
    assert_eq!(peer.conn.finish(), Some(Finish::CloseTimeout));
}

#[test]
fn both_sides_may_close_at_the_same_time() {
    let mut peer = Peer::open();
    peer.conn.close(ResponseCode::Ok, "");
    peer.forget();
    peer.feed(&request(5, Request::Close { code: 1, reason: "" }));
    assert!(peer.sent()[0].contains("correlation: 5"));
    assert_eq!(peer.conn.finish(), Some(Finish::Closed));
}

#[test]
fn consumer_updates_are_counted_from_0_and_matched_with_their_answers() {
    let mut peer = Peer::open();
    peer.conn.consumer_update(4, false);
    peer.conn.consumer_update(5, true);
    assert_eq!(
        peer.sent(),
        [
            "ConsumerUpdate { correlation: 0, subscription: 4, active: false }",
            "ConsumerUpdate { correlation: 1, subscription: 5, active: true }",
        ]
    );
    let answer = |correlation, offset| {
        client(&ClientFrame::ConsumerUpdateAnswer { correlation, code: 1, offset })
    };
    peer.feed(&answer(1, OffsetSpec::Offset(12)));
    peer.feed(&answer(9, OffsetSpec::First));
    peer.feed(&answer(1, OffsetSpec::First));
    peer.feed(&answer(0, OffsetSpec::None));
    assert_eq!(
        peer.events,
        [
            "ConsumerUpdated { subscription: 5, active: true, offset: Offset(12) }",
            "ConsumerUpdated { subscription: 4, active: false, offset: None }",
        ]
    );
    assert_eq!(peer.conn.poll_timeout(), None);
}

#[test]
fn a_consumer_update_without_answer_ends_the_connection() {
    let mut peer = Peer::open();
    peer.conn.handle_timeout(1_000);
    peer.conn.consumer_update(4, true);
    assert_eq!(peer.conn.poll_timeout(), Some(61_000));
    peer.conn.handle_timeout(61_000);
    assert_eq!(peer.conn.finish(), Some(Finish::RequestTimeout));
}

#[test]
fn heartbeats_begin_after_half_an_interval() {
    let mut peer = Peer::open_with(10);
    assert_eq!(peer.conn.poll_timeout(), Some(5_000));
    peer.conn.handle_timeout(4_999);
    assert!(peer.sent().is_empty());
    peer.conn.handle_timeout(5_000);
    assert_eq!(peer.sent(), ["Heartbeat"]);
    peer.conn.input_arrived(6_000);
    peer.conn.output_sent(7_000);
    assert_eq!(peer.conn.poll_timeout(), Some(17_000));
    peer.conn.handle_timeout(17_000);
    assert_eq!(peer.sent(), ["Heartbeat"]);
    peer.conn.handle_timeout(25_999);
    assert!(!peer.conn.is_finished());
    peer.conn.handle_timeout(26_000);
    assert_eq!(peer.conn.finish(), Some(Finish::PeerSilent));
}

#[test]
fn credentials_are_renewed_with_the_same_mechanism() {
    let mut peer = Peer::open();
    peer.feed(&login("PLAIN", b"new"));
    assert!(peer.events[0].ends_with("renewal: true }"));
    assert!(peer.sent()[0].contains("code: Ok"));
    assert!(peer.conn.is_running());
    peer.feed(&login("AMQPLAIN", b"new"));
    assert!(peer.sent()[0].contains("code: SaslCannotChangeMechanism"));
    assert_eq!(peer.conn.finish(), Some(Finish::RenewalFailed));
}

#[test]
fn a_refused_renewal_ends_the_connection() {
    let mut peer = Peer::open();
    peer.owner = Owner::Waits;
    peer.feed(&login("PLAIN", b"new"));
    assert!(peer.conn.is_waiting() && peer.conn.is_running());
    peer.conn.refuse_login(ResponseCode::SaslCannotChangeUserName);
    assert!(peer.sent()[0].contains("code: SaslCannotChangeUserName"));
    assert_eq!(peer.conn.finish(), Some(Finish::RenewalFailed));
}

#[test]
fn limits_are_what_the_owner_says() {
    let config = ConnectionConfig { frame_max: 5_000, heartbeat_s: 3, ..Default::default() };
    let mut peer = Peer::with(config);
    peer.feed(&[greeting(), request(2, Request::SaslHandshake {}), login("PLAIN", b"")].concat());
    assert_eq!(peer.sent()[3], "Tune { frame_max: 5000, heartbeat_s: 3 }");
}
