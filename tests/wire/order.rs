//! The order of answers and of what follows from a request: the answer comes first, as RabbitMQ
//! has it. Blocking clients call their users back for whatever comes while they wait for it.

use amq_protocol::protocol::{AMQPClass, basic, queue};
use leveret::Limits;

use crate::client::Client;
use crate::{frames, listening};

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
