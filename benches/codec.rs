//! Reading and writing frames: what each message costs on the wire.
#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;
use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leveret_protocol::{BodyRef, Connection, ConnectionConfig, Event, Message, Output};

/// Messages in one batch, about what a read of 64 KiB brings.
const BATCH: usize = 500;
const BODY: &[u8] = b"sixteen octets!!";

/// The half of the handshake that a client sends, and channel.open for channel 1.
const HANDSHAKE: &[u8] = b"AMQP\0\0\x09\x01\
    \x01\0\0\0\0\0\x1c\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x04\0a\0b\x05en_US\xce\
    \x01\0\0\0\0\0\x0c\0\x0a\0\x1f\0\x05\0\x02\0\0\0\0\xce\
    \x01\0\0\0\0\0\x08\0\x0a\0\x28\x01/\0\0\xce\
    \x01\0\x01\0\0\0\x05\0\x14\0\x0a\0\xce";

fn open_connection() -> Connection {
    let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), 0);
    let mut input = HANDSHAKE;
    loop {
        let (used, event) = connection.poll_event(input);
        input = &input[used..];
        let is_login = match event {
            None => break,
            Some(Event::Login { .. }) => true,
            Some(_) => false,
        };
        if is_login {
            connection.accept_login();
        } else {
            connection.accept_open();
        }
    }
    assert!(connection.is_channel_open(1));
    connection
}

/// A batch of publishes to the default exchange, delivery mode 2.
fn publishes() -> Vec<u8> {
    let mut output = Output::new();
    for _ in 0..BATCH {
        let key = b"benchmark";
        let method = [&[0, 60, 0, 40, 0, 0, 0, key.len() as u8], &key[..], &[0]].concat();
        let size = (BODY.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0], &size[..], &[0x10, 0, 2]].concat();
        output.frame(1, 1, &method);
        output.frame(2, 1, &header);
        output.frame(3, 1, BODY);
    }
    output.to_vec()
}

fn poll_all(connection: &mut Connection, input: &[u8]) -> usize {
    let (mut at, mut events) = (0, 0);
    while let (used, Some(event)) = connection.poll_event(&input[at..]) {
        black_box(&event);
        at += used;
        events += 1;
    }
    events
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut connection = open_connection();
    let input = publishes();
    group.bench_function("publish", |b| {
        b.iter(|| assert_eq!(poll_all(&mut connection, black_box(&input)), BATCH));
    });
    let mut acks = Output::new();
    let mut gets = Output::new();
    for tag in 0..BATCH as u64 {
        acks.ack(1, tag, false);
        let get = basic::Get { queue: "benchmark".into(), no_ack: true };
        gets.method(1, &AMQPClass::Basic(basic::AMQPMethod::Get(get)));
    }
    for (name, input) in [("ack", acks.to_vec()), ("get", gets.to_vec())] {
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(poll_all(&mut connection, black_box(&input)), BATCH));
        });
    }
    group.finish();
}

fn writing(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(BATCH as u64));
    let message = Message {
        exchange: b"",
        routing_key: b"benchmark",
        properties: &[0x10, 0, 2],
        body: BodyRef::from(BODY),
    };
    let mut output = Output::new();
    group.bench_function("deliver", |b| {
        b.iter(|| {
            for tag in 0..BATCH as u64 {
                output.deliver(1, b"ctag", tag, false, black_box(&message), 131_072);
            }
            output.advance(black_box(&output).len());
        });
    });
    group.bench_function("ack", |b| {
        b.iter(|| {
            for tag in 0..BATCH as u64 {
                output.ack(1, black_box(tag), false);
            }
            output.advance(black_box(&output).len());
        });
    });
    let get_empty = AMQPClass::Basic(basic::AMQPMethod::GetEmpty(basic::GetEmpty {}));
    group.bench_function("get-empty", |b| {
        b.iter(|| {
            for _ in 0..BATCH {
                output.method(1, black_box(&get_empty));
            }
            output.advance(black_box(&output).len());
        });
    });
    group.finish();
}

criterion_group!(benches, reading, writing);
criterion_main!(benches);
