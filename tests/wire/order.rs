//! The order of answers and of what follows from a request: the answer comes first, as RabbitMQ
//! has it. Blocking clients call their users back for whatever comes while they wait for it.

use amq_protocol::protocol::{AMQPClass, basic};
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
