//! What is read or written like the one before is as if it stood alone.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use leveret_protocol::{BodyRef, Deliveries, Message, Output};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::*;

/// Of each a few, so that many are alike.
const KEYS: &[&str] = &["", "orders", "orderz", "a longer key than the others"];
const PROPERTIES: &[&[u8]] = &[b"\0\0", b"\x10\0\x01", b"\x10\0\x02", b"\x18\0\x02\x07"];

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..4), vec(any::<u8>(), 0..600)]
}

fn one_publish(channel: u16, key: &str, properties: &[u8], body: &[u8]) -> Vec<u8> {
    let mut octets = basic_publish(channel, "", key);
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
    fn publishes_with_one_number_are_the_same_but_for_their_channels_and_bodies(
        publishes in vec((1..3u16, select(KEYS), select(PROPERTIES), body()), 1..30),
    ) {
        use leveret_protocol::Event;
        let mut peer = peer();
        let mut known = std::collections::HashMap::new();
        let mut last = None;
        for (channel, key, properties, body) in &publishes {
            let octets = one_publish(*channel, key, properties, body);
            let Some(Event::Publish(publish)) = peer.conn.poll_event(&octets).1 else { panic!() };
            prop_assert!(publish.number != 0);
            let front = known.entry(publish.number).or_insert((key, properties));
            prop_assert_eq!(front, &mut (key, properties));
            prop_assert_eq!(publish.channel, *channel);
            prop_assert_eq!(publish.routing_key, key.as_bytes());
            prop_assert_eq!(publish.properties, *properties);
            prop_assert_eq!(publish.body.as_slice(), &body[..]);
            if let Some((number, front)) = last.replace((publish.number, (key, properties))) {
                prop_assert_eq!(number == publish.number, front == (key, properties));
            }
        }
    }

    #[test]
    fn deliveries_that_are_copied_from_the_last_are_written_alike(
        deliveries in vec((any::<u64>(), any::<bool>(), any::<bool>(), body()), 1..20),
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
}
