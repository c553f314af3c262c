//! What holds for the embedded API wherever its connection leads: to the broker in this process, to
//! a leveret over a socket, to a RabbitMQ. The last is skipped, with a line, where none is
//! installed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cases;
mod errors;
#[path = "../shovels/rabbitmq_node.rs"]
mod rabbitmq_node;
mod reconnecting;
mod secure;

use std::time::Duration;

use leveret::{Broker, Channel, Connection, Consumer, Publish};

use crate::rabbitmq_node::RabbitMq;

/// How long anything may take, a RabbitMQ that starts again among it.
const SOON: Duration = Duration::from_secs(240);

/// Connects once more to the same place.
type Connect<'a> = &'a dyn Fn() -> Connection;

/// A case, by its name.
type Case = (&'static str, fn(Connect<'_>));

/// All of the contract.
const CONTRACT: &[Case] = &[
    ("messages are published and got as they are", cases::get),
    ("what the queues have is confirmed", cases::confirms),
    ("what came back is told", cases::returns),
    ("a full queue refuses", cases::refusals),
    ("consumers take in order", cases::consumers),
    ("prefetch holds back", cases::prefetch),
    ("what is given back comes again", cases::giving_back),
    ("bindings lead where they say", cases::bindings),
    ("transactions are all or nothing", cases::transactions),
    ("consumers end", cases::endings),
    ("a task awaits", cases::tasks),
    ("an empty name is the last queue's", cases::last_queue),
    ("what is closed stays closed", cases::closing),
    ("errors name their code and leave the channel open", errors::codes),
    ("an acknowledgement settles once", errors::acknowledgements),
    ("exclusive queues are their connection's", errors::exclusive),
];

fn keep(place: &str, connect: Connect<'_>) {
    for (name, case) in CONTRACT {
        println!("{place}: {name}");
        case(connect);
    }
}

#[test]
fn the_broker_in_this_process_keeps_the_contract() {
    let broker = Broker::new();
    keep("embedded", &|| broker.connect().unwrap());
}

#[test]
fn a_leveret_over_a_socket_keeps_the_contract() {
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0").unwrap();
    let uri = format!("amqp://guest:guest@{address}");
    keep("leveret", &|| leveret::remote(&uri).unwrap());
}

#[test]
fn a_rabbitmq_keeps_the_contract_and_comes_back_when_it_was_killed() {
    let Some(mut rabbitmq) = RabbitMq::start() else { return };
    let uri = rabbitmq.uri.clone();
    reconnecting::declare_what_is_killed(&uri);
    keep("RabbitMQ", &|| leveret::remote(&uri).unwrap());
    reconnecting::killed(&mut rabbitmq);
}

/// A queue with messages that say which they are.
fn filled(channel: &Channel, queue: &str, count: u32) {
    channel.queue_declare(queue).unwrap();
    let all = (0..count).map(|n| Publish::to_queue(queue).body(n.to_string()));
    assert_eq!(channel.publish_all(all).unwrap(), count as usize);
}

/// What the next message says.
#[track_caller]
fn next(consumer: &Consumer) -> leveret::Delivery {
    consumer.recv_timeout(SOON).unwrap_or_else(|| panic!("nothing came to {}", consumer.tag()))
}

fn text(message: &leveret::Message) -> String {
    String::from_utf8(message.body().to_vec()).unwrap()
}
