//! Clients that ask for much and read nothing.

use std::io::Write;
use std::time::Duration;

use amq_protocol::protocol::{AMQPClass, basic};
use leveret::Limits;

use crate::client::{Client, Frame};
use crate::{counts, frames, listening, ready, wait_until};

/// What an outbox and the sockets of both sides hold at most, generously: none of the queues here
/// is smaller than twice that.
const IN_FLIGHT: usize = 16 * 1024 * 1024;

/// A queue with this many messages of `size` octets, each beginning with its number.
fn filled(client: &mut Client, queue: &str, count: u32, size: usize) {
    client.declare(queue);
    client.send(&frames::confirm_select(1));
    client.method();
    let mut body = vec![b'.'; size];
    let mut batch = Vec::new();
    for number in 0..count {
        body[..4].copy_from_slice(&number.to_be_bytes());
        batch.extend(frames::publish(1, queue, &body));
        if batch.len() > 1 << 20 {
            client.send(&batch);
            batch.clear();
        }
    }
    client.send(&batch);
    let mut confirmed = 0;
    while confirmed < u64::from(count) {
        match client.method().1 {
            AMQPClass::Basic(basic::AMQPMethod::Ack(ack)) => confirmed = ack.delivery_tag,
            other => panic!("no confirm but {other:?}"),
        }
    }
}

fn number(body: &[u8]) -> u32 {
    u32::from_be_bytes(body[..4].try_into().unwrap())
}

#[test]
fn a_consumer_that_never_reads_keeps_the_rest_in_the_queue() {
    const COUNT: u32 = 8_000;
    const SIZE: usize = 4_000;
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    publisher.declare("q");
    publisher.declare("other");
    let mut stalled = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    stalled.consume("q", "stalled", true);
    // The publisher is not held back: all its messages are confirmed.
    filled(&mut publisher, "q", COUNT, SIZE);
    let left = ready(&broker, "q");
    assert!((COUNT as usize - left) * SIZE < IN_FLIGHT, "only {left} messages are left");
    // Nor are others, of this queue and of another.
    let mut other = Client::with_channel(address);
    other.consume("other", "b", true);
    other.send(&frames::publish(1, "other", b"fresh"));
    assert_eq!(other.content().body, b"fresh");
    let mut twin = Client::with_channel(address);
    twin.send(&frames::get(1, "q", false));
    let first_left = number(&twin.content().body);
    drop(twin);
    wait_until("the message is back", || counts(&broker, "q").unacked == 0);
    // It changes its mind, and gets everything in order.
    for expected in 0..COUNT {
        let content = stalled.content();
        assert_eq!(number(&content.body), expected);
        assert_eq!(content.delivery().redelivered, expected == first_left);
    }
    assert_eq!(ready(&broker, "q"), 0);
}

#[test]
fn a_consumer_that_never_reads_leaves_the_queue_to_others() {
    const COUNT: u32 = 8_000;
    const SIZE: usize = 4_000;
    let (broker, address) = listening(Limits::default());
    let mut stalled = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    stalled.declare("q");
    stalled.consume("q", "stalled", false);
    let mut publisher = Client::with_channel(address);
    filled(&mut publisher, "q", COUNT, SIZE);
    let left = ready(&broker, "q");
    assert!((COUNT as usize - left) * SIZE < IN_FLIGHT, "only {left} messages are left");
    let mut healthy = Client::with_channel(address);
    healthy.consume("q", "healthy", true);
    let first = number(&healthy.content().body);
    assert_eq!(first as usize, COUNT as usize - left);
    for expected in first + 1..COUNT {
        assert_eq!(number(&healthy.content().body), expected);
    }
    // What the stalled one had is not lost when it goes.
    assert_eq!(counts(&broker, "q").unacked, first as usize);
    drop(stalled);
    for expected in 0..first {
        assert_eq!(number(&healthy.content().body), expected);
    }
}

#[test]
fn a_backlog_reaches_a_consumer_that_reads_all_of_it() {
    const COUNT: u32 = 12_000;
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    filled(&mut client, "q", COUNT, 1_000);
    for _ in 0..2 {
        // Left unacknowledged by one channel, the backlog reaches the next.
        let mut consumer = Client::with_channel(address);
        consumer.consume("q", "c", false);
        for expected in 0..COUNT {
            assert_eq!(number(&consumer.content().body), expected);
        }
        consumer.send(&frames::channel_close(1));
        consumer.method();
    }
}

#[test]
fn large_messages_do_not_pile_up_before_a_consumer() {
    const SIZE: usize = 1 << 20;
    const COUNT: u32 = 60;
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    filled(&mut publisher, "q", COUNT, SIZE);
    let mut stalled = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    stalled.consume("q", "stalled", true);
    let left = ready(&broker, "q");
    assert!((COUNT as usize - left) * SIZE < IN_FLIGHT, "only {left} messages are left");
    for expected in 0..COUNT {
        assert_eq!(number(&stalled.content().body), expected);
    }
}

#[test]
fn replies_to_basic_get_are_bounded() {
    const SIZE: usize = 16 * 1024;
    const COUNT: u32 = 2_500;
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    filled(&mut publisher, "q", COUNT, SIZE);
    let mut greedy = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    greedy.flood(&frames::get(1, "q", true), 64 << 20).expect("the broker stops reading");
    let left = ready(&broker, "q");
    assert!((COUNT as usize - left) * SIZE < IN_FLIGHT, "only {left} messages are left");
    assert_eq!(publisher.declare("q") as usize, left);
    for expected in 0..COUNT {
        assert_eq!(number(&greedy.content().body), expected);
    }
}

#[test]
fn returned_messages_are_bounded() {
    let (_broker, address) = listening(Limits::default());
    let mut bystander = Client::with_channel(address);
    let mut deaf = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    let publish = frames::publish_mandatory(1, "nowhere");
    let sent = deaf.flood(&publish, 128 << 20).expect("the broker stops reading");
    assert_eq!(bystander.declare("undisturbed"), 0);
    for _ in 0..sent / publish.len() {
        let returned = deaf.content().method;
        assert!(matches!(returned, AMQPClass::Basic(basic::AMQPMethod::Return(_))));
    }
}

#[test]
fn refusals_of_publishes_are_bounded() {
    let (_broker, address) = listening(Limits::default());
    let mut deaf = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    let mut arguments =
        b"\x0cx-max-lengthI\0\0\0\0\x0ax-overflowS\0\0\0\x0ereject-publish".to_vec();
    arguments.splice(0..0, (arguments.len() as u32).to_be_bytes());
    deaf.ask(&frames::queue_declare_with(1, "full", &arguments));
    deaf.ask(&frames::confirm_select(1));
    // One that is confirmed in between, so that no two refusals are one.
    let mut publish = frames::publish(1, "full", b"");
    publish.extend(frames::publish(1, "nowhere", b""));
    let sent = deaf.flood(&publish, 128 << 20).expect("the broker stops reading");
    for expected in 1..=(sent / publish.len()) as u64 {
        match deaf.method().1 {
            AMQPClass::Basic(basic::AMQPMethod::Nack(nack)) => {
                assert_eq!(nack.delivery_tag, 2 * expected - 1);
            }
            other => panic!("no refusal but {other:?}"),
        }
        let confirmed = deaf.method().1;
        assert!(matches!(confirmed, AMQPClass::Basic(basic::AMQPMethod::Ack(_))), "{confirmed:?}");
    }
}

#[test]
fn confirms_that_nobody_reads_are_few() {
    const COUNT: usize = 200_000;
    let (broker, address) = listening(Limits::default());
    let mut deaf = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    deaf.declare("q");
    deaf.ask(&frames::confirm_select(1));
    let publish = frames::publish(1, "q", b"");
    assert_eq!(deaf.flood(&publish, publish.len() * COUNT), None);
    wait_until("all are there", || ready(&broker, "q") >= COUNT);
    let (mut confirms, mut confirmed) = (0, 0);
    while confirmed < COUNT as u64 {
        match deaf.method().1 {
            AMQPClass::Basic(basic::AMQPMethod::Ack(ack)) => confirmed = ack.delivery_tag,
            other => panic!("no confirm but {other:?}"),
        }
        confirms += 1;
    }
    assert!(confirms < COUNT / 4, "{confirms} confirms of {COUNT} publishes");
}

#[test]
fn direct_replies_that_nobody_reads_are_bounded() {
    let (_broker, address) = listening(Limits::default());
    let mut requester = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    requester.declare("requests");
    requester.consume("amq.rabbitmq.reply-to", "replies", true);
    requester.send(&frames::basic_publish(1, "requests", false));
    let mut header = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 21];
    header.extend(b"amq.rabbitmq.reply-to");
    requester.send(&frames::frame(2, 1, &header));
    let mut replier = Client::with_channel(address);
    let reply_to = loop {
        replier.send(&frames::get(1, "requests", true));
        if replier.method().1.get_amqp_method_id() == 71 {
            match replier.frame() {
                Some(Frame::Header(_, properties)) => break properties,
                other => panic!("no header but {other:?}"),
            }
        }
    };
    let key = String::from_utf8(reply_to[3..].to_vec()).unwrap();
    let mut reply = frames::basic_publish(1, &key, true);
    reply.extend(frames::header(1, 1 << 20));
    for _ in 0..16 {
        reply.extend(frames::frame(3, 1, &[b'r'; 1 << 16]));
    }
    let mut writer = replier.socket.try_clone().unwrap();
    let writing = std::thread::spawn(move || while writer.write_all(&reply).is_ok() {});
    // Those that find no room come back.
    let returned = replier.content();
    assert!(matches!(returned.method, AMQPClass::Basic(basic::AMQPMethod::Return(_))));
    replier.socket.shutdown(std::net::Shutdown::Both).unwrap();
    writing.join().unwrap();
    assert_eq!(requester.content().body.len(), 1 << 20);
}

#[test]
fn a_client_that_does_not_read_its_connection_close_is_dropped() {
    let limits = Limits::new().close_timeout_ms(100);
    let (broker, address) = listening(limits);
    let mut publisher = Client::with_channel(address);
    filled(&mut publisher, "q", 2_000, 16 * 1024);
    let mut deaf = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    deaf.consume("q", "deaf", false);
    deaf.send(&frames::frame(9, 1, b"garbage"));
    wait_until("its messages are back", || ready(&broker, "q") == 2_000);
    wait_until("its socket is closed", || deaf.socket_is_closed());
    // Nor does silence after a close help one that reads.
    let mut mute = Client::open(address);
    mute.send(&frames::frame(9, 0, b"garbage"));
    assert!(mute.connection_closed().starts_with("501"));
    mute.ended();
}

#[test]
fn closing_the_broker_does_not_wait_for_the_deaf() {
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    filled(&mut publisher, "q", 2_000, 16 * 1024);
    drop(publisher);
    let mut deaf = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
    deaf.consume("q", "deaf", true);
    broker.close("enough", Duration::from_millis(50));
    assert_eq!(broker.connection_count(), 0);
    wait_until("its socket is closed", || deaf.socket_is_closed());
}

#[test]
fn consumers_of_a_slow_connection_take_turns() {
    const COUNT: u32 = 8_000;
    const SIZE: usize = 4_000;
    let (_broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    publisher.declare("rare");
    filled(&mut publisher, "backlog", COUNT, SIZE);
    let mut slow = Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1).channel(2);
    slow.ask(&frames::consume(2, "rare", "r", true));
    slow.consume("backlog", "b", true);
    publisher.send(&frames::publish(1, "rare", b"here"));
    publisher.method();
    let before = (0..COUNT).take_while(|_| slow.content().body != b"here").count();
    assert!(before * SIZE < IN_FLIGHT, "served after {before} of the backlog");
}
