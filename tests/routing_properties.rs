//! What holds for every sequence of bindings and every message, checked against naive matching.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::hash::Hash;

use amq_protocol::types::{AMQPValue, FieldTable};
use leveret::internals::{ExchangeType, Router, Routing};
use proptest::prelude::*;

/// One step of a history of bindings.
#[derive(Debug, Clone)]
enum Step {
    Bind(u8, String, FieldTable),
    /// Unbinds the binding at this position of those that exist, modulo their number.
    Unbind(usize),
    UnbindUnknown(u8, String, FieldTable),
    UnbindDestination(u8),
}

fn key() -> impl Strategy<Value = String> {
    let word = prop_oneof![Just(""), Just("a"), Just("b"), Just("*"), Just("#"), Just("a#")];
    prop_oneof![
        1 => Just(String::new()),
        9 => prop::collection::vec(word, 1..6).prop_map(|words| words.join(".")),
    ]
}

fn value() -> impl Strategy<Value = AMQPValue> {
    prop_oneof![
        Just(AMQPValue::Void),
        any::<bool>().prop_map(AMQPValue::Boolean),
        (0..3_i8).prop_map(AMQPValue::ShortShortInt),
        (0..3_i64).prop_map(AMQPValue::LongLongInt),
        (0..3_u64).prop_map(AMQPValue::Timestamp),
        (0..3_u8).prop_map(|v| AMQPValue::Double(f64::from(v))),
        (0..3_u8).prop_map(|v| AMQPValue::Float(f32::from(v))),
        Just(AMQPValue::Double(f64::NAN)),
        "[01]".prop_map(|v| AMQPValue::LongString(v.into())),
        "[01]".prop_map(|v| AMQPValue::ByteArray(v.into_bytes().into())),
        (0..2_i32).prop_map(|v| AMQPValue::FieldArray(vec![AMQPValue::LongInt(v)].into())),
    ]
}

fn headers() -> impl Strategy<Value = FieldTable> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("x-a")];
    prop::collection::vec((name, value()), 0..4).prop_map(|entries| {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert(name.into(), value);
        }
        table
    })
}

fn arguments() -> impl Strategy<Value = FieldTable> {
    let mode = prop_oneof![Just("all"), Just("any"), Just("all-with-x"), Just("any-with-x")];
    (headers(), prop::option::of(mode)).prop_map(|(mut table, mode)| {
        if let Some(mode) = mode {
            table.insert("x-match".into(), AMQPValue::LongString(mode.into()));
        }
        table
    })
}

fn history(
    arguments: impl Strategy<Value = FieldTable> + 'static,
) -> impl Strategy<Value = Vec<Step>> {
    let arguments = arguments.boxed();
    let step = prop_oneof![
        6 => (0..24_u8, key(), arguments.clone()).prop_map(|(d, k, a)| Step::Bind(d, k, a)),
        2 => any::<usize>().prop_map(Step::Unbind),
        1 => (0..24_u8, key(), arguments).prop_map(|(d, k, a)| Step::UnbindUnknown(d, k, a)),
        1 => (0..24_u8).prop_map(Step::UnbindDestination),
    ];
    prop::collection::vec(step, 0..60)
}

/// A binding's identity as text: bits of floats count, the order of arguments does not.
fn identity(destination: u8, key: &str, arguments: &FieldTable) -> String {
    format!("{destination} {key:?} {arguments:?}")
}

type Model = BTreeMap<String, (u8, String, FieldTable)>;

/// Plays a history on a router and on a plain list, and checks that they agree on every answer.
fn play(router: &mut Router<u8>, history: &[Step]) -> Model {
    let mut model = Model::new();
    for step in history {
        match step {
            Step::Bind(destination, key, arguments) => {
                let id = identity(*destination, key, arguments);
                let new = model.insert(id, (*destination, key.clone(), arguments.clone()));
                let bound = router.bind(*destination, key.as_bytes(), arguments);
                assert_eq!(bound, Ok(new.is_none()));
            }
            Step::Unbind(position) => {
                let Some(position) = position.checked_rem(model.len()) else { continue };
                let id = model.keys().nth(position).cloned().unwrap_or_default();
                let (destination, key, arguments) = model.remove(&id).unwrap();
                assert!(router.unbind(&destination, key.as_bytes(), &arguments));
            }
            Step::UnbindUnknown(destination, key, arguments) => {
                let known = model.remove(&identity(*destination, key, arguments)).is_some();
                assert_eq!(router.unbind(destination, key.as_bytes(), arguments), known);
            }
            Step::UnbindDestination(destination) => {
                let before = model.len();
                model.retain(|_, (each, _, _)| each != destination);
                assert_eq!(router.unbind_destination(destination), before - model.len());
            }
        }
        assert_eq!(router.len(), model.len());
    }
    let mut listed: Vec<_> = router
        .bindings()
        .map(|binding| {
            let key = std::str::from_utf8(binding.binding_key).unwrap();
            let arguments = binding.arguments.cloned().unwrap_or_default();
            identity(*binding.destination, key, &arguments)
        })
        .collect();
    listed.sort_unstable();
    assert!(listed.iter().eq(model.keys()), "{listed:?} is not {:?}", model.keys());
    model
}

fn sorted<D: Ord + Clone + Eq + Hash>(router: &Router<D>, message: &Routing<'_>) -> Vec<D> {
    let mut out = Vec::new();
    router.route(message, &mut out);
    out.sort_unstable();
    out
}

fn expected(model: &Model, matches: impl Fn(&str, &FieldTable) -> bool) -> Vec<u8> {
    let matching = model.values().filter(|(_, key, arguments)| matches(key, arguments));
    let mut out: Vec<_> = matching.map(|(destination, _, _)| *destination).collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn words(key: &str) -> Vec<&str> {
    if key.is_empty() { Vec::new() } else { key.split('.').collect() }
}

fn naive_topic(pattern: &[&str], words: &[&str]) -> bool {
    match pattern {
        [] => words.is_empty(),
        ["#", rest @ ..] => (0..=words.len()).any(|skip| naive_topic(rest, &words[skip..])),
        [first, rest @ ..] => match words {
            [word, words @ ..] => (*first == "*" || first == word) && naive_topic(rest, words),
            [] => false,
        },
    }
}

fn naive_integer(value: &AMQPValue, timestamp_unit: i128) -> Option<i128> {
    match value {
        AMQPValue::ShortShortInt(v) => Some((*v).into()),
        AMQPValue::LongLongInt(v) => Some((*v).into()),
        AMQPValue::Timestamp(v) => Some(i128::from(*v) * timestamp_unit),
        _ => None,
    }
}

fn naive_float(value: &AMQPValue) -> Option<f64> {
    match value {
        AMQPValue::Float(v) => Some((*v).into()),
        AMQPValue::Double(v) => Some(*v),
        _ => None,
    }
}

fn naive_bytes(value: &AMQPValue) -> Option<&[u8]> {
    match value {
        AMQPValue::LongString(v) => Some(v.as_bytes()),
        AMQPValue::ByteArray(v) => Some(v.as_slice()),
        _ => None,
    }
}

fn naive_equal(wanted: &AMQPValue, header: &AMQPValue) -> bool {
    if *wanted == AMQPValue::Void {
        return true;
    }
    if let (Some(a), Some(b)) = (naive_integer(wanted, 1), naive_integer(header, 1000)) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (naive_float(wanted), naive_float(header)) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (naive_bytes(wanted), naive_bytes(header)) {
        return a == b;
    }
    wanted == header && naive_integer(wanted, 1).is_none()
}

fn naive_headers(arguments: &FieldTable, headers: &FieldTable) -> bool {
    let mode = match arguments.inner().get("x-match") {
        Some(AMQPValue::LongString(mode)) => mode.to_string(),
        _ => "all".to_owned(),
    };
    let asked = arguments.inner().iter().filter(|(name, _)| {
        name.as_str() != "x-match"
            && (mode.ends_with("-with-x") || !name.as_str().starts_with("x-"))
    });
    let mut held = asked.map(|(name, wanted)| {
        headers.inner().get(name).is_some_and(|header| naive_equal(wanted, header))
    });
    if mode.starts_with("all") { held.all(|held| held) } else { held.any(|held| held) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn topic_is_naive_topic(
        history in history(Just(FieldTable::default())),
        keys in prop::collection::vec(key(), 1..12),
    ) {
        let mut router = Router::new(ExchangeType::Topic, &FieldTable::default()).unwrap();
        let model = play(&mut router, &history);
        for key in keys {
            let split = words(&key);
            let expected = expected(&model, |pattern, _| naive_topic(&words(pattern), &split));
            prop_assert_eq!(sorted(&router, &Routing::by_key(key.as_bytes())), expected);
        }
    }

    #[test]
    fn headers_is_naive_headers(
        history in history(arguments()),
        messages in prop::collection::vec(headers(), 1..12),
    ) {
        let mut router = Router::new(ExchangeType::Headers, &FieldTable::default()).unwrap();
        let model = play(&mut router, &history);
        for headers in messages {
            let expected = expected(&model, |_, arguments| naive_headers(arguments, &headers));
            let message = Routing { headers: Some(&headers), ..Routing::default() };
            prop_assert_eq!(sorted(&router, &message), expected);
        }
    }

    #[test]
    fn direct_and_fanout_are_what_their_names_say(
        history in history(arguments()),
        key in key(),
    ) {
        let message = Routing::by_key(key.as_bytes());
        let mut direct = Router::new(ExchangeType::Direct, &FieldTable::default()).unwrap();
        let model = play(&mut direct, &history);
        prop_assert_eq!(sorted(&direct, &message), expected(&model, |each, _| *each == *key));
        let mut fanout = Router::new(ExchangeType::Fanout, &FieldTable::default()).unwrap();
        let model = play(&mut fanout, &history);
        prop_assert_eq!(sorted(&fanout, &message), expected(&model, |_, _| true));
    }

    #[test]
    fn types_that_pick_one_pick_one_that_is_bound(
        history in history(arguments()),
        key in key(),
        random in any::<u64>(),
    ) {
        for kind in [ExchangeType::Random, ExchangeType::ModulusHash] {
            let mut router = Router::new(kind, &FieldTable::default()).unwrap();
            let model = play(&mut router, &history);
            let found = sorted(&router, &Routing { random, ..Routing::by_key(key.as_bytes()) });
            prop_assert_eq!(found.len(), usize::from(!model.is_empty()));
            prop_assert!(found.iter().all(|d| model.values().any(|(each, _, _)| each == d)));
        }
    }

    #[test]
    fn unbinding_restores_and_routing_key_by_key_is_a_union(
        history in history(Just(FieldTable::default())),
        added in key(),
        keys in prop::collection::vec(key(), 1..6),
    ) {
        let mut router = Router::new(ExchangeType::Topic, &FieldTable::default()).unwrap();
        play(&mut router, &history);
        let routes = |router: &Router<u8>| -> Vec<Vec<u8>> {
            keys.iter().map(|key| sorted(router, &Routing::by_key(key.as_bytes()))).collect()
        };
        let before = routes(&router);
        prop_assert_eq!(router.bind(255, added.as_bytes(), &FieldTable::default()), Ok(true));
        prop_assert_eq!(router.unbind_destination(&255), 1);
        prop_assert_eq!(&before, &routes(&router));

        let mut union = Vec::new();
        for key in &keys {
            router.route(&Routing::by_key(key.as_bytes()), &mut union);
        }
        union.sort_unstable();
        let mut expected = before.concat();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(union, expected);
    }

    #[test]
    fn consistent_hash_moves_only_what_it_must(
        weights in prop::collection::btree_map(any::<u16>(), 1..=10_000_u16, 2..12),
        keys in prop::collection::vec("[a-z]{0,6}", 1..60),
    ) {
        let bind_all = |order: &mut dyn Iterator<Item = (&u16, &u16)>| {
            let none = FieldTable::default();
            let mut router = Router::new(ExchangeType::ConsistentHash, &none).unwrap();
            for (destination, weight) in order {
                router.bind(*destination, weight.to_string().as_bytes(), &none).unwrap();
            }
            router
        };
        let mut router = bind_all(&mut weights.iter());
        let other_order = bind_all(&mut weights.iter().rev());
        let (gone, weight) = weights.first_key_value().unwrap();
        let place = |router: &Router<u16>| -> Vec<Vec<u16>> {
            keys.iter().map(|key| sorted(router, &Routing::by_key(key.as_bytes()))).collect()
        };
        let before = place(&router);
        prop_assert!(before.iter().all(|found| found.len() == 1));
        prop_assert_eq!(&before, &place(&other_order));
        // A second binding of a destination does not count for placement.
        router.bind(*gone, (weight % 10_000 + 1).to_string().as_bytes(), &FieldTable::default())
            .unwrap();
        prop_assert_eq!(&before, &place(&router));
        router.unbind_destination(gone);
        for (before, after) in before.iter().zip(place(&router)) {
            prop_assert!(*before == after || before == &[*gone]);
            prop_assert_ne!(&after, &[*gone]);
        }
    }
}

/// How many of `messages` go to each of the destinations, by a hash of what `message` makes.
fn spread(router: &Router<usize>, destinations: usize, messages: usize) -> Vec<usize> {
    let mut counts = vec![0; destinations];
    for n in 0..messages {
        let key = format!("order.{n}");
        let found = sorted(router, &Routing::by_key(key.as_bytes()));
        counts[found[0]] += 1;
    }
    counts
}

#[test]
fn consistent_hash_spreads_by_weight() {
    let none = FieldTable::default();
    let mut router = Router::new(ExchangeType::ConsistentHash, &none).unwrap();
    let weights = [1, 1, 2, 4, 2];
    for (destination, weight) in weights.iter().enumerate() {
        router.bind(destination, weight.to_string().as_bytes(), &none).unwrap();
    }
    for (count, weight) in spread(&router, 5, 20_000).into_iter().zip(weights) {
        let expected = 20_000 * weight / 10;
        assert!(count.abs_diff(expected) < expected / 10, "{count} instead of {expected}");
    }
}

#[test]
fn modulus_hash_spreads_evenly() {
    let none = FieldTable::default();
    let mut router = Router::new(ExchangeType::ModulusHash, &none).unwrap();
    for destination in 0..8 {
        router.bind(destination, b"", &none).unwrap();
    }
    for count in spread(&router, 8, 16_000) {
        assert!(count.abs_diff(2000) < 200, "{count} instead of 2000");
    }
}

/// A super stream with partitions 0, 1 and 2, of a type of exchange.
fn super_stream(kind: ExchangeType) -> Router<usize> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-super-stream".into(), AMQPValue::Boolean(true));
    let mut router = Router::new(kind, &arguments).unwrap();
    for partition in 0..3_usize {
        let key = partition.to_string();
        router.bind(partition, key.as_bytes(), &FieldTable::default()).unwrap();
    }
    router
}

/// `hello1` leads to partition 1, and `1` itself to partition 0 where it is hashed.
#[test]
fn super_streams_spread_keys_as_stream_clients_do() {
    let to = |router: &Router<usize>, key: &str| sorted(router, &Routing::by_key(key.as_bytes()));
    let (direct, hashed) =
        (super_stream(ExchangeType::Direct), super_stream(ExchangeType::SuperStream));
    assert_eq!((to(&direct, "hello1"), to(&hashed, "hello1")), (vec![1], vec![1]));
    assert_eq!(to(&direct, "1"), [1]);
    let mut exactly = Vec::new();
    direct.route_exactly(&Routing::by_key(b"hello1"), &mut exactly);
    assert!(exactly.is_empty());
    direct.route_exactly(&Routing::by_key(b"2"), &mut exactly);
    hashed.route_exactly(&Routing::by_key(b"hello1"), &mut exactly);
    assert_eq!(exactly, [2, 1]);
    for count in spread(&hashed, 3, 15_000) {
        assert!(count.abs_diff(5000) < 250, "{count} instead of 5000");
    }
}

#[test]
fn partitions_are_bound_by_numbers() {
    let mut hashed = super_stream(ExchangeType::SuperStream);
    let refused = hashed.bind(3, b"three", &FieldTable::default()).unwrap_err();
    let text = "The binding key must be an integer: <<\"three\">>";
    assert_eq!(refused.to_string(), text);
    // One partition less, and keys move; one that has no number is not found.
    assert!(hashed.unbind(&0, b"0", &FieldTable::default()));
    let all: Vec<_> = (0..50).map(|n| sorted(&hashed, &Routing::by_key(&[n]))).collect();
    assert!(all.contains(&vec![1]) && all.contains(&vec![]) && !all.contains(&vec![2]));
}

#[test]
fn consistent_hash_of_headers_and_properties() {
    let router = |argument: &str, value: &str| {
        let mut arguments = FieldTable::default();
        arguments.insert(argument.into(), AMQPValue::LongString(value.into()));
        let mut router = Router::new(ExchangeType::ConsistentHash, &arguments).unwrap();
        for destination in 0..50_u8 {
            router.bind(destination, b"1", &FieldTable::default()).unwrap();
        }
        router
    };
    let distinct = |places: &mut Vec<Vec<u8>>| {
        places.sort_unstable();
        places.dedup();
        places.len()
    };
    let by_header = router("hash-header", "h");
    assert!(by_header.needs_headers() && !by_header.needs_properties());
    let place = |n: i32, key: &str| {
        let mut headers = FieldTable::default();
        headers.insert("h".into(), AMQPValue::LongInt(n));
        sorted(&by_header, &Routing { headers: Some(&headers), ..Routing::by_key(key.as_bytes()) })
    };
    assert!((0..20).all(|n| place(n, "a") == place(n, "b")));
    assert!(distinct(&mut (0..20).map(|n| place(n, "a")).collect()) > 10);
    assert_eq!(sorted(&by_header, &Routing::by_key(b"no headers")).len(), 1);

    let ids: Vec<String> = (0..20).map(|n| format!("id {n}")).collect();
    for (property, of_id) in [
        (
            "message_id",
            (|id, _| Routing { message_id: Some(id), ..Routing::default() })
                as fn(&[u8], u64) -> Routing<'_>,
        ),
        ("correlation_id", |id, _| Routing { correlation_id: Some(id), ..Routing::default() }),
        ("timestamp", |_, n| Routing { timestamp: Some(n), ..Routing::default() }),
    ] {
        let by_property = router("hash-property", property);
        assert!(by_property.needs_properties() && !by_property.needs_headers());
        let places = ids.iter().zip(0..);
        let places = places.map(|(id, n)| sorted(&by_property, &of_id(id.as_bytes(), n)));
        assert!(distinct(&mut places.collect()) > 10, "{property}");
    }
}

#[test]
fn many_bindings_of_one_destination_and_many_destinations_of_one_key() {
    let none = FieldTable::default();
    for kind in [ExchangeType::Direct, ExchangeType::Topic, ExchangeType::Fanout] {
        let mut router = Router::new(kind, &none).unwrap();
        for n in 0..1000_u32 {
            router.bind(0, format!("own.{n}").as_bytes(), &none).unwrap();
            router.bind(n, b"shared", &none).unwrap();
        }
        assert_eq!(sorted(&router, &Routing::by_key(b"shared")).len(), 1000);
        for n in 1..1000 {
            assert!(router.unbind(&n, b"shared", &none));
        }
        assert_eq!(sorted(&router, &Routing::by_key(b"shared")), [0]);
        assert_eq!(sorted(&router, &Routing::by_key(b"own.999")), [0]);
        assert_eq!(router.unbind_destination(&0), 1001);
        assert!(router.is_empty());
    }
}
