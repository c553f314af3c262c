//! Which destinations a message reaches, case by case as RabbitMQ 4.0 was seen to do it.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use amq_protocol::types::{AMQPValue, FieldTable};
use leveret::internals::{ExchangeType, Router, Routing};

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn int(value: i32) -> AMQPValue {
    AMQPValue::LongInt(value)
}

/// A router with one destination for each binding: its position.
fn router(kind: ExchangeType, bindings: &[(&str, FieldTable)]) -> Router<usize> {
    let mut arguments = FieldTable::default();
    if kind == ExchangeType::DelayedMessage {
        arguments.insert("x-delayed-type".into(), AMQPValue::LongString("direct".into()));
    }
    if kind == ExchangeType::FederationUpstream {
        arguments.insert("x-max-hops".into(), int(1));
        for name in ["x-downstream-name", "x-downstream-vhost"] {
            arguments.insert(name.into(), AMQPValue::LongString("/".into()));
        }
    }
    let mut router = Router::new(kind, &arguments).unwrap();
    for (destination, (key, arguments)) in bindings.iter().enumerate() {
        assert_eq!(router.bind(destination, key.as_bytes(), arguments), Ok(true));
    }
    router
}

fn route(router: &Router<usize>, message: &Routing<'_>) -> Vec<usize> {
    let mut out = Vec::new();
    router.route(message, &mut out);
    out.sort_unstable();
    out
}

/// Each case is a routing key and the positions of the binding keys that match.
fn check_keys(kind: ExchangeType, binding_keys: &[&str], cases: &[(&str, &[usize])]) {
    let bindings: Vec<_> = binding_keys.iter().map(|key| (*key, FieldTable::default())).collect();
    let router = router(kind, &bindings);
    for (key, expected) in cases {
        let found = route(&router, &Routing::by_key(key.as_bytes()));
        assert_eq!(found, *expected, "routing key {key:?} against {binding_keys:?}");
    }
}

fn check_headers(bindings: &[FieldTable], cases: &[(Option<FieldTable>, &[usize])]) {
    let bindings: Vec<_> = bindings.iter().map(|arguments| ("", arguments.clone())).collect();
    let router = router(ExchangeType::Headers, &bindings);
    assert!(router.needs_headers());
    for (headers, expected) in cases {
        let message = Routing { headers: headers.as_ref(), ..Routing::default() };
        assert_eq!(route(&router, &message), *expected, "headers {headers:?}");
    }
}

#[test]
fn direct_compares_byte_by_byte() {
    check_keys(
        ExchangeType::Direct,
        &["a", "A", "", "a.*"],
        &[("a", &[0]), ("A", &[1]), ("", &[2]), ("a.b", &[]), ("a.*", &[3])],
    );
}

#[test]
fn fanout_ignores_keys() {
    check_keys(ExchangeType::Fanout, &["a", ""], &[("a", &[0, 1]), ("zzz", &[0, 1])]);
}

#[test]
fn topic_star_is_one_word() {
    check_keys(
        ExchangeType::Topic,
        &["*", "a.*", "*.b", "a.*.c"],
        &[("a", &[0]), ("a.b", &[1, 2]), ("a.b.c", &[3]), ("b.b", &[2]), ("", &[])],
    );
}

#[test]
fn topic_hash_is_any_number_of_words() {
    check_keys(
        ExchangeType::Topic,
        &["#", "a.#", "#.c", "a.#.c", ""],
        &[
            ("", &[0, 4]),
            ("a", &[0, 1]),
            ("a.c", &[0, 1, 2, 3]),
            ("a.b.b.c", &[0, 1, 2, 3]),
            ("c", &[0, 2]),
            ("b", &[0]),
        ],
    );
}

#[test]
fn topic_words_may_be_empty() {
    check_keys(
        ExchangeType::Topic,
        &["*.a", "a.*", "a..b", "a.*.b"],
        &[(".a", &[0]), ("a.", &[1]), ("a..b", &[2, 3]), ("a", &[]), (".", &[])],
    );
}

#[test]
fn topic_wildcards_are_whole_words() {
    check_keys(
        ExchangeType::Topic,
        &["a*", "a.b#", "x.*"],
        &[
            ("a*", &[0]),
            ("ab", &[]),
            ("a.b#", &[1]),
            ("a.bc", &[]),
            ("x.#", &[2]),
            ("x.*", &[2]),
            ("#", &[]),
        ],
    );
}

#[test]
fn topic_with_several_hashes() {
    check_keys(
        ExchangeType::Topic,
        &["a.#.b.#.c", "#.a.*.b.#", "a.#.a"],
        &[
            ("a.b.c", &[0]),
            ("a.x.b.y.z.c", &[0, 1]),
            ("a.b.b.c.c", &[0, 1]),
            ("a.c.b", &[1]),
            ("a.x.b", &[1]),
            ("z.a.x.b", &[1]),
            ("a", &[]),
            ("a.a", &[2]),
            ("a.b.a.a", &[2]),
        ],
    );
}

#[test]
fn topic_work_is_bounded_with_many_hashes() {
    let patterns: Vec<String> = (1..=60).map(|n| vec!["#.a"; n].join(".") + ".b").collect();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let key = vec!["a"; 127].join(".");
    check_keys(ExchangeType::Topic, &patterns, &[(&key, &[])]);
    let matching = ["#.a.#.a.#.a.#", "#.#.#", "#.*.#.*.#"];
    check_keys(ExchangeType::Topic, &matching, &[(&key, &[0, 1, 2]), ("", &[1]), ("a", &[1])]);
}

#[test]
fn two_matching_bindings_deliver_once() {
    let mut router = Router::new(ExchangeType::Topic, &FieldTable::default()).unwrap();
    for key in ["a.#", "a.*", "#.b"] {
        assert_eq!(router.bind(7, key.as_bytes(), &FieldTable::default()), Ok(true));
    }
    assert_eq!(route(&router, &Routing::by_key(b"a.b")), [7]);
}

#[test]
fn arguments_distinguish_bindings() {
    let mut router = Router::new(ExchangeType::Direct, &FieldTable::default()).unwrap();
    let (one, two) = (table(&[("a", int(1))]), table(&[("a", int(2))]));
    assert_eq!(router.bind(0, b"k", &one), Ok(true));
    assert_eq!(router.bind(0, b"k", &two), Ok(true));
    assert_eq!(router.bind(0, b"k", &two), Ok(false));
    assert_eq!(router.len(), 2);
    assert_eq!(route(&router, &Routing::by_key(b"k")), [0]);
    assert!(router.unbind(&0, b"k", &one));
    assert!(!router.unbind(&0, b"k", &one));
    assert_eq!(route(&router, &Routing::by_key(b"k")), [0]);
    assert!(router.unbind(&0, b"k", &two));
    assert_eq!(route(&router, &Routing::by_key(b"k")), [] as [usize; 0]);
    assert!(router.is_empty());
}

#[test]
fn headers_all_is_the_default() {
    check_headers(
        &[
            table(&[("x-match", text("all")), ("a", int(1)), ("b", text("x"))]),
            table(&[("a", int(1))]),
            table(&[("x-match", text("all"))]),
            table(&[]),
        ],
        &[
            (Some(table(&[("a", int(1)), ("b", text("x"))])), &[0, 1, 2, 3]),
            (Some(table(&[("a", int(1))])), &[1, 2, 3]),
            (Some(table(&[("a", int(1)), ("b", text("x")), ("c", int(3))])), &[0, 1, 2, 3]),
            (Some(table(&[("a", int(2)), ("b", text("x"))])), &[2, 3]),
            (Some(table(&[])), &[2, 3]),
            (None, &[2, 3]),
        ],
    );
}

#[test]
fn headers_any() {
    check_headers(
        &[
            table(&[("x-match", text("any")), ("a", int(1)), ("b", text("x"))]),
            table(&[("x-match", text("any"))]),
        ],
        &[
            (Some(table(&[("a", int(1))])), &[0]),
            (Some(table(&[("a", int(2)), ("b", text("x"))])), &[0]),
            (Some(table(&[("a", int(2))])), &[]),
            (Some(table(&[("c", int(1))])), &[]),
            (None, &[]),
        ],
    );
}

#[test]
fn headers_that_start_with_x() {
    let modes = ["all", "any", "all-with-x", "any-with-x"];
    let both = modes.map(|m| table(&[("x-match", text(m)), ("x-a", int(1)), ("b", int(2))]));
    check_headers(
        &both,
        &[
            (Some(table(&[("x-a", int(1)), ("b", int(2))])), &[0, 1, 2, 3]),
            (Some(table(&[("b", int(2))])), &[0, 1, 3]),
            (Some(table(&[("x-a", int(1))])), &[3]),
        ],
    );
    let only_x = modes.map(|m| table(&[("x-match", text(m)), ("x-a", int(1))]));
    check_headers(
        &only_x,
        &[
            (Some(table(&[("x-a", int(1))])), &[0, 2, 3]),
            (Some(table(&[("x-a", int(2))])), &[0]),
            (Some(table(&[("a", int(1))])), &[0]),
            (Some(table(&[])), &[0]),
        ],
    );
}

#[test]
fn headers_void_means_presence() {
    check_headers(
        &[table(&[("x-match", text("all")), ("a", AMQPValue::Void)])],
        &[
            (Some(table(&[("a", int(1))])), &[0]),
            (Some(table(&[("a", text("s"))])), &[0]),
            (Some(table(&[("a", AMQPValue::Void)])), &[0]),
            (Some(table(&[("b", int(1))])), &[]),
        ],
    );
}

#[test]
fn headers_compare_by_value_within_a_kind() {
    let kinds = [int(1), text("1"), AMQPValue::Boolean(true), AMQPValue::Double(1.0)];
    let bindings = kinds.clone().map(|value| table(&[("a", value)]));
    for (position, value) in kinds.into_iter().enumerate() {
        check_headers(&bindings, &[(Some(table(&[("a", value)])), &[position])]);
    }
    let fives = [
        AMQPValue::ShortShortInt(5),
        AMQPValue::ShortShortUInt(5),
        AMQPValue::ShortInt(5),
        AMQPValue::ShortUInt(5),
        AMQPValue::LongInt(5),
        AMQPValue::LongUInt(5),
        AMQPValue::LongLongInt(5),
    ];
    let bindings = fives.clone().map(|value| table(&[("n", value)]));
    for value in fives {
        check_headers(&bindings, &[(Some(table(&[("n", value)])), &[0, 1, 2, 3, 4, 5, 6])]);
    }
    check_headers(
        &[table(&[("a", AMQPValue::Float(0.5))]), table(&[("a", AMQPValue::Timestamp(5))])],
        &[
            (Some(table(&[("a", AMQPValue::Double(0.5))])), &[0]),
            (Some(table(&[("a", AMQPValue::LongLongInt(5))])), &[1]),
            (Some(table(&[("a", AMQPValue::Timestamp(5))])), &[]),
        ],
    );
}

#[test]
fn bad_bindings_are_refused_in_rabbitmqs_words() {
    let refused = |kind, key: &str, arguments: &FieldTable| {
        let mut router = Router::new(kind, &FieldTable::default()).unwrap();
        let error = router.bind(0, key.as_bytes(), arguments).unwrap_err();
        assert!(router.is_empty());
        error.to_string()
    };
    let x_match = |value| refused(ExchangeType::Headers, "", &table(&[("x-match", value)]));
    assert_eq!(
        x_match(text("some")),
        "Invalid x-match field value <<\"some\">>; \
         expected all, any, all-with-x, or any-with-x"
    );
    assert_eq!(x_match(int(1)), "Invalid x-match field type signedint (value 1); expected longstr");
    assert_eq!(
        refused(ExchangeType::ConsistentHash, "heavy", &table(&[])),
        "The binding key must be an integer: <<\"heavy\">>"
    );
    assert_eq!(
        refused(ExchangeType::LocalRandom, "k", &table(&[])),
        "Non empty binding 'k' key not permitted"
    );
}

#[test]
fn bad_exchange_arguments_are_refused_in_rabbitmqs_words() {
    let refused = |entries: &[(&str, AMQPValue)]| {
        let router = Router::<u32>::new(ExchangeType::ConsistentHash, &table(entries));
        router.unwrap_err().to_string()
    };
    assert_eq!(
        refused(&[("hash-header", text("h")), ("hash-property", text("message_id"))]),
        "hash-header and hash-property are mutually exclusive"
    );
    assert_eq!(refused(&[("hash-property", text("type"))]), "Unsupported property: type");
}

#[test]
fn random_types_pick_one_and_reach_all() {
    for kind in [ExchangeType::Random, ExchangeType::LocalRandom] {
        let bindings = vec![("", FieldTable::default()); 5];
        let router = router(kind, &bindings);
        let mut reached: Vec<usize> = (0..100)
            .flat_map(|n: u64| {
                let random = (u64::MAX / 100) * n;
                let out = route(&router, &Routing { random, ..Routing::by_key(b"key") });
                assert_eq!(out.len(), 1);
                out
            })
            .collect();
        reached.dedup();
        assert_eq!(reached, [0, 1, 2, 3, 4]);
        let last = Routing { random: u64::MAX, ..Routing::default() };
        assert_eq!(route(&router, &last), [4]);
    }
}

#[test]
fn an_empty_exchange_reaches_nothing() {
    for kind in ExchangeType::ALL {
        let router = router(kind, &[]);
        assert_eq!(route(&router, &Routing::by_key(b"")), [] as [usize; 0], "{kind}");
        assert!(size_of_val(&router) < 400, "{} bytes", size_of_val(&router));
    }
}

#[test]
fn federation_upstream_passes_on_what_may_go_further() {
    let router = router(ExchangeType::FederationUpstream, &[("", FieldTable::default())]);
    let sent = |headers: &FieldTable| {
        route(&router, &Routing { headers: Some(headers), ..Routing::default() })
    };
    assert_eq!(sent(&FieldTable::default()), [0]);
    let visits = |visits: Vec<AMQPValue>| {
        table(&[("x-received-from", AMQPValue::FieldArray(visits.into()))])
    };
    assert_eq!(sent(&visits(Vec::new())), [0]);
    let visit = AMQPValue::FieldTable(FieldTable::default());
    assert_eq!(sent(&visits(vec![visit])), [] as [usize; 0], "it has passed a link");
}
