//! How publishes are confirmed and refused, frame by frame.

use amq_protocol::protocol::{AMQPClass, basic};
use leveret::Limits;

use crate::client::{Client, Frame};
use crate::{frames, listening};

/// A limit of one message, beyond which publishes are refused, as a table.
const FULL: &[u8] = b"\0\0\0\x2d\x0cx-max-lengthb\x01\x0ax-overflowS\0\0\0\x0ereject-publish";

/// The next frames that settle publishes, up to the one with this number: `+3` confirms up to 3.
fn outcomes(client: &mut Client, last: u64) -> Vec<(char, u64, bool)> {
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
