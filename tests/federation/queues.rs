//! Federated queues: messages move to where somebody wants them.

use leveret::{Broker, Consume, Consumer, Delivery, QueueDeclare};
use serde_json::json;

use crate::{Federated, SOON, numbers};

/// The next message of a consumer.
#[track_caller]
fn next(consumer: &Consumer) -> Delivery {
    consumer.recv_timeout(SOON).unwrap_or_else(|| panic!("nothing has come"))
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.body().to_vec()).unwrap()
}

/// A broker with the queue `jobs`.
fn broker(name: &str) -> Broker {
    let broker = Broker::new().named(name);
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("jobs").durable()).unwrap();
    broker
}

#[test]
fn messages_come_when_somebody_here_wants_them_and_there_are_none() {
    let (up, down) = (broker("up"), broker("down"));
    down.federate("jobs", &up.uri(), json!({}));
    down.wait_for_links(1, "running");
    for number in 0..10 {
        up.tell("", "jobs", &number.to_string());
    }
    up.wait_for_ready("jobs", 10);
    assert_eq!(down.link().unwrap().received, 0, "nobody wants any");
    let channel = down.connect().unwrap().open_channel().unwrap();
    let consumer = channel.basic_consume_with(&Consume::new("jobs").no_ack()).unwrap();
    let bodies: Vec<_> = (0..10).map(|_| text(&next(&consumer))).collect();
    assert_eq!(bodies, numbers(0..10));
    drop(consumer);
    drop(channel);
    let host = up.virtual_host("/").unwrap();
    let nobody = |_: &Broker| host.queue("jobs").unwrap().counts().consumers == 0;
    up.wait_until(SOON, nobody).unwrap();
    up.tell("", "jobs", "late");
    up.wait_for_ready("jobs", 1);
}

#[test]
fn who_is_nearer_goes_first() {
    let (up, down) = (broker("up"), broker("down"));
    down.federate("jobs", &up.uri(), json!({}));
    down.wait_for_links(1, "running");
    let there = up.connect().unwrap().open_channel().unwrap();
    let near = there.basic_consume_with(&Consume::new("jobs").no_ack()).unwrap();
    let here = down.connect().unwrap().open_channel().unwrap();
    let far = here.basic_consume_with(&Consume::new("jobs").no_ack()).unwrap();
    let host = up.virtual_host("/").unwrap();
    let two = |_: &Broker| host.queue("jobs").unwrap().counts().consumers == 2;
    up.wait_until(SOON, two).unwrap();
    for number in 0..10 {
        up.tell("", "jobs", &number.to_string());
    }
    let bodies: Vec<_> = (0..10).map(|_| text(&next(&near))).collect();
    assert_eq!(bodies, numbers(0..10));
    assert_eq!(down.link().unwrap().received, 0);
    drop(near);
    drop(there);
    up.tell("", "jobs", "moved");
    let moved = next(&far);
    assert_eq!(moved.body(), b"moved");
    let headers = moved.properties().headers().clone().unwrap();
    assert!(headers.inner().contains_key("x-received-from"));
}

#[test]
fn a_consumer_that_has_enough_wants_no_more() {
    let (up, down) = (broker("up"), broker("down"));
    down.federate("jobs", &up.uri(), json!({"prefetch-count": 2}));
    down.wait_for_links(1, "running");
    let channel = down.connect().unwrap().open_channel().unwrap();
    channel.basic_qos(1).unwrap();
    let consumer = channel.basic_consume("jobs").unwrap();
    for number in 0..30 {
        up.tell("", "jobs", &number.to_string());
    }
    let first = next(&consumer);
    let host = up.virtual_host("/").unwrap();
    let nobody = |_: &Broker| host.queue("jobs").unwrap().counts().consumers == 0;
    up.wait_until(SOON, nobody).unwrap();
    let left = host.queue("jobs").unwrap().counts().ready;
    assert!(left >= 20, "{left} are left there");
    let mut came = vec![text(&first)];
    first.ack().unwrap();
    for _ in 1..30 {
        let message = next(&consumer);
        came.push(text(&message));
        message.ack().unwrap();
    }
    assert_eq!(came, numbers(0..30));
}
