//! What clients ask for that has to survive.

use amq_protocol::protocol::{AMQPClass, connection, queue};
use amq_protocol::types::FieldTable;
use leveret::storage::testing::{Machine, Remains};
use leveret::{Broker, Publish};

use crate::{frames, in_memory};

const QUEUES: usize = 200;

fn open(remains: &Remains) -> (Machine, Broker) {
    let machine = Machine::new(remains, 1);
    machine.cut_after(1 << 40);
    let broker = Broker::builder().open_on(machine.records(), machine.disk()).unwrap();
    (machine, broker)
}

fn name(number: usize) -> String {
    format!("q{number}")
}

fn declare(name: &str, nowait: bool) -> Vec<u8> {
    let declare = queue::Declare {
        queue: name.into(),
        passive: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        nowait,
        arguments: FieldTable::default(),
    };
    frames::method(1, AMQPClass::Queue(queue::AMQPMethod::Declare(declare)))
}

fn bind(name: &str) -> Vec<u8> {
    let bind = queue::Bind {
        queue: name.into(),
        exchange: "amq.fanout".into(),
        routing_key: "".into(),
        nowait: true,
        arguments: FieldTable::default(),
    };
    frames::method(1, AMQPClass::Queue(queue::AMQPMethod::Bind(bind)))
}

/// The disk is asked for a few of them at a time, and who hears that one is done has all before it.
#[test]
fn declarations_that_come_together_become_durable_together() {
    let (machine, broker) = open(&Remains::default());
    let mut client = in_memory::opened(&broker, 0);
    let all = (0..QUEUES).map(name);
    let mut octets: Vec<u8> =
        all.flat_map(|name| [declare(&name, true), bind(&name)].concat()).collect();
    octets.extend(declare(&name(QUEUES), false));
    // There is no power for each by itself.
    machine.cut_after(QUEUES as u64);
    let reply = client.ask(&octets);
    assert!(matches!(&reply, AMQPClass::Queue(queue::AMQPMethod::DeclareOk(_))), "{reply:?}");
    assert!(!machine.is_off());

    machine.cut();
    let (_machine, broker) = open(&machine.after_cut());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.basic_publish(Publish::to_exchange("amq.fanout", "").body("to all")).unwrap();
    let host = broker.virtual_host("/").unwrap();
    let ready = |number| host.queue(&name(number)).unwrap().counts().ready;
    assert_eq!((0..=QUEUES).map(ready).sum::<usize>(), QUEUES, "each is bound but the last");
}

/// A client does not hear that something is done of which nobody knows whether it is durable.
#[test]
fn nothing_that_waits_for_a_disk_that_fails_is_answered() {
    let (machine, broker) = open(&Remains::default());
    let mut client = in_memory::opened(&broker, 0);
    machine.cut_after(0);
    let octets = [declare("a", false), declare("b", false)].concat();
    client.send(&octets);
    let (channel, first) = client.method();
    let AMQPClass::Connection(connection::AMQPMethod::Close(close)) = first else {
        panic!("{channel}: {first:?}")
    };
    assert_eq!(close.reply_code, 541);
}
