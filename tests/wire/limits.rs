//! What one connection may ask for.

use amq_protocol::protocol::{AMQPClass, basic, queue};
use leveret::Limits;

use crate::client::Client;
use crate::{counts, frames, listening, ready, wait_until};

#[test]
fn channels_beyond_the_limit_end_the_connection() {
    let (_broker, address) = listening(Limits::new().channel_max(3));
    let mut client = Client::with_channel(address).channel(2).channel(65_535);
    client.send(&frames::channel_open(4));
    assert_eq!(
        client.connection_closed(),
        "530 NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)"
    );
}

#[test]
fn all_channels_can_be_opened_and_used() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    for number in 2..=2047 {
        client.send(&frames::channel_open(number));
    }
    for number in 2..=2047 {
        assert_eq!(client.method().0, number);
    }
    let all: Vec<u8> = (1..=2047).flat_map(|number| frames::publish(number, "q", b"x")).collect();
    client.send(&all);
    wait_until("all are in the queue", || ready(&broker, "q") == 2047);
}

#[test]
fn channels_can_be_opened_and_closed_for_ever() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.send(&frames::channel_close(1));
    client.method();
    let mut turn = frames::channel_open(1);
    turn.extend(frames::publish(1, "q", b"x"));
    turn.extend(frames::get(1, "q", false));
    turn.extend(frames::channel_close(1));
    for _ in 0..500 {
        client.send(&turn);
        client.method();
        assert_eq!(client.content().body, b"x");
        client.method();
    }
    // Nothing was acknowledged: every message came back to the head, where it was got again.
    assert_eq!((ready(&broker, "q"), counts(&broker, "q").unacked), (500, 0));
}

#[test]
fn soft_errors_for_ever() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::open(address);
    let mut turn = frames::channel_open(1);
    turn.extend(frames::get(1, "missing", true));
    turn.extend(frames::get(1, "dropped", true));
    turn.extend(frames::channel_close_ok(1));
    client.send(&turn.repeat(300));
    for _ in 0..300 {
        client.method();
        assert_eq!(client.channel_closed(), "404 NOT_FOUND - no queue 'missing' in vhost '/'");
    }
    client.open_channel(1);
}

#[test]
fn a_frame_that_is_too_large_is_refused_before_it_is_there() {
    let (_broker, address) = listening(Limits::new().frame_max(4096));
    for size in [4097, 1 << 20, u32::MAX] {
        let mut client = Client::with_channel(address);
        let mut claim = vec![1, 0, 1];
        claim.extend(size.to_be_bytes());
        client.send(&claim);
        let text = client.connection_closed();
        assert!(text.starts_with("501 FRAME_ERROR"), "{text}");
        assert!(text.contains("frame_too_large"), "{text}");
    }
}

#[test]
fn a_message_that_is_too_large_closes_the_channel_alone() {
    let (broker, address) = listening(Limits::new().message_size_max(1000));
    let mut client = Client::with_channel(address).channel(2);
    client.declare("q");
    for (size, body) in [(1001, 1001), (u64::MAX, 5000)] {
        client.send(&frames::basic_publish(2, "q", false));
        client.send(&frames::header(2, size));
        let text = client.channel_closed();
        let refused = format!(
            "406 PRECONDITION_FAILED - message size {size} is larger than configured max size 1000"
        );
        assert_eq!(text, refused);
        // The body was on its way and is dropped.
        client.send(&frames::frame(3, 2, &vec![0; body]));
        client.send(&frames::channel_close_ok(2));
        client.open_channel(2);
    }
    client.send(&frames::publish(2, "q", &[7; 1000]));
    wait_until("the largest message is there", || ready(&broker, "q") == 1);
}

#[test]
fn claimed_sizes_cost_nothing() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    // A body of 16 MiB on every channel, of which not an octet comes.
    for number in 2..=1000 {
        client.send(&frames::channel_open(number));
        client.send(&frames::basic_publish(number, "q", false));
        client.send(&frames::header(number, 16 * 1024 * 1024));
    }
    for number in 2..=1000 {
        assert_eq!(client.method().0, number);
    }
    assert_eq!(client.declare("q"), 0);
    let used = broker.memory_used();
    assert!(used < 1000 * 256, "{used} octets for names and places");
    // A table, and a name in it, that are longer than what holds them.
    for arguments in
        [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x05\xffaaaa", b"\0\0\0\x07\x01kS\xff\xff\xff\xff"]
    {
        let mut liar = Client::with_channel(address);
        liar.send(&frames::queue_declare_with(1, "q", arguments));
        let text = liar.connection_closed();
        assert!(text.starts_with("501 FRAME_ERROR") || text.starts_with("502"), "{text}");
    }
}

#[test]
fn deep_tables_are_refused() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    let deep = frames::queue_declare_with(1, "deep", &frames::nested_table(90));
    let reply = client.ask(&deep);
    assert!(matches!(reply, AMQPClass::Queue(queue::AMQPMethod::DeclareOk(_))), "{reply:?}");
    for depth in [101, 5_000, 17_000] {
        let mut client = Client::with_channel(address);
        client.send(&frames::queue_declare_with(1, "deeper", &frames::nested_table(depth)));
        let text = client.connection_closed();
        assert!(text.starts_with("501") || text.starts_with("502"), "{text}");
    }
}

#[test]
fn consumers_come_and_go_for_ever() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.declare("other");
    for turn in 0..500 {
        let tag = format!("consumer-{turn}");
        client.send(&frames::consume(1, "q", &tag, false));
        client.send(&frames::publish(1, "q", tag.as_bytes()));
        client.method();
        let content = client.content();
        assert_eq!(content.delivery().consumer_tag.as_str(), tag);
        assert_eq!(content.body, tag.as_bytes());
        client.send(&frames::ack(1, content.delivery().delivery_tag, false));
        client.send(&frames::cancel(1, &tag));
        let reply = client.method().1;
        assert!(matches!(reply, AMQPClass::Basic(basic::AMQPMethod::CancelOk(_))), "{reply:?}");
    }
    assert_eq!(counts(&broker, "q").consumers, 0);
    assert_eq!((ready(&broker, "q"), counts(&broker, "q").unacked), (0, 0));
}

#[test]
fn many_consumers_of_one_queue_disturb_nobody() {
    const CONSUMERS: usize = 5_000;
    let (broker, address) = listening(Limits::default());
    let mut bystander = Client::with_channel(address);
    bystander.declare("busy");
    bystander.declare("other");
    let mut client = Client::with_channel(address);
    let flood: Vec<u8> =
        (0..CONSUMERS).flat_map(|n| frames::consume(1, "busy", &n.to_string(), true)).collect();
    client.send(&flood);
    for _ in 0..CONSUMERS {
        client.method();
    }
    bystander.send(&frames::publish(1, "busy", b"x"));
    assert_eq!(client.content().body, b"x");
    drop(client);
    bystander.send(&frames::publish(1, "other", b"y"));
    assert_eq!(bystander.ask(&frames::get(1, "other", true)).get_amqp_method_id(), 71);
    wait_until("all consumers are gone", || counts(&broker, "busy").consumers == 0);
}

#[test]
fn exclusive_queues_come_and_go_for_ever() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    for turn in 0..1000 {
        let name = format!("mine-{turn}");
        client.send(&frames::queue_declare(1, &name, true));
        if turn != 999 {
            client.send(&frames::queue_delete(1, &name));
            client.method();
        }
        client.method();
    }
    assert_eq!(broker.virtual_host("/").unwrap().queues().len(), 1);
    drop(client);
    let host = broker.virtual_host("/").unwrap();
    wait_until("the exclusive queue is gone", || host.queues().is_empty());
}
