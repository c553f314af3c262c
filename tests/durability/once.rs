//! What moves from one queue to another is in one of them, whenever the power is cut.

use leveret::storage::testing::{Machine, Remains};
use leveret::{ExchangeDeclare, Publish};

use crate::support::*;

const MESSAGES: usize = 3;

fn open(machine: &Machine) -> leveret::Broker {
    builder(START).segment_bytes(16 << 10).open_on(machine.records(), machine.disk()).unwrap()
}

/// Cuts the power at each moment of what follows from a second that passes; afterwards the queues
/// together have each message once.
fn is_in_one_place(prepared: &Remains, queues: &[&str]) {
    stays_in_one_place(prepared, queues, |_| {});
}

/// The same with what happens before.
fn stays_in_one_place(prepared: &Remains, queues: &[&str], happens: impl Fn(&leveret::Broker)) {
    for operations in 0.. {
        let machine = Machine::new(prepared, operations);
        machine.cut_after(1 << 40);
        let broker = open(&machine);
        machine.cut_after(operations);
        happens(&broker);
        broker.advance(std::time::Duration::from_secs(2));
        drop(broker);
        let is_over = !machine.is_off();
        let remains = if is_over { machine.after_exit() } else { machine.after_cut() };

        let machine = Machine::new(&remains, 1);
        machine.cut_after(1 << 40);
        let broker = open(&machine);
        broker.advance(std::time::Duration::from_secs(2));
        let one = channel(&broker);
        let mut found: Vec<String> = queues.iter().flat_map(|queue| bodies(&one, queue)).collect();
        found.sort();
        assert_eq!(found, ["0", "1", "2"], "the power was cut after {operations} operations");
        if is_over {
            assert!(operations > 3, "the power was never cut in between");
            break;
        }
    }
}

fn prepare(declare: impl Fn(&leveret::Channel), publish: impl Fn(&str) -> Publish) -> Remains {
    let machine = Machine::new(&Remains::default(), 1);
    machine.cut_after(1 << 40);
    let broker = open(&machine);
    let one = channel(&broker);
    declare(&one);
    for number in 0..MESSAGES {
        confirm(&one, publish(&number.to_string()));
    }
    machine.cut();
    machine.after_cut()
}

#[test]
fn a_dead_letter_is_in_one_queue() {
    let arguments = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "dead".into()),
        ("x-message-ttl", 1000_i64.into()),
    ]);
    let declare = |one: &leveret::Channel| {
        one.queue_declare_with(&durable_with("q", arguments.clone())).unwrap();
        one.queue_declare_with(&durable("dead")).unwrap();
    };
    is_in_one_place(&prepare(declare, |body| persistent("q", body)), &["q", "dead"]);
}

/// From a queue that keeps its dead letters until they are delivered.
#[test]
fn a_dead_letter_that_is_delivered_at_least_once_is_in_one_queue() {
    let work = table([
        ("x-queue-type", "quorum".into()),
        ("x-overflow", "reject-publish".into()),
        ("x-dead-letter-strategy", "at-least-once".into()),
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "retry".into()),
        ("x-message-ttl", 1000_i64.into()),
    ]);
    let retry = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "end".into()),
        ("x-message-ttl", 500_i64.into()),
    ]);
    let declare = |one: &leveret::Channel| {
        one.queue_declare_with(&durable_with("work", work.clone())).unwrap();
        one.queue_declare_with(&durable_with("retry", retry.clone())).unwrap();
        one.queue_declare_with(&durable("end")).unwrap();
    };
    is_in_one_place(&prepare(declare, |body| persistent("work", body)), &["work", "retry", "end"]);
}

#[test]
fn a_delayed_message_is_in_its_exchange_or_in_its_queue() {
    let declare = |one: &leveret::Channel| {
        let delayed = ExchangeDeclare::new("later", "x-delayed-message").durable();
        one.exchange_declare_with(&delayed.argument("x-delayed-type", "direct")).unwrap();
        one.queue_declare_with(&durable("q")).unwrap();
        one.queue_bind("q", "later", "q").unwrap();
    };
    let publish = |body: &str| {
        let delayed = Publish::to_exchange("later", "q").body(body.to_owned());
        delayed.persistent().header("x-delay", 1000)
    };
    is_in_one_place(&prepare(declare, publish), &["q"]);
}

/// Messages that come back to a quorum queue get new numbers.
#[test]
fn what_comes_back_to_a_quorum_queue_is_there_once() {
    let declare = |one: &leveret::Channel| drop(one.queue_declare_with(&quorum("q")).unwrap());
    let prepared = prepare(declare, |body| persistent("q", body));
    stays_in_one_place(&prepared, &["q"], |broker| {
        let one = channel(broker);
        let taken: Vec<_> = std::iter::from_fn(|| one.basic_get("q").ok()?).collect();
        for delivery in &taken {
            // The disk may have failed by then.
            let _ = delivery.requeue();
        }
    });
}
