//! Streams over AMQP, which meet what queues meet.

use leveret::{Consume, QueueDeclare, StreamStart};

use super::*;

/// A broker on a manual clock with the stream `s`, and a channel.
fn with_stream() -> (Broker, leveret::Channel) {
    let broker = Broker::for_tests();
    let channel = behind(&broker);
    let stream = QueueDeclare::new("s").durable().argument("x-queue-type", "stream");
    channel.queue_declare_with(&stream).unwrap();
    (broker, channel)
}

fn append(channel: &leveret::Channel, bodies: &[&str]) -> Vec<bool> {
    let confirm = |body: &&str| {
        let publish = Publish::to_queue("s").body((*body).to_owned());
        channel.publish(publish).wait().unwrap().is_ack()
    };
    bodies.iter().map(confirm).collect()
}

fn stored(broker: &Broker) -> String {
    let read = broker.stream("/", "s").unwrap().read(StreamStart::First).unwrap();
    read.into_iter().map(|message| message.unwrap().text()).collect()
}

#[test]
fn appends_are_nacked_refused_or_nowhere() {
    let (broker, channel) = with_stream();
    let faults = broker.faults();
    faults.confirms().for_routing_key("s").nth(2).nack();
    faults.confirms().for_routing_key("s").nth(3).nack_and_drop();
    assert_eq!(append(&channel, &["a", "b", "c", "d"]), [true, false, false, true]);
    assert_eq!(stored(&broker), "abd");
    faults.publishes().for_routing_key("s").nth(1).refuse(404, "no exchange");
    let refused = channel.publish(Publish::to_queue("s").body("e")).wait();
    assert_eq!(refused.unwrap_err().reply_code(), 404);
    assert_eq!(stored(&broker), "abd");
    faults.assert_all_fired();
}

#[test]
fn messages_of_a_stream_come_twice_or_late() {
    let (broker, channel) = with_stream();
    append(&channel, &["a", "b", "c"]);
    let deliveries = || broker.faults().deliveries().for_queue("s");
    deliveries().matching(|m| m.body() == b"a").twice();
    deliveries().matching(|m| m.body() == b"b").delay(Duration::from_secs(60));
    channel.basic_qos(100).unwrap();
    let first = Consume::new("s").argument("x-stream-offset", "first");
    let consumer = channel.basic_consume_with(&first).unwrap();
    let taken = || {
        let next = || {
            let delivery = consumer.try_recv()?;
            delivery.ack().unwrap();
            Some(delivery.text())
        };
        std::iter::from_fn(next).collect::<String>()
    };
    assert_eq!(taken(), "aac");
    broker.advance(Duration::from_secs(59));
    assert_eq!(taken(), "");
    broker.advance(Duration::from_secs(1));
    assert_eq!(taken(), "b");
    broker.faults().assert_all_fired();
}

#[test]
fn a_reader_that_loses_its_connection_reads_again_what_it_has_not_acknowledged() {
    let (broker, channel) = with_stream();
    append(&channel, &["a", "b", "c"]);
    let rule = broker.faults().deliveries().for_queue("s").nth(3).drop_connection();
    let named = Consume::new("s")
        .argument("x-stream-offset", "first")
        .argument("x-stream-consumer-name", "projection");
    let read = |channel: leveret::Channel| {
        channel.basic_qos(1).unwrap();
        let consumer = channel.basic_consume_with(&named).unwrap();
        let mut seen = String::new();
        while let Some(delivery) = consumer.try_recv() {
            seen += &delivery.text();
            if delivery.ack().is_err() {
                break;
            }
        }
        seen
    };
    assert_eq!(read(behind(&broker)), "ab");
    assert_eq!((rule.fired(), broker.stream("/", "s").unwrap().offset("projection")), (1, Some(1)));
    assert_eq!(read(behind(&broker)), "c");
}
