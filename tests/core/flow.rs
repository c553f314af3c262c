//! Consumers that are slow, asynchronous, or shared among threads.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures_core::Stream;
use leveret::internals::MAILBOX_HIGH;
use leveret::{Broker, Consume, Consumer, Delivery, Publish};

use crate::support::{World, text};

/// Counts how often a task is woken.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(consumer: &mut Consumer, alarm: &Arc<Alarm>) -> Poll<Option<Delivery>> {
    let waker = Waker::from(Arc::clone(alarm));
    Pin::new(consumer).poll_next(&mut Context::from_waker(&waker))
}

fn wakes(alarm: &Alarm) -> usize {
    alarm.0.load(Ordering::SeqCst)
}

#[test]
fn a_consumer_is_a_stream_that_wakes_its_task() {
    let world = World::new();
    world.declare("q");
    let mut consumer = world.channel.basic_consume("q").unwrap();
    let alarm = Arc::new(Alarm::default());
    assert!(poll(&mut consumer, &alarm).is_pending());
    assert_eq!(wakes(&alarm), 0);
    world.publish("q", ["a", "b"]);
    assert_eq!(wakes(&alarm), 1);
    for body in ["a", "b"] {
        let Poll::Ready(Some(delivery)) = poll(&mut consumer, &alarm) else { panic!("a delivery") };
        assert_eq!(text(&delivery), body);
        delivery.ack().unwrap();
    }
    assert!(poll(&mut consumer, &alarm).is_pending());
    world.channel.queue_delete("q").unwrap();
    assert_eq!(wakes(&alarm), 2);
    assert!(matches!(poll(&mut consumer, &alarm), Poll::Ready(None)));
}

#[test]
fn a_stream_ends_with_its_broker() {
    let World { broker, connection: _connection, channel } = World::new();
    channel.queue_declare("q").unwrap();
    let mut consumer = channel.basic_consume("q").unwrap();
    let alarm = Arc::new(Alarm::default());
    assert!(poll(&mut consumer, &alarm).is_pending());
    drop(broker);
    assert_eq!(wakes(&alarm), 1);
    assert!(matches!(poll(&mut consumer, &alarm), Poll::Ready(None)));
}

fn flood(world: &World, queue: &str, count: usize) {
    let publish = Publish::to_queue(queue).body("m");
    for _ in 0..count {
        world.channel.basic_publish(publish.clone()).unwrap();
    }
}

fn without_ack(queue: &str) -> Consume {
    Consume::new(queue).no_ack()
}

#[test]
fn a_consumer_that_takes_nothing_is_not_fed_without_end() {
    let world = World::new();
    world.declare("q");
    let consumer = world.channel.basic_consume_with(&without_ack("q")).unwrap();
    let count = 2 * MAILBOX_HIGH;
    flood(&world, "q", count);
    let kept = world.ready("q");
    assert!(kept > 0 && kept >= count - MAILBOX_HIGH - 64, "{kept} stay in the queue");
    let taken = (0..count).filter(|_| consumer.try_recv().is_some()).count();
    assert_eq!((taken, world.ready("q")), (count, 0));
}

#[test]
fn a_backlog_is_handed_out_in_portions() {
    let world = World::new();
    world.declare("q");
    let count = 2 * MAILBOX_HIGH;
    flood(&world, "q", count);
    let consumer = world.channel.basic_consume("q").unwrap();
    assert!(world.counts("q").unacked < MAILBOX_HIGH + 64);
    for _ in 0..count {
        consumer.try_recv().expect("the next one").ack().unwrap();
    }
    assert_eq!((world.ready("q"), world.counts("q").unacked), (0, 0));
}

#[test]
fn the_end_of_a_full_consumer_lets_the_others_of_the_channel_go_on() {
    let world = World::new();
    world.declare("p");
    world.declare("q");
    let channel = world.open_channel();
    let full = channel.basic_consume_with(&without_ack("p")).unwrap();
    let other = channel.basic_consume("q").unwrap();
    flood(&world, "p", MAILBOX_HIGH + 100);
    flood(&world, "q", 1);
    assert!(other.try_recv().is_none());
    drop(full);
    assert!(other.try_recv().is_some());
}

#[test]
fn what_a_deleted_queue_left_behind_takes_no_room() {
    let world = World::new();
    let channel = world.open_channel();
    for _ in 0..3 {
        world.declare("q");
        let consumer = channel.basic_consume("q").unwrap();
        flood(&world, "q", MAILBOX_HIGH);
        world.channel.queue_delete("q").unwrap();
        drop(consumer);
    }
    world.declare("q");
    let consumer = channel.basic_consume("q").unwrap();
    flood(&world, "q", 1);
    assert!(consumer.try_recv().is_some());
}

#[test]
fn many_threads_get_every_message_once() {
    const PRODUCERS: usize = 4;
    const CONSUMERS: usize = 4;
    const EACH: usize = 500;
    let broker = Broker::new();
    let connection = broker.connect().unwrap();
    connection.open_channel().unwrap().queue_declare("q").unwrap();
    let seen: Vec<BTreeSet<String>> = thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let channel = connection.open_channel().unwrap();
            scope.spawn(move || {
                for number in 0..EACH {
                    let body = format!("{producer}-{number}");
                    channel.basic_publish(Publish::to_queue("q").body(body)).unwrap();
                }
            });
        }
        let left = Arc::new(AtomicUsize::new(PRODUCERS * EACH));
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|_| {
                let channel = connection.open_channel().unwrap();
                channel.basic_qos(10).unwrap();
                let consumer = channel.basic_consume("q").unwrap();
                let (left, broker) = (Arc::clone(&left), &broker);
                scope.spawn(move || consume_until_none_left(&consumer, &left, broker))
            })
            .collect();
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect()
    });
    let total: usize = seen.iter().map(BTreeSet::len).sum();
    let all: BTreeSet<_> = seen.into_iter().flatten().collect();
    assert_eq!((total, all.len()), (PRODUCERS * EACH, PRODUCERS * EACH));
    assert_eq!(broker.memory_used(), 0);
}

/// Returns the bodies that this consumer acknowledged; every third is returned once before. The
/// last acknowledgement of all closes the broker, which ends the others.
fn consume_until_none_left(
    consumer: &Consumer,
    left: &AtomicUsize,
    broker: &Broker,
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (turn, delivery) in consumer.iter().enumerate() {
        if turn % 3 == 0 && !delivery.redelivered() {
            delivery.requeue().unwrap();
            continue;
        }
        delivery.ack().unwrap();
        assert!(seen.insert(text(&delivery)), "acknowledged twice: {delivery:?}");
        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
            broker.close("done", std::time::Duration::ZERO);
        }
    }
    seen
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(text).collect()
}

#[test]
fn a_consumer_takes_what_is_there_at_once() {
    let world = World::new();
    world.declare("q");
    let consumer = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["a", "b", "c"]);
    assert!(consumer.recv_many(0).is_empty());
    assert_eq!(texts(&consumer.recv_many(2)), ["a", "b"]);
    let last = consumer.recv_many(5);
    assert_eq!(texts(&last), ["c"]);
    last[0].ack_multiple().unwrap();
    assert_eq!(world.counts("q").unacked, 0);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| texts(&consumer.recv_many(5)));
        world.publish("q", ["d"]);
        assert_eq!(waiting.join().unwrap(), ["d"]);
    });
    world.channel.queue_delete("q").unwrap();
    assert!(consumer.recv_many(5).is_empty());
}

#[test]
fn who_takes_many_at_once_makes_room_for_more() {
    let world = World::new();
    world.declare("q");
    let consumer = world.channel.basic_consume_with(&without_ack("q")).unwrap();
    let count = 3 * MAILBOX_HIGH;
    flood(&world, "q", count);
    let mut taken = 0;
    while taken < count {
        taken += consumer.recv_many(1000).len();
    }
    assert_eq!((taken, world.ready("q")), (count, 0));
}

#[test]
fn threads_that_publish_runs_on_one_channel_each_hear_of_their_own() {
    const EACH: usize = 1000;
    let world = World::new();
    world.declare("q");
    thread::scope(|scope| {
        let publish = || {
            let run = (0..EACH).map(|_| Publish::to_queue("q").body("m"));
            let nowhere = Publish::to_queue("nowhere").body("m").mandatory();
            world.channel.publish_all(run.chain([nowhere])).unwrap()
        };
        let threads = [(); 4].map(|()| scope.spawn(publish));
        let confirmed = threads.map(|thread| thread.join().unwrap());
        assert_eq!(confirmed, [EACH; 4]);
    });
    assert_eq!(world.ready("q"), 4 * EACH);
}

#[test]
fn threads_share_one_consumer() {
    let world = World::new();
    world.declare("q");
    let consumer = world.channel.basic_consume_with(&without_ack("q")).unwrap();
    let taken = AtomicUsize::new(0);
    let channel = &world.channel;
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while consumer.recv().is_some() {
                    if taken.fetch_add(1, Ordering::SeqCst) + 1 == 300 {
                        channel.queue_delete("q").unwrap();
                    }
                }
            });
        }
        flood(&world, "q", 300);
    });
    assert_eq!(taken.load(Ordering::SeqCst), 300);
}
