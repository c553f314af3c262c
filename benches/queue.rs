//! What a message costs in a queue: the machine alone, and through the embedded API.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

use std::cell::Cell;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leveret::Message;
use leveret::internals::ChannelId;
use leveret::internals::Effects;
use leveret::internals::{Arrival, QueueArguments, QueueStorage, Room, Settlement, State};
use leveret::internals::{Body, Parts};
use leveret::{Broker, Channel, Consume, ManualClock, Publish, Timestamp};

/// Messages in one round.
const ROUND: u64 = 100;
const BODY: &[u8] = b"sixteen octets!!";
const ME: ChannelId = ChannelId { connection: 1, number: 1 };

fn message() -> Message {
    let parts = Parts {
        exchange: b"",
        routing_key: b"q",
        properties: &[0, 0],
        expiration_ms: None,
        body: Body::Borrowed(BODY),
    };
    Message::new(parts, &mut Vec::new())
}

/// A message that is in no store, in the order in which it comes.
fn arrival(message: &Message) -> Arrival {
    thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
    let sequence = NEXT.get();
    NEXT.set(sequence + 1);
    Arrival { message: message.clone(), sequence, stored: false, room: Room::Refused }
}

/// The machine with nothing around it: no lock, no channel, no routing.
fn state(criterion: &mut Criterion) {
    let now = Timestamp::from_millis(1_000_000);
    let mut group = criterion.benchmark_group("queue state");
    group.throughput(Throughput::Elements(ROUND));
    let message = message();
    for backlog in [0u32, 100_000] {
        let mut state = State::new(&QueueArguments::default(), QueueStorage::default(), now);
        let mut effects = Effects::new();
        for _ in 0..backlog {
            state.enqueue(arrival(&message), now, &mut effects);
        }
        group.bench_function(format!("enqueue, get/backlog {backlog}"), |bencher| {
            bencher.iter(|| {
                for _ in 0..ROUND {
                    state.enqueue(black_box(arrival(&message)), now, &mut effects);
                    black_box(state.get(true, ME, now, &mut effects).expect("a ready message"));
                }
            });
        });
        group.bench_function(format!("enqueue, get, ack/backlog {backlog}"), |bencher| {
            bencher.iter(|| {
                for _ in 0..ROUND {
                    state.enqueue(black_box(arrival(&message)), now, &mut effects);
                    let (id, ..) =
                        state.get(false, ME, now, &mut effects).expect("a ready message");
                    state.settle([id], Settlement::Ack, now, &mut effects);
                }
            });
        });
        state.enqueue(arrival(&message), now, &mut effects);
        group.bench_function(format!("get, requeue/backlog {backlog}"), |bencher| {
            bencher.iter(|| {
                for _ in 0..ROUND {
                    let (id, ..) =
                        state.get(false, ME, now, &mut effects).expect("a ready message");
                    state.settle([id], Settlement::Requeue, now, &mut effects);
                }
            });
        });
    }
    group.finish();
}

fn open() -> (Broker, Channel) {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let channel = broker.connect().and_then(|connection| connection.open_channel());
    let channel = channel.expect("an open broker");
    channel.queue_declare("q").expect("a new queue");
    (broker, channel)
}

fn embedded(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("embedded");
    group.throughput(Throughput::Elements(ROUND));
    let publish = Publish::to_queue("q").body(BODY);
    let (_broker, channel) = open();
    group.bench_function("publish, get", |bencher| {
        bencher.iter(|| {
            for _ in 0..ROUND {
                channel.basic_publish(publish.clone()).expect("published");
                channel.basic_get_no_ack("q").expect("a queue").expect("a message");
            }
        });
    });
    group.bench_function("publish, get, ack", |bencher| {
        bencher.iter(|| {
            for _ in 0..ROUND {
                channel.basic_publish(publish.clone()).expect("published");
                let delivery = channel.basic_get("q").expect("a queue").expect("a message");
                delivery.ack().expect("acknowledged");
            }
        });
    });
    group.bench_function("publish and confirm, get", |bencher| {
        let (_broker, channel) = open();
        bencher.iter(|| {
            for _ in 0..ROUND {
                assert!(channel.publish(publish.clone()).wait().expect("a publish").is_ack());
                channel.basic_get_no_ack("q").expect("a queue").expect("a message");
            }
        });
    });
    channel.basic_publish(publish.clone()).expect("published");
    group.bench_function("get, requeue", |bencher| {
        bencher.iter(|| {
            for _ in 0..ROUND {
                let delivery = channel.basic_get("q").expect("a queue").expect("a message");
                delivery.requeue().expect("returned");
            }
        });
    });
    group.finish();
}

fn consume(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("embedded consumer");
    group.throughput(Throughput::Elements(ROUND));
    let publish = Publish::to_queue("q").body(BODY);
    for no_ack in [true, false] {
        let (_broker, channel) = open();
        let mut consume = Consume::new("q");
        consume.no_ack = no_ack;
        let consumer = channel.basic_consume_with(&consume).expect("a consumer");
        let name = if no_ack { "publish, consume" } else { "publish, consume, ack" };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for _ in 0..ROUND {
                    channel.basic_publish(publish.clone()).expect("published");
                }
                for _ in 0..ROUND {
                    let delivery = consumer.try_recv().expect("a delivery");
                    if !no_ack {
                        delivery.ack().expect("acknowledged");
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, state, embedded, consume);
criterion_main!(benches);
