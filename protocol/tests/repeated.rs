//! What is read or written like the one before is as if it stood alone.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use leveret_protocol::{BodyRef, Deliveries, Event, Message, Output};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::*;

/// Of each a few, so that many are alike.
const KEYS: &[&str] = &[
    "",
    "orders",
    "orderz",
    "a longer key than the others",
    "a longer one than the others",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
];
const PROPERTIES: &[&[u8]] = &[b"\0\0", b"\x10\0\x01", b"\x10\0\x02", b"\x18\0\x02\x07"];

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..4), vec(any::<u8>(), 0..600)]
}

/// Many are as long as the one before, also where they take several frames.
fn body_like_others() -> impl Strategy<Value = Vec<u8>> {
    let lengths = select(vec![0, 1, 1, 192, 192, 193, 400, 16_383, 16_384]);
    let of_few_lengths = (lengths, any::<u8>()).prop_map(|(length, octet)| vec![octet; length]);
    prop_oneof![body(), of_few_lengths]
}

fn one_publish(channel: u16, key: &str, properties: &[u8], body: &[u8]) -> Vec<u8> {
    publish_with(channel, key, properties, body, 0)
}

/// The same with these bits for mandatory and immediate.
fn publish_with(channel: u16, key: &str, properties: &[u8], body: &[u8], bits: u8) -> Vec<u8> {
    let mut octets = basic_publish(channel, "", key);
    let at = octets.len() - 2; // before the end of the frame
    octets[at] = bits;
    octets.extend(header(channel, body.len() as u64, properties));
    if !body.is_empty() {
        octets.extend(frame(3, channel, body));
    }
    octets
}

/// An open connection with two channels.
fn peer() -> Peer {
    let mut peer = Peer::with_channel();
    peer.feed(&open_channel(2));
    peer.forget();
    peer
}

proptest! {
    #[test]
    fn publishes_are_read_alike_whole_and_in_pieces(
        publishes in vec((1..3u16, select(KEYS), select(PROPERTIES), body()), 1..30),
        cuts in vec(1..300usize, 1..10),
    ) {
        let octets = publishes.iter().map(|(channel, key, properties, body)| {
            one_publish(*channel, key, properties, body)
        });
        let octets = octets.collect::<Vec<_>>().concat();
        let (mut whole, mut pieces) = (peer(), peer());
        whole.feed(&octets);
        let mut rest = octets.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            pieces.feed(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(whole.events.len(), publishes.len());
        prop_assert_eq!(whole.events, pieces.events);
    }

    #[test]
    fn publishes_are_read_alike_by_themselves_and_behind_one_like_them(
        publishes in vec((1..3u16, select(KEYS), select(PROPERTIES), body(), 1..4usize), 1..20),
        most in 1..5usize,
        cut in any::<prop::sample::Index>(),
    ) {
        let publishes = publishes.into_iter().flat_map(|one| vec![one.clone(); one.4]);
        let publishes: Vec<_> = publishes.collect();
        let octets = publishes.iter().map(|(channel, key, properties, body, _)| {
            one_publish(*channel, key, properties, body)
        });
        let octets = octets.collect::<Vec<_>>().concat();
        let (mut peer, mut read) = (peer(), Vec::new());
        let (front, back) = octets.split_at(cut.index(octets.len()));
        for mut rest in [front, back] {
            while let (used, Some(event)) = peer.conn.poll_event(rest) {
                let Event::Publish(publish) = event else { panic!() };
                let (channel, number) = (publish.channel, publish.number);
                let front = (channel, publish.routing_key.to_vec(), publish.properties.to_vec());
                read.push((front.clone(), publish.body.as_slice().to_vec()));
                rest = &rest[used..];
                if number != 0 {
                    let mut alike = peer.conn.publishes_alike(number, rest);
                    let begins = alike.begins();
                    let bodies = alike.by_ref().take(most);
                    read.extend(bodies.map(|body| (front.clone(), body.to_vec())));
                    prop_assert!(begins || alike.used() == 0);
                    rest = &rest[alike.used()..];
                    prop_assert_eq!(peer.conn.publishes_alike(number + 1, rest).count(), 0);
                }
            }
        }
        let expected = publishes.into_iter().map(|(channel, key, properties, body, _)| {
            ((channel, key.as_bytes().to_vec(), properties.to_vec()), body)
        });
        prop_assert_eq!(read, expected.collect::<Vec<_>>());
    }

    #[test]
    fn publishes_with_one_number_are_the_same_but_for_their_channels_and_bodies(
        publishes in vec((1..3u16, select(KEYS), select(PROPERTIES), body(), 0..4u8), 1..30),
    ) {
        let mut peer = peer();
        let mut known = std::collections::HashMap::new();
        let mut last = None;
        for (channel, key, properties, body, bits) in &publishes {
            let octets = publish_with(*channel, key, properties, body, *bits);
            let Some(Event::Publish(publish)) = peer.conn.poll_event(&octets).1 else { panic!() };
            prop_assert!(publish.number != 0);
            let front = known.entry(publish.number).or_insert((key, properties, bits));
            prop_assert_eq!(front, &mut (key, properties, bits));
            prop_assert_eq!((publish.mandatory, publish.immediate), (bits & 1 > 0, bits & 2 > 0));
            prop_assert_eq!(publish.channel, *channel);
            prop_assert_eq!(publish.routing_key, key.as_bytes());
            prop_assert_eq!(publish.properties, *properties);
            prop_assert_eq!(publish.body.as_slice(), &body[..]);
            let front = (key, properties, bits);
            if let Some((number, before)) = last.replace((publish.number, front)) {
                prop_assert_eq!(number == publish.number, before == front);
            }
        }
    }

    #[test]
    fn deliveries_that_are_copied_from_the_last_are_written_alike(
        deliveries in vec(
            (any::<u64>(), any::<bool>(), any::<bool>(), body_like_others()),
            1..20,
        ),
        frame_max in select(vec![0u32, 200, 4096]),
        (key, properties) in (select(KEYS), select(PROPERTIES)),
    ) {
        let (mut one_by_one, mut run) = (Output::new(), Output::new());
        let mut writer = Deliveries::new(&mut run, 3, frame_max);
        for (number, redelivered, is_tried, body) in &deliveries {
            let (exchange, routing_key) = (b"".as_slice(), key.as_bytes());
            let body = BodyRef::from(&body[..]);
            let message = Message { exchange, routing_key, properties, body };
            one_by_one.deliver(3, b"tag", *number, *redelivered, &message, frame_max);
            let BodyRef::Slice(octets) = body else { unreachable!() };
            if !is_tried || !writer.add_like_last(*number, *redelivered, octets) {
                writer.add(b"tag", *number, *redelivered, &message);
            }
        }
        prop_assert_eq!(run.to_vec(), one_by_one.to_vec());
    }

    #[test]
    fn acks_are_read_alike_one_by_one_and_joined(
        acks in vec((1..3u16, select(vec![0, 1, 1, 1, 1, 2]), 0..8u8, 0..12u8), 1..600),
        first in select(vec![0, 7, u64::MAX - 20]),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut octets, mut tag, mut expected) = (Vec::new(), first, Vec::new());
        for (channel, step, bits, other) in acks {
            tag = tag.wrapping_add(step);
            let bits = if bits < 6 { 0 } else { bits };
            let arguments = [&[0, 60, 0, 80], &tag.to_be_bytes()[..], &[bits]].concat();
            octets.extend(frame(1, channel, &arguments));
            expected.push((channel, tag, bits & 1 != 0));
            if other == 0 {
                octets.extend(frame(8, 0, b"")); // a heartbeat
            }
        }
        let mut joining = peer();
        joining.conn.join_acks(true);
        for mut peer in [joining, peer()] {
            let (mut told, mut events) = (Vec::new(), 0);
            let (front, back) = octets.split_at(cut.index(octets.len()));
            for mut rest in [front, back] {
                while let (used, Some(event)) = peer.conn.poll_event(rest) {
                    let Event::Ack { channel, delivery_tags, multiple } = event else { panic!() };
                    prop_assert!(!multiple || delivery_tags.start() == delivery_tags.end());
                    told.extend(delivery_tags.map(|tag| (channel, tag, multiple)));
                    events += 1;
                    rest = &rest[used..];
                }
            }
            prop_assert_eq!(&told, &expected);
            prop_assert!(events <= told.len());
        }
    }
}

#[test]
fn nothing_is_like_a_publish_on_a_channel_that_is_closing() {
    let publish = one_publish(1, "orders", b"\0\0", b"body");
    let mut peer = peer();
    let (_, Some(Event::Publish(first))) = peer.conn.poll_event(&publish) else { panic!() };
    let number = first.number;
    assert_eq!(peer.conn.publishes_alike(number, &publish).collect::<Vec<_>>(), [b"body"]);
    peer.conn.announce_publishes(true);
    assert_eq!(peer.conn.publishes_alike(number, &publish).count(), 0);
    peer.conn.announce_publishes(false);
    peer.conn.close_channel(1, 404, "NOT_FOUND", 60, 40);
    assert_eq!(peer.conn.publishes_alike(number, &publish).count(), 0);
}

#[test]
fn acks_that_come_together_are_told_together() {
    let acks: Vec<u8> = (1..=1000u64)
        .flat_map(|tag| frame(1, 1, &[&[0, 60, 0, 80], &tag.to_be_bytes()[..], &[0]].concat()))
        .collect();
    let mut peer = peer();
    let mut ranges = |join| {
        peer.conn.join_acks(join);
        let (mut rest, mut ranges) = (acks.as_slice(), Vec::new());
        while let (used, Some(Event::Ack { delivery_tags, .. })) = peer.conn.poll_event(rest) {
            ranges.push(delivery_tags);
            rest = &rest[used..];
        }
        ranges
    };
    assert_eq!(ranges(true), [1..=256, 257..=512, 513..=768, 769..=1000]);
    assert_eq!(ranges(false).len(), 1000);
}
