//! The order of answers and of what follows from a request: the answer comes first, as RabbitMQ
//! has it. Blocking clients call their users back for whatever comes while they wait for it.

use amq_protocol::protocol::{AMQPClass, basic, queue};
use leveret::Limits;

use crate::client::Client;
use crate::{frames, listening, wait_until};

fn qos(prefetch_count: u16) -> Vec<u8> {
    let qos = basic::Qos { prefetch_count, global: true };
    frames::method(1, AMQPClass::Basic(basic::AMQPMethod::Qos(qos)))
}

#[test]
fn what_a_higher_prefetch_lets_through_comes_after_qos_ok() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    for body in [b"0", b"1", b"2"] {
        client.send(&frames::publish(1, "q", body));
    }
    for prefetch in 1..=3 {
        let reply = client.ask(&qos(prefetch));
        let is_ok = matches!(reply, AMQPClass::Basic(basic::AMQPMethod::QosOk(_)));
        assert!(is_ok, "no qos-ok but {reply:?}");
        if prefetch == 1 {
            client.consume("q", "c", false);
        }
        assert_eq!(client.content().delivery().delivery_tag, u64::from(prefetch));
    }
}

/// Acknowledgements that come together are settled together.
#[test]
fn acknowledgements_count_up_to_one_that_is_wrong_and_nothing_after_it() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.declare("other");
    for body in [b"1", b"2", b"3"] {
        client.send(&frames::publish(1, "q", body));
    }
    client.consume("q", "c", false);
    (0..3).for_each(|_| drop(client.content()));
    let wrong = [1, 2, 9, 3].map(|tag| frames::ack(1, tag, false)).concat();
    client.send(&[wrong, frames::publish(1, "other", b"late")].concat());
    let reason = client.channel_closed();
    assert_eq!(reason, "406 PRECONDITION_FAILED - unknown delivery tag 9");
    let host = broker.virtual_host("/").unwrap();
    assert_eq!(host.queue("q").unwrap().counts().ready, 1);
    assert_eq!(host.queue("other").unwrap().counts().ready, 0);
}

/// Whoever asks next, on whatever channel, finds the next message handed out.
#[test]
fn what_follows_acknowledgements_finds_them_done() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.open_channel(2);
    client.declare("q");
    for body in [b"1", b"2", b"3"] {
        client.send(&frames::publish(1, "q", body));
    }
    client.ask(&frames::qos(1, 1));
    client.consume("q", "c", false);
    drop(client.content());
    for (channel, left) in [(1, 1), (2, 0)] {
        let ack = frames::ack(1, u64::from(channel), false);
        client.send(&[ack, frames::queue_declare(channel, "q", false)].concat());
        drop(client.content());
        match client.method() {
            (from, AMQPClass::Queue(queue::AMQPMethod::DeclareOk(declared))) => {
                assert_eq!((from, declared.message_count), (channel, left));
            }
            other => panic!("not declare-ok: {other:?}"),
        }
    }
}

/// Some as long as the one before, one that is empty, one that is not copied.
const BODIES: [&[u8]; 9] =
    [b"one", b"two", b"three", b"", b"four", &[7; 20_000], b"five", b"six", b"seven"];

/// Has these published at once; tells whose delivery each of them is.
fn deliveries(client: &mut Client) -> Vec<String> {
    client.send(&BODIES.map(|body| frames::publish(1, "q", body)).concat());
    let mut tags = Vec::new();
    for (number, body) in (1..).zip(BODIES) {
        let content = client.content();
        let delivery = content.delivery();
        assert_eq!((&content.body[..], delivery.redelivered), (body, false));
        assert_eq!(delivery.delivery_tag, number);
        tags.push(delivery.consumer_tag.to_string());
    }
    tags
}

#[test]
fn a_run_of_deliveries_is_what_was_published_and_comes_back() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.consume("q", "c", false);
    assert_eq!(deliveries(&mut client), ["c"; 9]);
    drop(client);
    let queue = broker.virtual_host("/").unwrap().queue("q").unwrap();
    wait_until("all are the queue's", || queue.counts().ready == 9);
    let mut client = Client::with_channel(address);
    client.consume("q", "c", true);
    for body in BODIES {
        let content = client.content();
        assert_eq!((&content.body[..], content.delivery().redelivered), (body, true));
    }
}

/// What has to be acknowledged is the queue's, what has not is its delivery's: both keep their
/// places.
#[test]
fn a_channel_gets_in_order_what_it_has_to_acknowledge_and_what_not() {
    for (prefetch, expected) in [(0, "afafafafa"), (3, "afafaffff")] {
        let (broker, address) = listening(Limits::default());
        let mut client = Client::with_channel(address);
        client.declare("q");
        let is_ok = |reply| matches!(reply, AMQPClass::Basic(basic::AMQPMethod::QosOk(_)));
        assert!(is_ok(client.ask(&frames::qos(1, prefetch))));
        client.consume("q", "a", false);
        client.consume("q", "f", true);
        assert_eq!(deliveries(&mut client).concat(), expected);
        drop(client);
        let queue = broker.virtual_host("/").unwrap().queue("q").unwrap();
        let acked = expected.matches('a').count();
        wait_until("what was not acknowledged is the queue's", || queue.counts().ready == acked);
    }
}

/// A client that waits for delete-ok is not told of its own consumer before.
#[test]
fn consumers_hear_that_their_queue_is_deleted_behind_delete_ok() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    for tag in ["a", "b"] {
        client.consume("q", tag, true);
    }
    let reply = client.ask(&frames::queue_delete(1, "q"));
    let is_ok = matches!(reply, AMQPClass::Queue(queue::AMQPMethod::DeleteOk(_)));
    assert!(is_ok, "no delete-ok but {reply:?}");
    for tag in ["a", "b"] {
        match client.method() {
            (1, AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel))) => {
                assert_eq!(cancel.consumer_tag.as_str(), tag);
            }
            other => panic!("not basic.cancel: {other:?}"),
        }
    }
}
