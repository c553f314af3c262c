//! Protocol errors and how RabbitMQ 4.0 answers them.

mod support;

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, basic, channel, connection, queue};
use leveret_protocol::Finish;
use support::*;

/// What connection.close says after `input` on an open connection with channel 1; afterwards
/// everything but close-ok is ignored.
fn close_after(input: &[u8]) -> String {
    let mut peer = Peer::with_channel();
    peer.feed(input);
    let text = peer.close_sent();
    assert_eq!(peer.events.len(), 1, "{:?}", peer.events);
    assert!(peer.events[0].starts_with("Closed(ByError"), "{:?}", peer.events);
    peer.feed(&qos(1));
    peer.feed(&open_channel(2));
    assert!(peer.sent().is_empty() && !peer.conn.is_finished());
    peer.feed(&close_ok());
    assert_eq!((peer.events.len(), peer.conn.finish()), (1, Some(Finish::Closed)));
    text
}

fn declare(number: u16) -> Vec<u8> {
    let declare = queue::Declare { queue: "q".into(), ..queue::Declare::default() };
    method(number, AMQPClass::Queue(queue::AMQPMethod::Declare(declare)))
}

fn close(number: u16) -> Vec<u8> {
    let close = channel::Close::default();
    method(number, AMQPClass::Channel(channel::AMQPMethod::Close(close)))
}

fn connection_close(number: u16) -> Vec<u8> {
    let close =
        connection::Close { reply_code: 200, reply_text: "bye".into(), ..Default::default() };
    method(number, AMQPClass::Connection(connection::AMQPMethod::Close(close)))
}

#[test]
fn broken_frames() {
    let payload = [0, 60, 0, 10, 0, 0, 0, 0, 0, 1, 0];
    for (input, expected) in [
        (
            raw_frame(1, 1, &payload, 0),
            "501 FRAME_ERROR - type 1, all octets = <<0,60,0,10,0,0,0,0,0,1,0>>: \
             {invalid_frame_end_marker,0} 0.0",
        ),
        (
            raw_frame(8, 0, b"", 1),
            "501 FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,1} 0.0",
        ),
        (frame(5, 1, b""), "501 FRAME_ERROR - type 5, all octets = <<>>: unknown_frame 0.0"),
        (frame(1, 1, b""), "501 FRAME_ERROR - type 1, all octets = <<>>: unknown_frame 0.0"),
        (frame(2, 1, b"x"), "501 FRAME_ERROR - type 2, all octets = <<\"x\">>: unknown_frame 0.0"),
        (frame(8, 0, b"x"), "501 FRAME_ERROR - type 8, all octets = <<\"x\">>: unknown_frame 0.0"),
        (frame(8, 1, b""), "505 UNEXPECTED_FRAME - type 8, all octets = <<>> 0.0"),
        (frame(3, 0, b"ab"), "505 UNEXPECTED_FRAME - type 3, all octets = <<\"ab\">> 0.0"),
        (
            frame(3, 0, b"0123456789abcdefgh"),
            "505 UNEXPECTED_FRAME - type 3, first 16 octets = <<\"0123456789abcdef\">> 0.0",
        ),
    ] {
        assert_eq!(close_after(&input), expected);
    }
}

#[test]
fn after_a_broken_frame_close_ok_counts_wherever_it_is() {
    // The frame that is too large has not come, nor will it.
    let header = [&[3, 0, 1][..], &1_000_000_u32.to_be_bytes()].concat();
    let broken = [header, raw_frame(1, 1, &[0, 60, 0, 10, 0, 0], 7)];
    for input in broken {
        let mut peer = Peer::with_channel();
        peer.feed(&input);
        assert!(peer.close_sent().starts_with("501 FRAME_ERROR"));
        // Others are not understood any more.
        peer.feed(&connection_close(0));
        peer.feed(&[1, 0, 0, 0, 1, 0]);
        assert!(peer.sent().is_empty() && !peer.conn.is_finished());
        let (front, back) = (&close_ok()[..5], &close_ok()[5..]);
        peer.feed(front);
        assert!(!peer.conn.is_finished());
        peer.feed(back);
        assert_eq!(peer.conn.finish(), Some(Finish::Closed));
    }
}

#[test]
fn after_a_broken_frame_nobody_waits_long_for_close_ok() {
    let mut peer = Peer::with_channel();
    peer.feed(&connection_close(1));
    assert!(peer.close_sent().starts_with("503"));
    let patient = peer.conn.poll_timeout().unwrap();
    peer.feed(&raw_frame(3, 1, b"x", 0));
    assert!(peer.conn.poll_timeout().unwrap() < patient);
}

#[test]
fn frames_larger_than_agreed() {
    let mut peer = Peer::open(2047, 4096);
    peer.feed(&open_channel(1));
    peer.forget();
    peer.feed(&publish(1, "", "q", &[b'x'; 5000], 5000));
    let expected = "501 FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,5000,4088} 0.0";
    assert_eq!(peer.close_sent(), expected);
    peer.feed(&close_ok());
    assert!(peer.conn.is_finished());
}

#[test]
fn methods_that_cannot_be_read() {
    for (input, expected) in [
        (frame(1, 1, &[0, 60, 0, 200]), "501 FRAME_ERROR - cannot decode <<>> 60.200"),
        (frame(1, 1, &[0, 99, 0, 1, 65]), "501 FRAME_ERROR - cannot decode <<65>> 99.1"),
        (
            frame(1, 1, &[0, 60, 0, 10, 0, 0, 0, 0, 0]),
            "501 FRAME_ERROR - cannot decode <<0,0,0,0,0>> 60.10",
        ),
        (
            frame(1, 1, &[0, 60, 0, 10, 0, 0, 0, 0, 0, 1, 0, 7]),
            "501 FRAME_ERROR - cannot decode <<0,0,0,0,0,1,0,7>> 60.10",
        ),
        (
            frame(1, 1, &[0, 60, 0, 40, 0, 0, 5, 65]),
            "501 FRAME_ERROR - cannot decode <<0,0,5,65>> 60.40",
        ),
        (frame(1, 1, &[0, 60, 0, 80, 1]), "501 FRAME_ERROR - cannot decode <<1>> 60.80"),
        (
            frame(1, 1, &[0, 50, 0, 30, 0, 0, 1, 255, 0]),
            "501 FRAME_ERROR - Malformed UTF-8 in shortstr 0.0",
        ),
    ] {
        assert_eq!(close_after(&input), expected);
    }
}

#[test]
fn frames_out_of_order() {
    let join = |parts: &[Vec<u8>]| parts.concat();
    let method_due =
        "505 UNEXPECTED_FRAME - expected method frame, got non method frame instead 0.0";
    let header_due = "505 UNEXPECTED_FRAME - expected content header for class 60, got non \
                      content header frame instead 60.40";
    let body_due = "505 UNEXPECTED_FRAME - expected content body, got non content body frame \
                    instead 60.40";
    let published = basic_publish(1, "", "q");
    let announced = join(&[published.clone(), header(1, 3, &[0, 0])]);
    for (input, expected) in [
        (header(1, 3, &[0, 0]), method_due),
        (frame(3, 1, b"abc"), method_due),
        (frame(3, 7, b"abc"), method_due),
        (join(&[published.clone(), qos(1)]), header_due),
        (join(&[published.clone(), frame(3, 1, b"abc")]), header_due),
        (join(&[published.clone(), header_of(1, 60, 1, 0, &[0, 0])]), header_due),
        (join(&[announced.clone(), qos(1)]), body_due),
        (join(&[announced, frame(3, 1, b"abcd")]), body_due),
        (
            join(&[published, header_of(1, 50, 0, 0, &[0, 0])]),
            "505 UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 \
             instead 60.40",
        ),
    ] {
        assert_eq!(close_after(&input), expected);
    }
}

#[test]
fn methods_where_they_do_not_belong() {
    let not_open = "504 CHANNEL_ERROR - expected 'channel.open'";
    let not_here = "504 CHANNEL_ERROR - unexpected method in connection state running";
    let declare_ok = queue::DeclareOk { queue: "q".into(), ..Default::default() };
    let channel_close_ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
    for (input, expected) in [
        (declare(7), format!("{not_open} 50.10")),
        (close(3), format!("{not_open} 20.40")),
        (open_channel(1), "504 CHANNEL_ERROR - second 'channel.open' seen 20.10".to_owned()),
        (declare(0), format!("{not_here} 50.10")),
        (open_channel(0), format!("{not_here} 20.10")),
        (basic_publish(0, "", "q"), format!("{not_here} 60.40")),
        (open("/"), format!("{not_here} 10.40")),
        (
            method(1, AMQPClass::Queue(queue::AMQPMethod::DeclareOk(declare_ok))),
            "503 COMMAND_INVALID - unimplemented method 50.11".to_owned(),
        ),
        (connection_close(1), "503 COMMAND_INVALID - unimplemented method 10.50".to_owned()),
        (
            method(1, AMQPClass::Channel(channel_close_ok)),
            "503 COMMAND_INVALID - unimplemented method 20.41".to_owned(),
        ),
    ] {
        assert_eq!(close_after(&input), expected);
    }
}

#[test]
fn open_channels_are_counted() {
    let mut peer = Peer::open(2, 131_072);
    peer.feed(&open_channel(1000));
    peer.feed(&open_channel(2));
    peer.feed(&close(2));
    peer.feed(&open_channel(3));
    assert_eq!(peer.sent().len(), 4);
    peer.feed(&open_channel(4));
    let expected = "530 NOT_ALLOWED - number of channels opened (2) has reached the negotiated \
                    channel_max (2) 0.0";
    assert_eq!(peer.close_sent(), expected);
}

#[test]
fn closing_channel_drops_what_comes() {
    let mut peer = Peer::with_channel();
    peer.feed(&basic_publish(1, "", "q"));
    peer.feed(&header(1, 10, &[0, 0]));
    let body = frame(3, 1, b"0123456789");
    let (front, back) = body.split_at(9);
    peer.feed(front);
    peer.conn.close_channel(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", 50, 10);
    peer.conn.close_channel(1, 406, "twice", 0, 0);
    assert!(!peer.conn.is_channel_open(1));
    assert_eq!(peer.sent().len(), 1);
    peer.feed(back);
    peer.feed(&publish(1, "", "q", b"ignored", 100));
    peer.feed(&declare(1));
    peer.feed(&method(1, AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {}))));
    assert!(peer.events.is_empty() && peer.sent().is_empty());
    peer.feed(&open_channel(1));
    peer.feed(&publish(1, "", "q", b"taken", 100));
    assert_eq!(peer.events.len(), 2);
    assert!(peer.conn.is_channel_open(1));
}

#[test]
fn crossing_closes() {
    let mut peer = Peer::with_channel();
    peer.conn.close_channel(1, 404, "NOT_FOUND - no queue", 50, 10);
    peer.forget();
    peer.feed(&close(1));
    let close_ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
    assert_eq!(peer.sent(), [AMQPFrame::Method(1, AMQPClass::Channel(close_ok.clone()))]);
    peer.feed(&method(1, AMQPClass::Channel(close_ok)));
    peer.feed(&open_channel(1));
    assert_eq!(peer.events, ["ChannelOpened { channel: 1 }"]);
}

#[test]
fn close_by_client() {
    let mut peer = Peer::with_channel();
    peer.feed(&connection_close(0));
    let close_ok = connection::AMQPMethod::CloseOk(connection::CloseOk {});
    assert_eq!(peer.sent(), [AMQPFrame::Method(0, AMQPClass::Connection(close_ok))]);
    assert_eq!(peer.events, ["Closed(ByClient { reply_code: 200, reply_text: \"bye\" })"]);
    peer.feed(&declare(1));
    assert!(peer.events.len() == 1 && peer.sent().is_empty() && !peer.conn.is_finished());
    assert_eq!(peer.conn.poll_timeout(), Some(30_000));
    peer.conn.handle_timeout(30_000);
    assert_eq!(peer.conn.finish(), Some(Finish::CloseTimeout));
}

#[test]
fn close_by_server() {
    let mut peer = Peer::with_channel();
    peer.conn.input_arrived(500);
    peer.conn.close_connection(320, "CONNECTION_FORCED - bye", 0, 0);
    assert_eq!(peer.close_sent(), "320 CONNECTION_FORCED - bye 0.0");
    peer.conn.close_connection(320, "again", 0, 0);
    peer.feed(&publish(1, "", "q", b"ignored", 100));
    assert!(peer.events.is_empty() && peer.sent().is_empty());
    assert_eq!(peer.conn.poll_timeout(), Some(30_500));
    peer.feed(&close_ok());
    assert!(peer.conn.is_finished() && peer.conn.poll_timeout().is_none());
}

#[test]
fn message_too_large() {
    let mut peer = Peer::with_channel();
    let body = vec![0; 16 * 1024 * 1024 + 1];
    let input = publish(1, "", "q", &body, 100_000);
    peer.feed(&input[..100]);
    let expected =
        "MessageTooLarge { channel: 1, body_size: 16777217, message_size_max: 16777216 }";
    assert_eq!(peer.events, [expected]);
    peer.feed(&input[100..]);
    peer.feed(&publish(1, "", "q", b"next", 100));
    assert_eq!(peer.events.len(), 2);
    peer.conn.close_channel(1, 406, "PRECONDITION_FAILED - too large", 60, 40);
    peer.feed(&input);
    assert_eq!(peer.events.len(), 2);
}

#[test]
fn broken_properties() {
    for properties in
        [&[][..], &[0], &[0x80, 0, 5, 65], &[0, 0, 1], &[0x20, 0, 0, 0, 0, 3, 1, 107, 90]]
    {
        let input = [basic_publish(1, "", "q"), header(1, 0, properties)].concat();
        let text = close_after(&input);
        assert_eq!(text, "541 INTERNAL_ERROR 0.0");
    }
}

#[test]
fn acknowledgements_on_closed_channels_are_errors() {
    let ack = basic::AMQPMethod::Ack(basic::Ack { delivery_tag: 1, multiple: true });
    let text = close_after(&method(5, AMQPClass::Basic(ack.clone())));
    assert_eq!(text, "504 CHANNEL_ERROR - expected 'channel.open' 60.80");
    let mut peer = Peer::with_channel();
    peer.feed(&method(1, AMQPClass::Basic(ack)));
    assert_eq!(peer.events, ["Ack { channel: 1, delivery_tags: 1..=1, multiple: true }"]);
}
