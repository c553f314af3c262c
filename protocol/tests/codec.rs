//! Reading and writing agrees with `amq-protocol`, and input may be cut anywhere.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::io::IoSlice;

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, basic, parse_class};
use bytes::Bytes;
use leveret_protocol::decoder::{Decoder, Piece, read_publish};
use leveret_protocol::method::{MethodId, read_method};
use leveret_protocol::{BodyRef, Message, Output};
use proptest::collection::vec;
use proptest::prelude::*;
use support::*;

/// Ids of all methods of the protocol.
const METHODS: &[(u16, &[u16])] = &[
    (10, &[10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71]),
    (20, &[10, 11, 20, 21, 40, 41]),
    (30, &[10, 11]),
    (40, &[10, 11, 20, 21, 30, 31, 40, 51]),
    (50, &[10, 11, 20, 21, 30, 31, 40, 41, 50, 51]),
    (60, &[10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 71, 72, 80, 90, 100, 110, 111, 120]),
    (85, &[10, 11]),
    (90, &[10, 11, 20, 21, 30, 31]),
];

fn name() -> impl Strategy<Value = String> {
    "[a-z.é]{0,40}"
}

#[test]
fn every_method_is_written_and_read_alike() {
    for (class_id, method_ids) in METHODS {
        for method_id in *method_ids {
            // Zeros are sound arguments of every method, given enough and not too many.
            let mut payload = [class_id.to_be_bytes(), method_id.to_be_bytes()].concat();
            let method = loop {
                match parse_class(payload.as_slice()) {
                    Ok((&[], method)) => break method,
                    _ => payload.push(0),
                }
                assert!(payload.len() < 64, "{class_id}.{method_id}");
            };
            assert_eq!(MethodId::of(&method), MethodId::new(*class_id, *method_id));
            assert_eq!(read_method(&payload).as_ref(), Ok(&method));
            let mut output = Output::new();
            output.method(7, &method);
            assert_eq!(output.to_vec(), encode(&AMQPFrame::Method(7, method)));
            payload.push(0);
            assert!(read_method(&payload).is_err());
        }
    }
}

/// The frames of a message, as `amq-protocol` writes them.
fn message_frames(
    method: basic::AMQPMethod,
    properties: &basic::AMQPProperties,
    body: &[u8],
    frame_max: usize,
) -> Vec<u8> {
    let header = amq_protocol::frame::AMQPContentHeader {
        class_id: 60,
        body_size: body.len() as u64,
        properties: properties.clone(),
    };
    let mut octets = encode(&AMQPFrame::Method(3, AMQPClass::Basic(method)));
    octets.extend(encode(&AMQPFrame::Header(3, header)));
    for piece in body.chunks(frame_max - 8) {
        octets.extend(encode(&AMQPFrame::Body(3, piece.to_vec())));
    }
    octets
}

/// Takes everything out of an output by small writes.
fn drain(output: &mut Output, step: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let length = output.len();
    while !output.is_empty() {
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = output.io_slices(&mut slices);
        let joined: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        let part = joined.len().min(step);
        all.extend_from_slice(&joined[..part]);
        output.advance(part);
        assert_eq!(output.len(), length - all.len());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn messages_are_written_alike(
        (exchange, key, tag) in (name(), name(), name()),
        delivery_tag: u64,
        redelivered: bool,
        count: u32,
        body_size in prop_oneof![0..50usize, 4000..5000usize, 15_000..60_000usize],
        frame_max in prop_oneof![Just(4096u32), Just(32_768), Just(131_072)],
        has_properties: bool,
        step in 1..50_000usize,
    ) {
        let properties = if has_properties { all_properties() } else { Default::default() };
        let raw = leveret_protocol::properties::encode_properties(&properties);
        let body = Bytes::from(vec![b'b'; body_size]);
        let mut output = Output::new();
        let mut expected = Vec::new();
        for body_ref in [BodyRef::from(&body), BodyRef::from(&body[..])] {
            let message = Message {
                exchange: exchange.as_bytes(),
                routing_key: key.as_bytes(),
                properties: if has_properties { &raw } else { &[] },
                body: body_ref,
            };
            output.deliver(3, tag.as_bytes(), delivery_tag, redelivered, &message, frame_max);
            let mut other = Output::new();
            other.get_ok(3, delivery_tag, redelivered, count, &message, frame_max);
            other.basic_return(3, 312, "NO_ROUTE", &message, frame_max);
            output.append(&mut other);
            prop_assert!(other.is_empty());
            let (exchange, routing_key) = (exchange.as_str(), key.as_str());
            for method in [
                basic::AMQPMethod::Deliver(basic::Deliver {
                    consumer_tag: tag.as_str().into(),
                    delivery_tag,
                    redelivered,
                    exchange: exchange.into(),
                    routing_key: routing_key.into(),
                }),
                basic::AMQPMethod::GetOk(basic::GetOk {
                    delivery_tag,
                    redelivered,
                    exchange: exchange.into(),
                    routing_key: routing_key.into(),
                    message_count: count,
                }),
                basic::AMQPMethod::Return(basic::Return {
                    reply_code: 312,
                    reply_text: "NO_ROUTE".into(),
                    exchange: exchange.into(),
                    routing_key: routing_key.into(),
                }),
            ] {
                expected.extend(message_frames(method, &properties, &body, frame_max as usize));
            }
        }
        prop_assert_eq!(output.len(), expected.len());
        prop_assert!(output.to_vec() == expected);
        prop_assert!(drain(&mut output, step) == expected);
    }

    #[test]
    fn outcomes_are_written_alike(channel: u16, delivery_tag: u64, multiple: bool) {
        let mut output = Output::new();
        output.ack(channel, delivery_tag, multiple);
        output.nack(channel, delivery_tag, multiple);
        output.heartbeat();
        let ack = basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple });
        let nack = basic::Nack { delivery_tag, multiple, requeue: true };
        let nack = basic::AMQPMethod::Nack(nack);
        prop_assert_eq!(parse(&output.to_vec()), [
            AMQPFrame::Method(channel, AMQPClass::Basic(ack)),
            AMQPFrame::Method(channel, AMQPClass::Basic(nack)),
            AMQPFrame::Heartbeat,
        ]);
    }

    #[test]
    fn settlements_are_read_alike(delivery_tag: u64, bits: u8, method_id in 80..130u8) {
        let payload = [&[0, 60, 0, method_id], &delivery_tag.to_be_bytes()[..], &[bits]].concat();
        match parse_class(payload.as_slice()) {
            Ok((&[], method)) => prop_assert_eq!(read_method(&payload), Ok(method)),
            _ => prop_assert!(read_method(&payload).is_err()),
        }
    }

    #[test]
    fn whole_publish_is_read_alike(
        (exchange, routing_key) in (name(), name()),
        mandatory: bool,
        immediate: bool,
        body in vec(any::<u8>(), 0..4000),
        has_properties: bool,
    ) {
        let properties = if has_properties { all_properties() } else { Default::default() };
        let method = basic::AMQPMethod::Publish(basic::Publish {
            exchange: exchange.as_str().into(),
            routing_key: routing_key.as_str().into(),
            mandatory,
            immediate,
        });
        let mut input = message_frames(method, &properties, &body, 4096);
        let octets = input.len();
        input.extend(b"more");
        let read = read_publish(&input, 4096, 4000).unwrap();
        prop_assert_eq!((read.octets, read.channel), (octets, 3));
        prop_assert_eq!(read.method.exchange, exchange.as_bytes());
        prop_assert_eq!(read.method.routing_key, routing_key.as_bytes());
        prop_assert_eq!((read.method.mandatory, read.method.immediate), (mandatory, immediate));
        prop_assert_eq!(leveret_protocol::RawProperties(read.properties).parse(), Ok(properties));
        prop_assert_eq!(read.body, &body[..]);
        for end in 0..octets {
            prop_assert!(read_publish(&input[..end], 4096, 4000).is_none());
        }
        let less = (body.len() as u64).checked_sub(1);
        prop_assert!(less.is_none_or(|less| read_publish(&input, 4096, less).is_none()));
    }

    #[test]
    fn frames_are_read_however_cut(
        frames in vec((1..9u8, 0..3u16, vec(any::<u8>(), 0..300), any::<bool>()), 1..8),
        cuts in vec(1..200usize, 1..40),
        streams: bool,
    ) {
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for (kind, channel, payload, sound) in frames {
            input.extend(raw_frame(kind, channel, &payload, if sound { 0xCE } else { 7 }));
            // Of a bad body frame that comes in parts, only the front is shown.
            let shown = payload[..payload.len().min(if sound { 300 } else { 17 })].to_vec();
            expected.push((kind, channel, shown, sound));
        }
        let mut decoder = Decoder::new();
        let mut found = Vec::new();
        let mut parts = Vec::new();
        let mut rest = input.as_slice();
        for cut in cuts.iter().cycle() {
            let (mut part, later) = rest.split_at((*cut).min(rest.len()));
            rest = later;
            loop {
                let (used, piece) = decoder.next(part, |_| streams);
                part = &part[used..];
                match piece {
                    None => break,
                    Some(Piece::Frame(frame)) => {
                        found.push((frame.kind, frame.channel, frame.payload.to_vec(), true));
                    }
                    Some(Piece::BodyPart { octets, .. }) => parts.extend_from_slice(octets),
                    Some(Piece::BodyEnd { channel }) => {
                        found.push((3, channel, std::mem::take(&mut parts), true));
                    }
                    Some(Piece::BadEnd { frame, .. }) => {
                        let shown = frame.payload[..frame.payload.len().min(17)].to_vec();
                        found.push((frame.kind, frame.channel, shown, false));
                        parts.clear();
                    }
                    Some(Piece::TooLarge(header)) => prop_assert!(false, "{header:?}"),
                }
            }
            prop_assert!(part.is_empty());
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, expected);
        prop_assert!(decoder.is_at_frame());
    }

    #[test]
    fn events_are_the_same_however_cut(
        steps in vec((0..9u8, 1..4u16, 0..6000usize, 1..5000usize), 1..30),
        cuts in vec(1..3000usize, 1..60),
    ) {
        let mut input = Vec::new();
        for (step, channel, size, piece) in steps {
            input.extend(match step {
                0 => open_channel(channel),
                1 => qos(channel),
                2 => frame(8, 0, b""),
                3 => {
                    let ack = basic::Ack { delivery_tag: size as u64, multiple: false };
                    method(channel, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)))
                }
                _ => publish(channel, "x", "key", &vec![step; size], piece),
            });
        }
        let start = || {
            let mut peer = Peer::open(2047, 4096);
            peer.feed(&[open_channel(1), open_channel(2)].concat());
            peer.forget();
            peer
        };
        let mut whole = start();
        whole.feed(&input);
        let mut cut = start();
        let mut rest = input.as_slice();
        for size in cuts.iter().cycle() {
            let (part, later) = rest.split_at((*size).min(rest.len()));
            cut.feed(part);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&whole.events, &cut.events);
        prop_assert!(whole.conn.transmit().to_vec() == cut.conn.transmit().to_vec());
    }
}

#[test]
fn interleaved_contents() {
    let mut peer = Peer::with_channel();
    peer.feed(&open_channel(2));
    peer.forget();
    for channel in [1, 2] {
        peer.feed(&basic_publish(channel, "", "q"));
    }
    for channel in [1, 2] {
        peer.feed(&header(channel, 2, &[0, 0]));
    }
    peer.feed(
        &[frame(3, 1, b"a"), frame(3, 2, b"bb"), frame(3, 1, b""), frame(3, 1, b"a")].concat(),
    );
    assert_eq!(
        peer.events,
        [
            "publish 2 \"\" \"q\" false false [0, 0] \"bb\"",
            "publish 1 \"\" \"q\" false false [0, 0] \"aa\"",
        ]
    );
}

#[test]
fn large_bodies_are_shared() {
    let body = Bytes::from(vec![1; 300_000]);
    let message =
        Message { exchange: b"", routing_key: b"q", properties: &[], body: BodyRef::from(&body) };
    let mut output = Output::new();
    output.deliver(1, b"tag", 1, false, &message, 131_072);
    assert_eq!(output.len(), output.to_vec().len());
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = output.io_slices(&mut slices);
    let shared = slices[..filled].iter().filter(|slice| slice.len() > 1000);
    assert!(shared.clone().count() == 3);
    assert!(shared.clone().all(|slice| body.as_ptr_range().contains(&slice.as_ptr())));
}
