//! Publishers while memory is short `[rabbitmq connection-blocked]`.

use std::thread;

use amq_protocol::protocol::{AMQPClass, connection};
use leveret::{Broker, Limits, ManualClock, Timestamp};

use crate::client::{Client, is_connection};
use crate::{frames, listening, ready, wait_until};

/// Octets that messages may take.
const WATERMARK: usize = 200_000;

fn short_of_memory() -> Limits {
    Limits::new().memory_high_watermark_bytes(WATERMARK)
}

fn assert_blocked(client: &mut Client) {
    match client.method() {
        (0, AMQPClass::Connection(connection::AMQPMethod::Blocked(blocked))) => {
            assert_eq!(blocked.reason.as_str(), "low on memory");
        }
        other => panic!("not blocked but {other:?}"),
    }
}

fn assert_unblocked(client: &mut Client) {
    let (channel, method) = client.method();
    assert!(channel == 0 && is_connection(&method, 61), "not unblocked but {method:?}");
}

#[test]
fn a_flood_stops_at_the_watermark() {
    let (broker, address) = listening(short_of_memory());
    let mut consumer = Client::with_channel(address);
    consumer.declare("q");
    let mut flooder = Client::with_channel(address);
    flooder.flood(&frames::publish(1, "q", &[0; 1000]), 64 << 20).expect("it is held back");
    assert_blocked(&mut flooder);
    let used = broker.memory_used();
    assert!(used > WATERMARK && used < WATERMARK + 512 * 1024, "{used} octets are used");
    // Who does not publish is told nothing, and served.
    assert_eq!(consumer.declare("q") as usize, ready(&broker, "q"));
    // One without the capability is told nothing either, and held back all the same.
    let mut old = Client::new(address).opened(&[], 0).channel(1);
    old.flood(&frames::publish(1, "q", &[0; 1000]), 64 << 20).expect("it is held back");
    let used = broker.memory_used();
    assert!(used < WATERMARK + 1024 * 1024, "{used} octets are used");
    drop(old);
    drop(flooder);
}

#[test]
fn publishers_go_on_when_memory_is_free_again() {
    const COUNT: u32 = 5_000;
    let (_broker, address) = listening(short_of_memory());
    let mut consumer = Client::with_channel(address);
    consumer.declare("q");
    let mut publisher = Client::with_channel(address);
    let mut writer = publisher.socket.try_clone().unwrap();
    let writing = thread::spawn(move || {
        for number in 0..COUNT {
            let mut body = [0; 1000];
            body[..4].copy_from_slice(&number.to_be_bytes());
            std::io::Write::write_all(&mut writer, &frames::publish(1, "q", &body)).unwrap();
        }
    });
    assert_blocked(&mut publisher);
    consumer.consume("q", "c", true);
    for number in 0..COUNT {
        assert_eq!(consumer.content().body[..4], number.to_be_bytes());
    }
    writing.join().unwrap();
    assert_unblocked(&mut publisher);
    // Blocked and unblocked may have followed each other several times; they end open.
    publisher.send(&frames::queue_declare(1, "q", false));
    loop {
        let (channel, method) = publisher.method();
        if channel == 1 {
            break;
        }
        assert!(is_connection(&method, 60), "{method:?}");
        assert_unblocked(&mut publisher);
    }
}

#[test]
fn an_alarm_raised_by_hand_blocks_those_who_publish() {
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    let mut other = Client::with_channel(address);
    publisher.declare("q");
    broker.set_memory_alarm(true);
    // Until it publishes it is served.
    assert_eq!(publisher.declare("q"), 0);
    publisher.send(&frames::publish(1, "q", b"first"));
    assert_blocked(&mut publisher);
    publisher.send(&frames::publish(1, "q", b"second"));
    publisher.send(&frames::queue_declare(1, "q", false));
    // The first is held back as well, from the end of its header on.
    for _ in 0..20 {
        assert_eq!(other.declare("q"), 0);
    }
    broker.set_memory_alarm(false);
    assert_unblocked(&mut publisher);
    assert_eq!(publisher.method().1.get_amqp_method_id(), 11);
    assert_eq!(ready(&broker, "q"), 2);
}

#[test]
fn what_came_before_the_publish_is_done_and_a_message_without_a_body_passes() {
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    let mut other = Client::with_channel(address);
    broker.set_memory_alarm(true);
    let mut input = frames::queue_declare(1, "q", false);
    input.extend(frames::publish(1, "q", b""));
    input.extend(frames::publish(1, "q", b"held back"));
    input.extend(frames::queue_declare(1, "q", false));
    publisher.send(&input);
    assert_eq!(publisher.method().1.get_amqp_method_id(), 11);
    assert_blocked(&mut publisher);
    assert_eq!(other.declare("q"), 1);
    broker.set_memory_alarm(false);
    assert_unblocked(&mut publisher);
    assert_eq!(publisher.method().1.get_amqp_method_id(), 11);
    assert_eq!(ready(&broker, "q"), 2);
    // In pieces it is the same.
    broker.set_memory_alarm(true);
    for octet in frames::publish(1, "q", b"piece by piece") {
        publisher.send(&[octet]);
    }
    assert_blocked(&mut publisher);
    assert_eq!(other.declare("q"), 2);
    broker.set_memory_alarm(false);
    assert_unblocked(&mut publisher);
    assert_eq!(publisher.declare("q"), 3);
}

#[test]
fn a_transaction_counts_as_memory() {
    let (broker, address) = listening(short_of_memory());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.ask(&frames::tx_select(1));
    client.flood(&frames::publish(1, "q", &[0; 1000]), 64 << 20).expect("it is held back");
    assert_blocked(&mut client);
    assert_eq!(ready(&broker, "q"), 0);
    drop(client);
    // A blocked client is not read, so that its end shows when the alarm is over.
    broker.set_memory_alarm(false);
}

#[test]
fn an_unfinished_body_counts_as_memory() {
    let (broker, address) = listening(short_of_memory());
    let mut client = Client::with_channel(address);
    client.declare("q");
    let mut part = frames::basic_publish(1, "q", false);
    part.extend(frames::header(1, 10_000_000));
    client.send(&part);
    for _ in 0..10 {
        client.send(&frames::frame(3, 1, &[0; 100_000]));
    }
    assert_blocked(&mut client);
    assert!(broker.memory_total() > WATERMARK);
    client.send(&frames::connection_close());
    drop(client);
}

#[test]
fn blocked_connections_that_end_are_forgotten() {
    // On this clock no client is asked whether it is there still: it would go before it is read.
    let clock = ManualClock::new(Timestamp::from_millis(0));
    let broker = Broker::builder().manual_clock(clock).manual_clock_on_sockets().build();
    let address = broker.listen("127.0.0.1:0").unwrap();
    let mut client = Client::with_channel(address);
    client.declare("q");
    broker.set_memory_alarm(true);
    for _ in 0..20 {
        let mut publisher = Client::with_channel(address);
        publisher.send(&frames::publish(1, "q", b"x"));
        assert_blocked(&mut publisher);
    }
    broker.set_memory_alarm(false);
    wait_until("one connection is left", || broker.connection_count() == 1);
    // What was held back is read before the end.
    assert_eq!(client.declare("q"), 20);
}

#[test]
fn a_publisher_that_goes_away_while_it_is_held_back_is_noticed() {
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    publisher.declare("q");
    broker.set_memory_alarm(true);
    publisher.send(&frames::publish(1, "q", b"first"));
    assert_blocked(&mut publisher);
    // What it sends from now on nobody reads.
    publisher.send(&frames::publish(1, "q", b"second"));
    drop(publisher);
    wait_until("the connection is gone", || broker.connection_count() == 0);
}
