//! Ends: of sockets, consumers, queues, connections and the broker, while others go on.

use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use amq_protocol::protocol::{AMQPClass, basic, queue};
use leveret::{Broker, Limits, Machine, QueueDeclare};

use crate::client::{Client, Frame};
use crate::{PATIENCE, counts, frames, in_memory, listening, ready, wait_until};

#[test]
fn a_dropped_socket_gives_everything_back() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.ask(&frames::queue_declare(1, "mine", true));
    for _ in 0..10 {
        client.send(&frames::publish(1, "q", b"x"));
    }
    client.consume("q", "c", false);
    for _ in 0..10 {
        client.content();
    }
    drop(client);
    wait_until("the messages are back", || ready(&broker, "q") == 10);
    assert_eq!((counts(&broker, "q").unacked, counts(&broker, "q").consumers), (0, 0));
    let host = broker.virtual_host("/").unwrap();
    wait_until("the exclusive queue is gone", || host.queue("mine").is_err());
    let mut next = Client::with_channel(address);
    next.consume("q", "c", true);
    for _ in 0..10 {
        assert!(next.content().delivery().redelivered);
    }
}

#[test]
fn a_dropped_socket_does_not_feed_its_own_channels() {
    const CHANNELS: u16 = 10;
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    for number in 1..=CHANNELS {
        if number > 1 {
            client.open_channel(number);
        }
        client.ask(&frames::qos(number, 1));
        client.ask(&frames::consume(number, "q", "c", false));
    }
    let mut publisher = Client::with_channel(address);
    for number in 0..2 * CHANNELS {
        publisher.send(&frames::publish(1, "q", number.to_string().as_bytes()));
    }
    let sent: Vec<_> = (0..CHANNELS).map(|_| client.content().body).collect();
    drop(client);
    wait_until("the messages are back", || counts(&broker, "q").consumers == 0);
    publisher.consume("q", "c", true);
    for number in 0..2 * CHANNELS {
        let content = publisher.content();
        assert_eq!(content.body, number.to_string().into_bytes());
        assert_eq!(content.delivery().redelivered, sent.contains(&content.body), "{number}");
    }
}

#[test]
fn close_tells_all_and_waits_for_their_agreement() {
    let (broker, address) = listening(Limits::default());
    let mut clients: Vec<Client> = (0..3).map(|_| Client::with_channel(address)).collect();
    let idle = Client::new(address);
    thread::scope(|scope| {
        let closing = scope.spawn(|| broker.close("maintenance", PATIENCE));
        for client in &mut clients {
            let text = client.connection_closed();
            assert_eq!(text, "320 CONNECTION_FORCED - maintenance");
        }
        for client in &mut clients {
            assert!(!closing.is_finished(), "close did not wait");
            client.send(&frames::connection_close_ok());
            client.ended();
        }
        closing.join().unwrap();
    });
    assert_eq!(broker.connection_count(), 0);
    assert!(TcpStream::connect(address).is_err(), "it still listens");
    drop(idle);
}

#[test]
fn close_waits_no_longer_than_it_is_told() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    broker.close("at once", Duration::from_millis(20));
    assert_eq!(client.connection_closed(), "320 CONNECTION_FORCED - at once");
    client.ended();
}

#[test]
fn a_dropped_broker_says_so() {
    let (broker, address) = listening(Limits::default());
    let mut clients: Vec<Client> = (0..20).map(|_| Client::with_channel(address)).collect();
    drop(broker);
    for client in &mut clients {
        let text = client.connection_closed();
        assert_eq!(text, "320 CONNECTION_FORCED - broker was dropped");
        client.ended();
    }
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

fn tasks() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn sockets() -> usize {
    let is_socket = |entry: std::io::Result<std::fs::DirEntry>| {
        let target = std::fs::read_link(entry.ok()?.path()).ok()?;
        target.to_str()?.starts_with("socket:").then_some(())
    };
    std::fs::read_dir("/proc/self/fd").unwrap().filter_map(is_socket).count()
}

/// Set in the process that a test has started for itself.
const ALONE: &str = "LEVERET_WIRE_ALONE";

/// Counts threads and sockets, so it needs a process of its own.
#[test]
fn a_dropped_broker_leaves_nothing_behind() {
    if std::env::var_os(ALONE).is_some() {
        return drop_brokers();
    }
    let program = std::env::current_exe().unwrap();
    let name = "teardown::a_dropped_broker_leaves_nothing_behind";
    let output = Command::new(program).args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn drop_brokers() {
    let before = tasks();
    // A runtime leaves a pair of sockets for signals behind; its threads have a third one.
    drop(listening(Limits::default()));
    wait_until("all threads are gone", || tasks() == before);
    let sockets_before = sockets();
    for _ in 0..5 {
        let (broker, address) = listening(Limits::default());
        let mut client = Client::with_channel(address);
        // A deadline, so that there is a timer as well.
        let expires = b"\0\0\0\x0f\x09x-expiresI\0\0\xea\x60";
        client.ask(&frames::queue_declare_with(1, "q", expires));
        client.consume("q", "c", false);
        client.send(&frames::publish(1, "q", b"x"));
        client.content();
        let embedded = broker.connect().unwrap();
        let channel = embedded.open_channel().unwrap();
        let consumer = channel.basic_consume("q").unwrap();
        assert!(tasks() > before);
        drop(broker);
        assert!(TcpStream::connect(address).is_err(), "it still listens");
        client.ended();
        drop(consumer);
        drop((channel, embedded, client));
        wait_until("all threads are gone", || tasks() == before);
        assert_eq!(sockets(), sockets_before, "sockets are left");
    }
}

#[test]
fn a_broker_can_be_dropped_by_a_task() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (broker, address) = listening(Limits::default());
        let client = Client::with_channel(address);
        drop(broker);
        drop(client);
    });
}

#[test]
fn publishes_race_with_deletions_of_their_queue() {
    const COUNT: u64 = 3_000;
    let (_broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    publisher.declare("q");
    publisher.ask(&frames::confirm_select(1));
    let deleting = thread::spawn(move || {
        let mut client = Client::with_channel(address);
        for _ in 0..300 {
            client.ask(&frames::queue_delete(1, "q"));
            client.declare("q");
        }
    });
    let publish = frames::publish(1, "q", &[1; 100]).repeat(30);
    for _ in 0..COUNT / 30 {
        publisher.send(&publish);
    }
    let mut confirmed = 0;
    while confirmed < COUNT {
        match publisher.method().1 {
            AMQPClass::Basic(basic::AMQPMethod::Ack(ack)) => confirmed = ack.delivery_tag,
            other => panic!("no confirm but {other:?}"),
        }
    }
    deleting.join().unwrap();
    publisher.send(&frames::queue_delete(1, "q"));
    assert_eq!(publisher.method().1.get_amqp_method_id(), 41);
}

#[test]
fn nothing_is_delivered_after_cancel_ok() {
    let (_broker, address) = listening(Limits::default());
    let mut consumer = Client::with_channel(address);
    consumer.declare("q");
    let mut publisher = Client::with_channel(address);
    let publishing = thread::spawn(move || {
        let batch = frames::publish(1, "q", b"x").repeat(10);
        for _ in 0..1_000 {
            publisher.send(&batch);
        }
    });
    let mut delivered = 0;
    for turn in 0..100 {
        let tag = turn.to_string();
        consumer.send(&frames::consume(1, "q", &tag, true));
        consumer.send(&frames::cancel(1, &tag));
        let mut consuming = false;
        loop {
            match consumer.frame() {
                Some(Frame::Method(1, AMQPClass::Basic(method))) => match method {
                    basic::AMQPMethod::ConsumeOk(_) => consuming = true,
                    basic::AMQPMethod::CancelOk(_) => break,
                    basic::AMQPMethod::Deliver(deliver) => {
                        assert!(consuming && deliver.consumer_tag.as_str() == tag);
                        delivered += 1;
                    }
                    other => panic!("{other:?}"),
                },
                Some(Frame::Header(..) | Frame::Body(..)) => assert!(consuming),
                other => panic!("{other:?}"),
            }
        }
    }
    publishing.join().unwrap();
    // What was not delivered is still there.
    consumer.consume("q", "rest", true);
    for _ in delivered..10_000 {
        consumer.content();
    }
    assert_eq!(consumer.declare("q"), 0);
}

#[test]
fn connections_come_and_go_while_others_publish() {
    const COUNT: u32 = 20_000;
    let (broker, address) = listening(Limits::default());
    let mut consumer = Client::with_channel(address);
    consumer.declare("q");
    consumer.consume("q", "c", true);
    thread::scope(|scope| {
        for visitor in 0..4 {
            scope.spawn(move || {
                for turn in 0..40 {
                    let mut client = Client::with_channel(address);
                    client.ask(&frames::queue_declare(1, &format!("of-{visitor}"), true));
                    client.send(&frames::publish(1, "nowhere", b"x"));
                    if turn % 2 == 0 {
                        client.ask(&frames::connection_close());
                        continue;
                    }
                    // The name is free only when the broker has seen the end of the socket.
                    client.ask(&frames::queue_delete(1, &format!("of-{visitor}")));
                }
            });
        }
        scope.spawn(move || {
            let mut publisher = Client::with_channel(address);
            for number in 0..COUNT {
                publisher.send(&frames::publish(1, "q", &number.to_be_bytes()));
            }
            publisher.ask(&frames::connection_close());
        });
        for number in 0..COUNT {
            assert_eq!(consumer.content().body, number.to_be_bytes());
        }
    });
    wait_until("one connection is left", || broker.connection_count() == 1);
    assert_eq!(Broker::connection_count(&broker), 1);
}

#[test]
fn a_connection_that_waits_for_the_disk_is_lost_with_the_broker() {
    let broker = Broker::builder().open_on_machine(&Machine::new()).unwrap();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let durable = QueueDeclare::new("d").durable();
    channel.queue_declare_with(&durable).unwrap();
    channel.queue_declare("q").unwrap();
    let _consumer = channel.basic_consume("q").unwrap();
    let mut client = in_memory::opened(&broker, 0);
    // The delivery crashes the broker while the purge waits for the disk.
    let rule = broker.faults().deliveries().crash();
    let purge = queue::Purge { queue: "d".into(), nowait: false };
    let purge = AMQPClass::Queue(queue::AMQPMethod::Purge(purge));
    client.send(&[frames::publish(1, "q", b"x"), frames::method(1, purge)].concat());
    client.ended();
    assert_eq!(rule.fired(), 1);
}
