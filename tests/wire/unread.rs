//! What clients leave unread, and what they open, counts as memory, and is bounded.

use std::time::Duration;

use leveret::{Broker, Consume, Consumer, Limits, Publish};

use crate::client::Client;
use crate::{frames, listening, wait_until};

const WATERMARK: usize = 8 << 20;
const REPLY: usize = 100_000;
const REQUESTERS: usize = 20;

/// A publish to `requests` that wants direct replies.
fn request() -> Vec<u8> {
    const REPLY_TO: &str = "amq.rabbitmq.reply-to";
    let mut header = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x00];
    header.push(REPLY_TO.len() as u8);
    header.extend(REPLY_TO.as_bytes());
    [frames::basic_publish(1, "requests", false), frames::frame(2, 1, &header)].concat()
}

/// Clients that asked for replies and read none took as much as there were replies.
#[test]
fn replies_that_nobody_reads_hold_those_back_who_send_them() {
    let (broker, address) = listening(Limits::new().memory_high_watermark_bytes(WATERMARK));
    let embedded = broker.connect().unwrap().open_channel().unwrap();
    embedded.queue_declare("requests").unwrap();
    let mut requesters: Vec<_> = (0..REQUESTERS)
        .map(|_| {
            let mut client = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
            client.consume("amq.rabbitmq.reply-to", "replies", true);
            client.send(&request());
            client
        })
        .collect();
    let requests = embedded.basic_consume("requests").unwrap();
    let addresses: Vec<String> = (0..REQUESTERS)
        .map(|_| {
            requests.iter().next().unwrap().properties().reply_to().as_ref().unwrap().to_string()
        })
        .collect();
    let mut honest = Client::with_channel(address);
    honest.declare("honest");
    honest.send(&frames::publish(1, "honest", b"before"));

    let mut flood = Vec::new();
    let body = vec![7; REPLY];
    addresses.iter().for_each(|key| flood.extend(frames::publish(1, key, &body)));
    let mut responder = Client::with_channel(address);
    let held_back = responder.flood(&flood, 256 << 20);
    assert!(held_back.is_some(), "the responder is held back");
    // Some of it may have found room in the sockets meanwhile.
    let total = broker.memory_total();
    assert!(total > WATERMARK / 2 && total < WATERMARK * 3 / 2, "{total} octets");

    // Who only consumes is served.
    honest.consume("honest", "tag", true);
    assert_eq!(honest.content().body, b"before");
    // Once somebody reads, or all are gone, it goes on.
    assert_eq!(requesters[0].content().body.len(), REPLY);
    drop(requesters);
    wait_until("the alarm is over", || broker.memory_total() < WATERMARK / 2);
    drop(responder);
}

/// A program in the same process, whose consumer needs no acknowledgements, held all that came.
#[test]
fn what_a_program_does_not_take_holds_those_back_who_publish() {
    let (broker, address) = listening(Limits::new().memory_high_watermark_bytes(WATERMARK));
    let embedded = broker.connect().unwrap().open_channel().unwrap();
    embedded.queue_declare("q").unwrap();
    let before = broker.memory_total();
    let consumer = embedded.basic_consume_with(&Consume::new("q").no_ack()).unwrap();
    let mut client = Client::with_channel(address);
    let flood = frames::publish(1, "q", &vec![7; REPLY]).repeat(10);
    let held_back = client.flood(&flood, 256 << 20);
    assert!(held_back.is_some(), "the publisher is held back");
    let total = broker.memory_total();
    assert!(total > WATERMARK / 2 && total < WATERMARK * 3 / 2, "{total} octets");

    // What is taken makes room for the rest, of which the client may have sent a part.
    let soon = Duration::from_secs(10);
    drop(client);
    let whole = |consumer: &Consumer| consumer.recv_timeout(soon).map(|one| one.body().len());
    wait_until("all is taken", || {
        assert_eq!(whole(&consumer).unwrap_or(REPLY), REPLY);
        broker.memory_total() < WATERMARK / 10
    });
    drop((consumer, embedded));
    wait_until("nothing is held", || broker.memory_total() <= before);
}

#[test]
fn messages_that_came_back_count_until_the_program_takes_them() {
    let broker = Broker::new();
    let embedded = broker.connect().unwrap().open_channel().unwrap();
    let before = broker.memory_total();
    for _ in 0..10 {
        let nowhere = Publish::to_queue("nowhere").body(vec![7; REPLY]).mandatory();
        embedded.basic_publish(nowhere).unwrap();
    }
    let held = broker.memory_total() - before;
    assert!((10 * REPLY..11 * REPLY).contains(&held), "{held} octets");
    while embedded.take_returned().is_some() {}
    assert_eq!(broker.memory_total(), before);
}

#[test]
fn what_clients_open_counts_until_it_is_closed() {
    let (broker, address) = listening(Limits::new());
    let before = broker.memory_total();
    let mut client = Client::with_channel(address);
    client.declare("q");
    for number in 0..50 {
        client.consume("q", &format!("consumer {number}"), true);
        client.declare(&format!("queue {number}"));
    }
    let held = broker.memory_total() - before;
    assert!((50_000..500_000).contains(&held), "{held}");
    client.ask(&frames::channel_close(1));
    drop(client);
    for number in 0..50 {
        let mut client = Client::with_channel(address);
        client.ask(&frames::queue_delete(1, &format!("queue {number}")));
    }
    let mut client = Client::with_channel(address);
    client.ask(&frames::queue_delete(1, "q"));
    drop(client);
    wait_until("nothing is held", || broker.memory_total() == before);
}

#[test]
fn a_channel_has_as_many_consumers_as_it_may() {
    let (_broker, address) = listening(Limits::new().consumers_per_channel_max(2));
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.consume("q", "one", true);
    client.consume("q", "two", true);
    client.send(&frames::consume(1, "q", "three", true));
    let reason = client.connection_closed();
    assert!(
        reason.contains("NOT_ALLOWED - reached maximum (2) of consumers per channel"),
        "{reason}"
    );
}
