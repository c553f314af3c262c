//! The cost of routing one message, by exchange type and number of bindings.

#![allow(clippy::expect_used, reason = "the bindings are known to be valid")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use amq_protocol::types::{AMQPValue, FieldTable};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use leveret::internals::{ExchangeType, Router, Routing};

/// A destination as costly to clone and compare as a queue handle.
type Destination = Arc<str>;

const SIZES: [usize; 3] = [10, 1_000, 100_000];

fn router(
    kind: ExchangeType,
    bindings: impl IntoIterator<Item = (String, FieldTable)>,
) -> Router<Destination> {
    let mut router = Router::new(kind, &FieldTable::default()).expect("no arguments");
    for (n, (key, arguments)) in bindings.into_iter().enumerate() {
        let destination = Arc::from(format!("queue-{n}"));
        router.bind(destination, key.as_bytes(), &arguments).expect("valid binding");
    }
    router
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    router: &Router<Destination>,
    message: Routing<'_>,
    destinations: usize,
) {
    let mut out = Vec::new();
    router.route(&message, &mut out);
    assert_eq!(out.len(), destinations, "{name}");
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            out.clear();
            router.route(black_box(&message), &mut out);
            out.len()
        });
    });
}

/// One binding matches exactly, one by `*`, one by `#`; the others match other devices.
fn topic_keys(size: usize) -> impl Iterator<Item = (String, FieldTable)> {
    let matching = ["device.7.temperature", "device.*.temperature", "device.#"];
    let others = (1000..).map(|n| match n % 3 {
        0 => format!("device.{n}.temperature"),
        1 => format!("device.{n}.*"),
        _ => format!("site.{n}.#.alarm"),
    });
    let keys = matching.into_iter().map(str::to_owned).chain(others).take(size);
    keys.map(|key| (key, FieldTable::default()))
}

fn header_arguments(size: usize) -> impl Iterator<Item = (String, FieldTable)> {
    (0..size).map(|n| {
        let number = AMQPValue::LongInt(i32::try_from(n).unwrap_or(i32::MAX));
        let format = AMQPValue::LongString("pdf".into());
        (String::new(), headers([("customer", number), ("format", format)]))
    })
}

fn headers<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let entries = entries.into_iter().map(|(name, value)| (name.into(), value));
    FieldTable::from(entries.collect::<BTreeMap<_, _>>())
}

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing");
    group.throughput(Throughput::Elements(1));
    let none = FieldTable::default;

    for size in SIZES {
        let direct = router(ExchangeType::Direct, (0..size).map(|n| (format!("key.{n}"), none())));
        measure(&mut group, &format!("direct/{size}"), &direct, Routing::by_key(b"key.7"), 1);
    }
    for size in SIZES {
        let topic = router(ExchangeType::Topic, topic_keys(size));
        let message = Routing::by_key(b"device.7.temperature");
        measure(&mut group, &format!("topic/{size}"), &topic, message, 3);
        let message = Routing::by_key(b"nobody.listens.here");
        measure(&mut group, &format!("topic unmatched/{size}"), &topic, message, 0);
    }
    let hashes = (1..=10).map(|n| (vec!["#.a"; n].join("."), none()));
    let hashes = router(ExchangeType::Topic, hashes);
    let key = vec!["a"; 127].join(".");
    measure(&mut group, "topic many #", &hashes, Routing::by_key(key.as_bytes()), 10);

    let message = headers([
        ("customer", AMQPValue::LongInt(7)),
        ("format", AMQPValue::LongString("pdf".into())),
        ("other", AMQPValue::Boolean(true)),
    ]);
    for size in SIZES {
        let by_headers = router(ExchangeType::Headers, header_arguments(size));
        let message = Routing { headers: Some(&message), ..Routing::default() };
        measure(&mut group, &format!("headers/{size}"), &by_headers, message, 1);
    }

    let fanout = router(ExchangeType::Fanout, (0..10).map(|_| (String::new(), none())));
    measure(&mut group, "fanout/10", &fanout, Routing::by_key(b"key"), 10);
    for size in [10, 100] {
        let weights = (0..size).map(|_| ("1".to_owned(), none()));
        let hash = router(ExchangeType::ConsistentHash, weights);
        let message = Routing::by_key(b"order.4711");
        measure(&mut group, &format!("consistent hash/{size}"), &hash, message, 1);
    }
    group.finish();
}

criterion_group!(benches, routing);
criterion_main!(benches);
