//! How publishes are confirmed and refused, frame by frame.

use std::io::{Read, Write};

use amq_protocol::protocol::{AMQPClass, basic};
use leveret::{Broker, Limits, Machine, QueueDeclare};

use crate::client::{Client, Frame};
use crate::{frames, in_memory, listening, ready};

/// A limit of one message, beyond which publishes are refused, as a table.
pub(crate) const FULL: &[u8] =
    b"\0\0\0\x2d\x0cx-max-lengthb\x01\x0ax-overflowS\0\0\0\x0ereject-publish";

/// The next frames that settle publishes, up to the one with this number: `+3` confirms up to 3.
fn outcomes<S: Read + Write>(client: &mut Client<S>, last: u64) -> Vec<(char, u64, bool)> {
    let mut outcomes = Vec::new();
    while outcomes.last().is_none_or(|(_, number, _)| *number != last) {
        match client.frame() {
            Some(Frame::Method(1, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)))) => {
                outcomes.push(('+', ack.delivery_tag, ack.multiple));
            }
            Some(Frame::Method(1, AMQPClass::Basic(basic::AMQPMethod::Nack(nack)))) => {
                assert!(nack.requeue, "as RabbitMQ says it");
                outcomes.push(('-', nack.delivery_tag, nack.multiple));
            }
            other => panic!("no confirm but {other:?}"),
        }
    }
    outcomes
}

#[test]
fn a_run_that_is_refused_takes_one_frame() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    let declared = client.ask(&frames::queue_declare_with(1, "q", FULL));
    assert_eq!((declared.get_amqp_class_id(), declared.get_amqp_method_id()), (50, 11));
    client.ask(&frames::confirm_select(1));
    client.send(&frames::publish(1, "q", b"m").repeat(6));
    assert_eq!(outcomes(&mut client, 6), [('+', 1, false), ('-', 6, true)]);
    let mut mixed = frames::publish(1, "q", b"m").repeat(2);
    mixed.extend(frames::publish(1, "nowhere", b"m").repeat(2));
    mixed.extend(frames::publish(1, "q", b"m"));
    client.send(&mixed);
    assert_eq!(outcomes(&mut client, 11), [('-', 8, true), ('+', 10, true), ('-', 11, true)]);
}

/// A persistent message.
fn persistent(key: &str, body: &[u8]) -> Vec<u8> {
    const DELIVERY_MODE: &[u8] = &[0x10, 0, 2];
    let mut header = vec![0, 60, 0, 0];
    header.extend((body.len() as u64).to_be_bytes());
    header.extend(DELIVERY_MODE);
    let (method, header) = (frames::basic_publish(1, key, false), frames::frame(2, 1, &header));
    [method, header, frames::frame(3, 1, body)].concat()
}

#[test]
fn what_was_acknowledged_before_a_confirmed_publish_is_gone_for_good() {
    /// Publishes that come with the acknowledgement, each a write of its own.
    const AFTER: u64 = 200;
    for _ in 0..20 {
        let machine = Machine::new();
        let broker = Broker::builder().open_on_machine(&machine).unwrap();
        let channel = broker.connect().unwrap().open_channel().unwrap();
        for queue in ["q", "a", "b"] {
            channel.queue_declare_with(&QueueDeclare::new(queue).durable()).unwrap();
        }
        let mut client = in_memory::opened(&broker, 0);
        client.ask(&frames::confirm_select(1));
        client.send(&persistent("q", b"done"));
        assert_eq!(outcomes(&mut client, 1).len(), 1);
        client.send(&frames::get(1, "q", false));
        assert_eq!(client.content().body, b"done");

        let after = (0..AFTER).map(|n| persistent(if n % 2 == 0 { "a" } else { "b" }, b"next"));
        let after: Vec<u8> = after.flatten().collect();
        client.send(&[frames::ack(1, 1, false), after].concat());
        outcomes(&mut client, 1 + AFTER);
        broker.crash();

        let broker = Broker::builder().open_on_machine(&machine).unwrap();
        let counts = ["q", "a", "b"].map(|queue| crate::ready(&broker, queue));
        assert_eq!(counts, [0, 100, 100]);
    }
}

/// Those who send much are told in turn: more of them than are told at a time, each as much at once
/// as it takes to be one of those.
#[test]
fn many_publishers_that_send_much_are_all_told() {
    const MESSAGES: u64 = 256;
    const ROUNDS: u64 = 8;
    let publishers = 6 * std::thread::available_parallelism().map_or(1, usize::from);
    let (broker, address) = listening(Limits::default());
    std::thread::scope(|scope| {
        for _ in 0..publishers {
            scope.spawn(|| {
                let mut client = Client::with_channel(address);
                client.declare("q");
                client.ask(&frames::confirm_select(1));
                let much = frames::publish(1, "q", &[7; 1024]).repeat(MESSAGES as usize);
                for round in 1..ROUNDS {
                    client.send(&much);
                    let told = outcomes(&mut client, MESSAGES * round);
                    assert!(told.iter().all(|(sign, ..)| *sign == '+'), "{told:?}");
                }
                // What is asked for after them is answered after them.
                client.send(&[much, frames::queue_declare(1, "q", false)].concat());
                outcomes(&mut client, MESSAGES * ROUNDS);
                let (_, answer) = client.method();
                assert_eq!((answer.get_amqp_class_id(), answer.get_amqp_method_id()), (50, 11));
            });
        }
    });
    assert_eq!(ready(&broker, "q") as u64, publishers as u64 * MESSAGES * ROUNDS);
}
