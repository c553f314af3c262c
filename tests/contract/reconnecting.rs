//! Connections that are lost, and come again.

use std::collections::BTreeSet;

use leveret::{Broker, Channel, Consumer, Publish, QueueDeclare};

use crate::rabbitmq_node::RabbitMq;
use crate::{next, text};

const ALL: u32 = 2_000;

/// Takes messages until all have come; each that was delivered again counts once.
fn take_all(consumer: &Consumer) -> BTreeSet<u32> {
    let mut came = BTreeSet::new();
    while came.len() < ALL as usize {
        let delivery = next(consumer);
        came.insert(text(&delivery).parse().unwrap());
        delivery.ack().unwrap();
    }
    came
}

fn topology(channel: &Channel) {
    channel.exchange_declare("work", "topic").unwrap();
    channel.queue_declare_with(&QueueDeclare::new("jobs").durable()).unwrap();
    channel.queue_bind("jobs", "work", "job.#").unwrap();
}

fn job(number: u32) -> Publish {
    Publish::to_exchange("work", "job.x").body(number.to_string()).persistent()
}

#[test]
fn publishers_and_consumers_go_on_over_connections_that_are_cut() {
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0").unwrap();
    let uri = format!("amqp://guest:guest@{address}");
    let channel = leveret::remote(&uri).unwrap().open_channel().unwrap();
    topology(&channel);
    let own = channel.queue_declare_with(&QueueDeclare::new("").exclusive()).unwrap();
    let taking = leveret::remote(&uri).unwrap().open_channel().unwrap();
    taking.basic_qos(20).unwrap();
    let consumer = taking.basic_consume("jobs").unwrap();
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| take_all(&consumer));
        for number in 0..ALL {
            if number % 500 == 250 {
                broker.faults().drop_connections();
            }
            assert!(channel.publish(job(number)).wait().unwrap().is_ack());
        }
        assert_eq!(taken.join().unwrap(), (0..ALL).collect());
    });
    // What was declared is there again, that of the connection itself as well.
    channel.basic_publish(Publish::to_queue(own.queue.as_str()).body("x")).unwrap();
    assert!(channel.basic_get_no_ack(own.queue.as_str()).unwrap().is_some());
}

#[test]
fn what_was_delivered_before_is_acknowledged_without_a_word() {
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0").unwrap();
    let uri = format!("amqp://guest:guest@{address}");
    let channel = leveret::remote(&uri).unwrap().open_channel().unwrap();
    topology(&channel);
    channel.basic_publish(job(7)).unwrap();
    let consumer = channel.basic_consume("jobs").unwrap();
    let before = next(&consumer);
    broker.faults().drop_connections();
    let again = next(&consumer);
    assert!(again.redelivered() && again.delivery_tag() > before.delivery_tag());
    before.ack().unwrap();
    again.ack().unwrap();
    assert_eq!(again.ack().unwrap_err().reply_code(), 406);
}

#[test]
fn nobody_there_and_nobody_let_in_is_told() {
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0").unwrap();
    let refused = leveret::remote(&format!("amqp://guest:wrong@{address}")).unwrap_err();
    assert_eq!(refused.reply_code(), 403, "{refused}");
    assert!(!refused.to_string().contains("wrong"), "{refused}");
    drop(broker);
    let nobody = leveret::remote(&format!("amqp://guest:guest@{address}")).unwrap_err();
    assert_eq!(nobody.reply_code(), 320, "{nobody}");
    for uri in ["nonsense", "http://host", "amqp://"] {
        assert_eq!(leveret::remote(uri).unwrap_err().reply_code(), 402, "{uri}");
    }
}

/// A RabbitMQ that is killed may lose a queue that was declared a moment ago. This one is old by
/// then.
pub(crate) fn declare_what_is_killed(uri: &str) {
    topology(&leveret::remote(uri).unwrap().open_channel().unwrap());
}

/// A RabbitMQ is killed while a producer and a consumer work, and started again.
pub(crate) fn killed(rabbitmq: &mut RabbitMq) {
    let uri = rabbitmq.uri.clone();
    let channel = leveret::remote(&uri).unwrap().open_channel().unwrap();
    topology(&channel);
    let taking = leveret::remote(&uri).unwrap().open_channel().unwrap();
    taking.basic_qos(20).unwrap();
    let consumer = taking.basic_consume("jobs").unwrap();
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| take_all(&consumer));
        let publish = |numbers: std::ops::Range<u32>| {
            let confirms: Vec<_> = numbers.map(|number| channel.publish(job(number))).collect();
            confirms.into_iter().for_each(|confirm| assert!(confirm.wait().unwrap().is_ack()));
        };
        publish(0..ALL / 2);
        let half: Vec<_> = (ALL / 2..ALL).map(job).collect();
        let confirms: Vec<_> = half.into_iter().map(|job| channel.publish(job)).collect();
        rabbitmq.kill();
        rabbitmq.boot();
        confirms.into_iter().for_each(|confirm| assert!(confirm.wait().unwrap().is_ack()));
        assert_eq!(taken.join().unwrap(), (0..ALL).collect());
    });
}
