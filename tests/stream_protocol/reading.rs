//! Subscriptions: where they begin, how many chunks they get, and which.

use std::time::Duration;

use leveret::{Broker, ManualClock, Timestamp};
use leveret_stream_protocol::{Entry, OffsetSpec, Published, Request};

use crate::client::{Client, Code, subscription_to};
use crate::{listening, listening_with};

/// A stream with one chunk for each of these.
fn with_chunks(texts: &[&str]) -> (Broker, Client) {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    client.declare(1, "", "s");
    client.publish_each(1, 0, texts);
    (broker, client)
}

#[test]
fn words_and_offsets_say_where_to_begin() {
    let (_broker, mut client) = with_chunks(&["a", "b", "c", "d"]);
    for (offset, expected) in [
        (OffsetSpec::First, "abcd"),
        (OffsetSpec::Last, "d"),
        (OffsetSpec::Next, ""),
        (OffsetSpec::Offset(0), "abcd"),
        (OffsetSpec::Offset(2), "cd"),
        (OffsetSpec::Offset(4), ""),
        (OffsetSpec::Timestamp(0), "abcd"),
        (OffsetSpec::Timestamp(i64::MAX), ""),
    ] {
        client.subscribe(7, "s", offset, 100);
        let texts = client.texts(expected.len()).concat();
        assert_eq!(texts, expected, "{offset:?}");
        client.assert_nothing_more();
        client.ok(Request::Unsubscribe { subscription: 7 });
    }
}

#[test]
fn times_say_where_to_begin() {
    let clock = ManualClock::new(Timestamp::from_millis(1_000_000));
    let (broker, address) = listening_with(Broker::builder().manual_clock(clock));
    let mut client = Client::open(address);
    client.create("s");
    client.declare(1, "", "s");
    client.publish_each(1, 0, &["early"]);
    broker.advance(Duration::from_secs(60));
    let then = i64::try_from(broker.now().as_millis()).unwrap();
    client.publish_each(1, 1, &["late"]);
    client.subscribe(1, "s", OffsetSpec::Timestamp(then - 1), 10);
    assert_eq!(client.texts(1), ["late"]);
}

#[test]
fn chunks_are_sent_whole() {
    let (_broker, mut client) = with_chunks(&[]);
    client.publish(1, 0, &["a", "b", "c"]);
    client.confirms(1, 3);
    client.subscribe(1, "s", OffsetSpec::Offset(1), 10);
    let delivered = client.delivered();
    assert_eq!((delivered.first_offset, delivered.texts().concat()), (0, "abc".to_owned()));
}

#[test]
fn what_is_published_at_once_is_more_than_one_credit_brings() {
    let (_broker, mut client) = with_chunks(&[]);
    let texts: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    client.publish(1, 0, &texts);
    client.confirms(1, 500);
    client.subscribe(1, "s", OffsetSpec::First, 1);
    assert_eq!(client.texts(1), texts[..32]);
    client.assert_nothing_more();
    client.credit(1, 20);
    assert_eq!(client.texts(4), texts[32..]);
    client.assert_nothing_more();
}

#[test]
fn beyond_the_end_is_the_end() {
    let (_broker, mut client) = with_chunks(&["a"]);
    client.subscribe(1, "s", OffsetSpec::Offset(100), 10);
    client.publish_each(1, 1, &["b"]);
    let delivered = client.delivered();
    assert_eq!((delivered.first_offset, delivered.texts()), (1, vec!["b".to_owned()]));
}

#[test]
fn credit_counts_chunks_and_is_used_in_bursts() {
    let texts: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (_broker, mut client) = with_chunks(&texts);
    client.subscribe(1, "s", OffsetSpec::First, 4);
    assert_eq!(client.texts(4), ["0", "1", "2", "3"]);
    for expected in [0, 0, 3] {
        client.assert_nothing_more();
        client.credit(1, 1);
        assert_eq!(client.texts(expected).len(), expected);
    }
    client.subscribe(2, "s", OffsetSpec::First, 0);
    client.assert_nothing_more();
    client.credit(2, 1);
    assert_eq!(client.texts(1), ["0"]);
    client.credit(3, 1);
    let error = "CreditError { code: SubscriptionIdDoesNotExist, subscription: 3 }";
    assert_eq!(client.shown(), error);
}

#[test]
fn deliver_2_tells_the_last_committed_chunk() {
    let (_broker, mut client) = with_chunks(&["a", "b", "c"]);
    client.subscribe(1, "s", OffsetSpec::First, 1);
    assert_eq!(client.delivered().committed, None);
    client.knows_deliver_2();
    client.credit(1, 1);
    assert_eq!(client.delivered().committed, Some(2));
}

#[test]
fn subscriptions_are_refused_for_a_reason() {
    let (_broker, mut client) = with_chunks(&[]);
    client.subscribe(1, "s", OffsetSpec::Next, 1);
    let mut code = |id, stream, properties: &[(&'static str, &'static str)]| {
        client.code(subscription_to(id, stream, OffsetSpec::Next, 1, properties))
    };
    assert_eq!(code(1, "s", &[]), Code::SubscriptionIdAlreadyExists);
    assert_eq!(code(2, "nowhere", &[]), Code::StreamDoesNotExist);
    let no_name = [("single-active-consumer", "true")];
    assert_eq!(code(2, "s", &no_name), Code::PreconditionFailed);
    assert_eq!(code(2, "s", &[("name", "me")]), Code::Ok);
    let long = "x".repeat(256);
    let long_name = subscription_to(3, "s", OffsetSpec::Next, 1, &[("name", long.as_str())]);
    assert_eq!(client.code(long_name), Code::PreconditionFailed);
    let gone = client.code(Request::Unsubscribe { subscription: 9 });
    assert_eq!(gone, Code::SubscriptionIdDoesNotExist);
}

#[test]
fn several_readers_of_a_stream_go_their_own_ways() {
    let (broker, mut client) = with_chunks(&["a", "b"]);
    let mut other = Client::open(crate::listen(&broker));
    client.subscribe(1, "s", OffsetSpec::First, 10);
    client.subscribe(2, "s", OffsetSpec::Last, 10);
    other.subscribe(1, "s", OffsetSpec::Next, 10);
    let mut got: Vec<_> = (0..3).map(|_| client.delivered()).collect();
    got.sort_by_key(|delivered| delivered.subscription);
    let texts: Vec<_> = got.iter().map(|it| (it.subscription, it.texts().concat())).collect();
    assert_eq!(texts, [(1, "a".into()), (1, "b".into()), (2, "b".to_owned())]);
    client.publish(1, 2, &["c"]);
    assert_eq!(other.texts(1), ["c"]);
}

fn filtered<'a>(publishing_id: u64, value: &'a str, text: &'a str) -> Published<'a> {
    let filter_value = (!value.is_empty()).then_some(value.as_bytes());
    Published { publishing_id, filter_value, entry: Entry::Message(text.as_bytes()) }
}

#[test]
fn filters_choose_chunks() {
    let (_broker, mut client) = with_chunks(&["none"]);
    for (id, value, text) in [(1, "eu", "e1"), (2, "us", "u1"), (3, "eu", "e2")] {
        client.publish_all(1, &[filtered(id, value, text)]);
        client.confirms(1, 1);
    }
    client.publish_all(1, &[filtered(4, "us", "u2"), filtered(5, "", "n2")]);
    client.confirms(1, 2);
    for (properties, expected) in [
        (&[("filter.0", "eu")][..], vec!["e1", "e2"]),
        (&[("filter.0", "eu"), ("filter.1", "us")], vec!["e1", "u1", "e2", "u2", "n2"]),
        (&[("filter.0", "eu"), ("match-unfiltered", "true")], vec!["none", "e1", "e2", "u2", "n2"]),
        (&[("match-unfiltered", "true")], vec!["none", "e1", "u1", "e2", "u2", "n2"]),
    ] {
        client.ok(subscription_to(1, "s", OffsetSpec::First, 100, properties));
        let mut texts = Vec::new();
        while texts.len() < expected.len() {
            texts.extend(client.delivered().texts());
        }
        assert_eq!(texts, expected, "{properties:?}");
        client.assert_nothing_more();
        client.ok(Request::Unsubscribe { subscription: 1 });
    }
}

#[test]
fn readers_wake_when_there_is_more() {
    let (broker, mut client) = with_chunks(&[]);
    let mut other = Client::open(crate::listen(&broker));
    other.subscribe(1, "s", OffsetSpec::Next, 1000);
    for n in 0..50 {
        client.publish_each(1, n, &[&n.to_string()]);
        assert_eq!(other.texts(1), [n.to_string()]);
        other.credit(1, 1);
    }
}

#[test]
fn large_chunks_and_slow_readers() {
    let (broker, mut client) = with_chunks(&[]);
    let large = "x".repeat(3 << 20);
    client.publish(1, 0, &[&large]);
    client.confirms(1, 1);
    let medium = "y".repeat(50_000);
    for n in 1..200 {
        client.publish(1, n, &[&medium]);
    }
    client.confirms(1, 199);
    let mut other = Client::open(crate::listen(&broker));
    other.subscribe(1, "s", OffsetSpec::First, 1000);
    let mut octets = 0;
    while octets < large.len() + 199 * medium.len() {
        octets += other.delivered().messages.iter().map(|(_, it)| it.len()).sum::<usize>();
    }
    other.assert_nothing_more();
}
