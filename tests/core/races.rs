//! What several threads, several queues or several consumers of a channel do to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use leveret::{Broker, Consume, Limits, ManualClock, Publish};

use crate::support::{World, int, table};

/// Time that nothing takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn consumers_that_share_a_prefetch_take_turns() {
    let world = World::new();
    let channel = world.open_channel();
    channel.basic_qos_global(1).unwrap();
    let queues = ["a", "b", "c"];
    for queue in queues {
        world.declare(queue);
        world.publish(queue, ["m"; 20]);
    }
    let consumers = queues.map(|queue| channel.basic_consume(queue).unwrap());
    let mut taken = [0; 3];
    for _ in 0..30 {
        for (consumer, taken) in consumers.iter().zip(&mut taken) {
            if let Some(delivery) = consumer.try_recv() {
                *taken += 1;
                delivery.ack().unwrap();
            }
        }
    }
    assert!(taken.iter().all(|&taken| taken >= 5), "{taken:?} of the three queues");
}

#[test]
fn a_shared_prefetch_holds_across_queues_that_are_fed_at_once() {
    const ROUNDS: usize = 3000;
    let broker = Broker::new();
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.basic_qos_global(1).unwrap();
    let queues = ["a", "b"];
    let consumers = queues.map(|queue| {
        channel.queue_declare(queue).unwrap();
        channel.basic_consume(queue).unwrap()
    });
    let host = broker.virtual_host("/").unwrap();
    let barrier = std::sync::Barrier::new(queues.len() + 1);
    thread::scope(|scope| {
        for queue in queues {
            let (channel, barrier) = (connection.open_channel().unwrap(), &barrier);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    barrier.wait();
                    channel.basic_publish(Publish::to_queue(queue).body("m")).unwrap();
                    barrier.wait();
                }
            });
        }
        let mut most = 0;
        for _ in 0..ROUNDS {
            barrier.wait();
            barrier.wait();
            let unacked = queues.map(|queue| host.queue(queue).unwrap().counts().unacked);
            most = most.max(unacked.iter().sum());
            for _ in queues {
                consumers.iter().filter_map(leveret::Consumer::try_recv).for_each(|delivery| {
                    delivery.ack().unwrap();
                });
            }
        }
        assert_eq!(most, 1, "unacknowledged under a shared prefetch of 1");
    });
}

#[test]
fn a_short_acknowledgement_timeout_counts_behind_a_long_one() {
    let world = World::new();
    world.declare("q");
    let [patient, impatient] = [60_000, 1000].map(|timeout_ms| {
        let channel = world.open_channel();
        channel.basic_qos(1).unwrap();
        let arguments = table([("x-consumer-timeout", int(timeout_ms))]);
        let consume = Consume::new("q").arguments(arguments);
        let consumer = channel.basic_consume_with(&consume).unwrap();
        (channel, consumer)
    });
    world.publish("q", ["a", "b"]);
    assert!(patient.1.try_recv().is_some() && impatient.1.try_recv().is_some());
    world.advance_ms(1000);
    assert!(impatient.0.basic_qos(1).is_err(), "its second is over");
    assert!(patient.0.basic_qos(1).is_ok());
}

#[test]
fn an_acknowledgement_timeout_begins_with_each_delivery() {
    let world = World::new();
    world.declare("q");
    let channel = world.open_channel();
    let arguments = table([("x-consumer-timeout", int(1000))]);
    let consume = Consume::new("q").arguments(arguments);
    let consumer = channel.basic_consume_with(&consume).unwrap();
    for _ in 0..5 {
        world.publish("q", ["m"]);
        world.advance_ms(700);
        consumer.try_recv().unwrap().ack().unwrap();
    }
    world.publish("q", ["m"]);
    world.advance_ms(999);
    assert!(channel.basic_qos(0).is_ok());
    world.advance_ms(1);
    assert!(channel.basic_qos(0).is_err());
}

#[test]
fn deliveries_wait_for_as_long_as_the_broker_says_unless_a_consumer_says_something_else() {
    let limits = Limits::new().consumer_timeout_ms(1000);
    let clock = ManualClock::default();
    let broker = Broker::builder().limits(limits).manual_clock(clock).build();
    let connection = broker.connect().unwrap();
    connection.open_channel().unwrap().queue_declare("q").unwrap();
    let [patient, other] = [Some(60_000), None].map(|timeout_ms| {
        let channel = connection.open_channel().unwrap();
        channel.basic_qos(1).unwrap();
        let arguments = timeout_ms.map(|ms| table([("x-consumer-timeout", int(ms))]));
        let consume = Consume::new("q").arguments(arguments.unwrap_or_default());
        let consumer = channel.basic_consume_with(&consume).unwrap();
        channel.basic_publish(Publish::to_queue("q").body("m")).unwrap();
        (channel, consumer)
    });
    assert!(patient.1.try_recv().is_some() && other.1.try_recv().is_some());
    broker.advance(Duration::from_millis(999));
    assert!(other.0.basic_qos(1).is_ok());
    broker.advance(Duration::from_millis(1));
    assert!(other.0.basic_qos(1).is_err());
    assert!(patient.0.basic_qos(1).is_ok());
}

/// Looks at a queue when it is woken.
struct Curious(leveret::QueueHandle, AtomicUsize);

impl Wake for Curious {
    fn wake(self: Arc<Self>) {
        self.0.counts();
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn whoever_is_woken_may_use_the_broker() {
    let (done, finished) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let world = World::new();
        world.declare("q");
        let queue = world.queue("q").unwrap();
        let mut consumer = world.channel.basic_consume("q").unwrap();
        let curious = Arc::new(Curious(queue, AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&curious));
        let mut context = Context::from_waker(&waker);
        let mut poll = || std::pin::Pin::new(&mut consumer).poll_next(&mut context);
        assert!(poll().is_pending());
        world.channel.queue_delete("q").unwrap();
        assert!(matches!(poll(), Poll::Ready(None)));
        assert_eq!(curious.1.load(Ordering::SeqCst), 1);
        done.send(()).unwrap();
    });
    assert!(finished.recv_timeout(PATIENCE).is_ok(), "woken while a lock is held");
}

#[test]
fn no_channel_outlives_its_connection() {
    let broker = Broker::new();
    for _ in 0..2000 {
        let connection = broker.connect().unwrap();
        let closing = AtomicBool::new(false);
        let opened: Vec<_> = thread::scope(|scope| {
            scope.spawn(|| {
                while !closing.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
                connection.close();
            });
            closing.store(true, Ordering::SeqCst);
            (0..50).map_while(|_| connection.open_channel().ok()).collect()
        });
        for channel in opened {
            assert!(channel.basic_qos(0).is_err(), "an open channel of a closed connection");
        }
    }
}

#[test]
fn a_declaration_does_not_mind_a_deletion() {
    let broker = Broker::new();
    let connection = broker.connect().unwrap();
    let (declaring, deleting) =
        (connection.open_channel().unwrap(), connection.open_channel().unwrap());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                deleting.queue_delete("q").unwrap();
            }
        });
        let refused = (0..20_000).find_map(|_| declaring.queue_declare("q").err());
        done.store(true, Ordering::SeqCst);
        assert_eq!(refused, None);
    });
}

#[test]
fn a_queue_that_is_declared_while_a_policy_changes_has_the_new_one() {
    let broker = Broker::new();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let host = broker.virtual_host("/").unwrap();
    let limit = |length| leveret::Policy::new("q").with("max-length", int(length));
    let barrier = std::sync::Barrier::new(2);
    for _ in 0..2000 {
        host.set_policy("p", limit(5)).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                host.set_policy("p", limit(1)).unwrap();
            });
            barrier.wait();
            channel.queue_declare("q").unwrap();
        });
        for _ in 0..3 {
            channel.basic_publish(Publish::to_queue("q").body("m")).unwrap();
        }
        assert_eq!(channel.queue_delete("q").unwrap(), 1);
    }
}

#[test]
fn a_restored_broker_counts_what_it_has_whatever_happens_meanwhile() {
    let world = World::new();
    let own_once = [("x-message-deduplication", leveret::AMQPValue::Boolean(true))];
    world.declare_with("once", own_once);
    world.declare("q");
    world.publish("q", ["a", "b", "c"]);
    let snapshot = world.broker.snapshot().unwrap();
    let is_over = AtomicBool::new(false);
    // The other worker may delete the queue at any time.
    let consume = |channel: &leveret::Channel| loop {
        channel.queue_declare("q").unwrap();
        if let Ok(consumer) = channel.basic_consume("q") {
            break consumer;
        }
    };
    let work = || {
        let channel = world.open_channel();
        channel.basic_qos_global(5).unwrap();
        let mut consumer = consume(&channel);
        for turn in 1_usize.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            for queue in ["q", "once"] {
                let publish = Publish::to_queue(queue).body("x".repeat(turn % 50));
                channel.basic_publish(publish).unwrap();
            }
            for delivery in std::iter::from_fn(|| consumer.try_recv()).take(10) {
                match turn {
                    _ if turn % 3 == 0 => delivery.ack(),
                    _ if turn % 2 == 0 => delivery.requeue(),
                    _ => delivery.reject(),
                }
                .unwrap();
            }
            // The queue may be gone for a moment.
            let _ = channel.basic_get("once").map(|got| got.map(|delivery| delivery.ack()));
            if turn % 100 == 0 {
                channel.queue_delete("q").unwrap();
                consumer = consume(&channel);
            }
        }
        // The limit is neither used up nor exceeded.
        drop(consumer);
        channel.basic_ack_multiple(0).unwrap();
        let own = channel.queue_declare("").unwrap().queue;
        for _ in 0..6 {
            channel.basic_publish(Publish::to_queue(own.as_str())).unwrap();
        }
        let consumer = channel.basic_consume(own.as_str()).unwrap();
        let taken: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
        assert_eq!(taken.len(), 5);
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for _ in 0..200 {
            world.broker.restore(&snapshot).unwrap();
            world.broker.snapshot().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let host = world.broker.virtual_host("/").unwrap();
    let held: usize = host.queues().iter().map(|queue| queue.counts().footprint).sum();
    assert_eq!(world.broker.memory_used(), held);
    world.broker.reset().unwrap();
    assert_eq!(world.broker.memory_used(), 0);
}
