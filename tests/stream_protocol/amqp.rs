//! What is published over AMQP 0-9-1 is read over the stream protocol, and the other way.

use leveret::{Broker, Consume, Publish};
use leveret_stream_protocol::{OffsetSpec, Published};

use crate::client::{Client, batch, batch_of};
use crate::listening;

/// AMQP 1.0: a message whose body is this text.
fn data_section(text: &str) -> Vec<u8> {
    [&b"\0\x53\x75\xa0"[..], &[text.len() as u8], text.as_bytes()].concat()
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

#[test]
fn messages_of_amqp_are_amqp_1_0_for_stream_clients() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let publish = Publish::to_queue("s").body("hello").header("n", 5_i32).message_id("id");
    assert!(channel.publish(publish.content_type("text")).wait().unwrap().is_ack());
    client.subscribe(1, "s", OffsetSpec::First, 10);
    let message = client.delivered().messages.remove(0).1;
    assert!(message.ends_with(b"\0\0\0\x05hello"), "{message:?}");
    // Application property n, an int; properties message-id, a string, and content-type, a symbol.
    for part in
        [&b"\xa1\x01n\x71\0\0\0\x05"[..], b"\xa1\x02id", b"\xa3\x04text", b"x-routing-key\xa1\x01s"]
    {
        assert!(contains(&message, part), "{part:?} in {message:?}");
    }
}

fn read_over_amqp(broker: &Broker, count: usize) -> Vec<(String, String)> {
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.basic_qos(100).unwrap();
    let consume = Consume::new("s").argument("x-stream-offset", "first");
    let consumer = channel.basic_consume_with(&consume).unwrap();
    let got = consumer.iter().take(count).map(|delivery| {
        let offset = delivery.headers().inner().get("x-stream-offset").cloned();
        (delivery.text(), format!("{offset:?}"))
    });
    got.collect()
}

#[test]
fn messages_of_stream_clients_are_messages_for_amqp() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    client.declare(1, "", "s");
    let single = data_section("one");
    let parts = [data_section("two"), data_section("three")];
    let mut data = Vec::new();
    for part in &parts {
        leveret_stream_protocol::Entry::Message(part).write(&mut data);
    }
    let entry = |entry| Published { publishing_id: 1, filter_value: None, entry };
    client.publish_all(
        1,
        &[
            entry(leveret_stream_protocol::Entry::Message(&single)),
            entry(batch(&data, 2)),
            entry(leveret_stream_protocol::Entry::Message(b"no AMQP 1.0")),
        ],
    );
    client.confirms(1, 3);
    let texts: Vec<_> = read_over_amqp(&broker, 4).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["one", "two", "three", "no AMQP 1.0"]);
    let offsets: Vec<_> = read_over_amqp(&broker, 4).into_iter().map(|it| it.1).collect();
    assert!(offsets[3].contains('3'), "{offsets:?}");
}

#[test]
fn readers_over_amqp_hear_of_stream_clients_at_once() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    client.declare(1, "", "s");
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.basic_qos(10).unwrap();
    let consume = Consume::new("s").argument("x-stream-offset", "next");
    let consumer = channel.basic_consume_with(&consume).unwrap();
    let data = batch_of(&["in a batch"]);
    let entry = Published { publishing_id: 1, filter_value: None, entry: batch(&data, 1) };
    client.publish(1, 0, &["alone"]);
    client.publish_all(1, &[entry]);
    let texts: Vec<_> = consumer.iter().take(2).map(|it| it.text()).collect();
    assert_eq!(texts, ["alone", "in a batch"]);
}
