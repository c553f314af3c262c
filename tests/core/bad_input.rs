//! What the broker refuses: RabbitMQ's code and text for each, and nothing changes.

use leveret::{
    AMQPValue, BasicProperties, Binding, Consume, ExchangeDeclare, ExchangeDelete, FieldTable,
    Publish, QueueDeclare,
};
use leveret::{Policy, PolicyError};

use crate::support::{World, int, quorum_queue, refusal, string, table};

/// A value of every type, with RabbitMQ's name of the type.
fn kinds() -> Vec<(AMQPValue, &'static str)> {
    vec![
        (AMQPValue::Boolean(true), "bool"),
        (AMQPValue::ShortShortInt(1), "byte"),
        (AMQPValue::ShortShortUInt(1), "unsignedbyte"),
        (AMQPValue::ShortInt(1), "short"),
        (AMQPValue::ShortUInt(1), "unsignedshort"),
        (AMQPValue::LongInt(1), "signedint"),
        (AMQPValue::LongUInt(1), "unsignedint"),
        (AMQPValue::LongLongInt(1), "long"),
        (AMQPValue::Float(1.0), "float"),
        (AMQPValue::Double(f64::NAN), "double"),
        (AMQPValue::DecimalValue(decimal()), "decimal"),
        (string("1"), "longstr"),
        (AMQPValue::FieldArray(vec![int(1)].into()), "array"),
        (AMQPValue::Timestamp(1), "timestamp"),
        (AMQPValue::FieldTable(table([("a", int(1))])), "table"),
        (AMQPValue::ByteArray(vec![0xff].into()), "binary"),
        (AMQPValue::Void, "void"),
    ]
}

fn decimal() -> amq_protocol::types::DecimalValue {
    amq_protocol::types::DecimalValue { scale: 1, value: 10 }
}

fn is_integer(kind: &str) -> bool {
    const INTEGERS: &[&str] =
        &["byte", "unsignedbyte", "short", "unsignedshort", "signedint", "unsignedint", "long"];
    INTEGERS.contains(&kind)
}

const CLASSIC: &str = "classic";
const QUORUM: &str = "quorum";

/// Arguments that are numbers, and a type of queue that has them.
const NUMBERS: &[(&str, &str)] = &[
    ("x-expires", CLASSIC),
    ("x-message-ttl", CLASSIC),
    ("x-max-length", CLASSIC),
    ("x-max-length-bytes", CLASSIC),
    ("x-max-priority", CLASSIC),
    ("x-queue-version", CLASSIC),
    ("x-max-in-memory-length", QUORUM),
    ("x-max-in-memory-bytes", QUORUM),
    ("x-quorum-initial-group-size", QUORUM),
];

/// Arguments that are words, and a type of queue that has them.
const WORDS: &[(&str, &str)] = &[
    ("x-dead-letter-routing-key", CLASSIC),
    ("x-overflow", CLASSIC),
    ("x-queue-mode", CLASSIC),
    ("x-queue-leader-locator", CLASSIC),
    ("x-dead-letter-strategy", QUORUM),
];

fn declaration(queue_type: &str, arguments: FieldTable) -> QueueDeclare {
    let mut declare = quorum_queue("q", []);
    declare.arguments.insert("x-queue-type".into(), string(queue_type));
    for (name, value) in arguments.inner() {
        declare.arguments.insert(name.clone(), value.clone());
    }
    declare
}

/// The broker refuses to declare `q`, with this code and text, and all is as before.
#[track_caller]
fn refuses(world: &World, declare: &QueueDeclare, code: u16, text: &str) {
    let refused = refusal(world.channel.queue_declare_with(declare));
    assert_eq!(refused, (code, text.to_owned()), "{:?}", declare.arguments);
    assert!(world.queue("q").is_none(), "the queue exists all the same");
    world.declare("q");
    world.publish("q", ["a"]);
    assert_eq!(world.drain("q"), ["a"]);
    world.channel.queue_delete("q").unwrap();
}

/// As [`refuses`], for one argument and a reason that comes after its name.
#[track_caller]
fn refuses_argument(world: &World, queue_type: &str, name: &str, value: AMQPValue, reason: &str) {
    let declare = declaration(queue_type, table([(name, value)]));
    let text = format!("invalid arg '{name}' for queue 'q' in vhost '/': {reason}");
    refuses(world, &declare, 406, &text);
}

#[test]
fn arguments_of_queues_have_their_types() {
    let world = World::new();
    for (value, kind) in kinds() {
        for &(name, queue_type) in NUMBERS.iter().filter(|_| !is_integer(kind)) {
            let reason = format!("\"expected integer, got {kind}\"");
            refuses_argument(&world, queue_type, name, value.clone(), &reason);
        }
        let unacceptable = format!("{{unacceptable_type,{kind}}}");
        for &(name, queue_type) in WORDS.iter().filter(|_| kind != "longstr") {
            refuses_argument(&world, queue_type, name, value.clone(), &unacceptable);
        }
        if kind != "bool" {
            let name = "x-single-active-consumer";
            refuses_argument(&world, CLASSIC, name, value.clone(), &unacceptable);
        }
        if kind != "longstr" {
            refuses_argument(&world, CLASSIC, "x-queue-type", value.clone(), &unacceptable);
        }
        if kind != "longstr" {
            let name = "x-dead-letter-exchange";
            let text = format!("invalid type '{kind}' for arg '{name}' in queue 'q' in vhost '/'");
            let declare = declaration(CLASSIC, table([(name, value.clone())]));
            refuses(&world, &declare, 406, &text);
        }
    }
}

#[test]
fn numbers_of_queues_have_their_ranges() {
    let world = World::new();
    let negative = ["x-expires", "x-message-ttl", "x-max-length", "x-max-length-bytes"];
    for name in negative.into_iter().chain(["x-max-priority", "x-queue-version"]) {
        for number in [-1, i64::from(i32::MIN), i64::MIN] {
            let reason = format!("{{value_negative,{number}}}");
            refuses_argument(&world, CLASSIC, name, int(number), &reason);
        }
    }
    for name in ["x-expires", "x-message-ttl"] {
        for number in [315_360_000_001, i64::MAX] {
            let reason = format!("{{value_too_large,{number}}}");
            refuses_argument(&world, CLASSIC, name, int(number), &reason);
        }
    }
    refuses_argument(&world, CLASSIC, "x-expires", int(0), "{value_zero,0}");
    for number in [256, i64::MAX] {
        let reason = format!("{{max_value_exceeded,{number}}}");
        refuses_argument(&world, CLASSIC, "x-max-priority", int(number), &reason);
    }
    for number in [0, 3, i64::MAX] {
        let reason = format!("\"unsupported queue version '{number}'\"");
        refuses_argument(&world, CLASSIC, "x-queue-version", int(number), &reason);
    }
    for name in ["x-max-in-memory-length", "x-max-in-memory-bytes"] {
        refuses_argument(&world, QUORUM, name, int(-1), "{value_negative,-1}");
    }
    let name = "x-quorum-initial-group-size";
    refuses_argument(&world, QUORUM, name, int(-1), "{value_negative,-1}");
    refuses_argument(&world, QUORUM, name, int(0), "{value_zero,0}");
}

#[test]
fn words_of_queues_have_to_be_known() {
    let world = World::new();
    for word in ["", "no-such-word", "DROP-HEAD"] {
        let refuse = |queue_type, name, reason: &str| {
            refuses_argument(&world, queue_type, name, string(word), reason);
        };
        refuse(CLASSIC, "x-overflow", "invalid_overflow");
        refuse(CLASSIC, "x-queue-mode", &format!("\"unsupported queue mode '{word}'\""));
        refuse(CLASSIC, "x-queue-type", &format!("\"unsupported queue type '{word}'\""));
        refuse(CLASSIC, "x-queue-leader-locator", "invalid_queue_locator_arg");
        refuse(QUORUM, "x-dead-letter-strategy", "invalid_dlx_strategy");
    }
    let reason = "routing_key_but_no_dlx_defined";
    refuses_argument(&world, CLASSIC, "x-dead-letter-routing-key", string("k"), reason);
}

#[test]
fn arguments_of_other_types_of_queues_are_refused() {
    let world = World::new();
    const STREAMS: &[&str] = &[
        "x-max-age",
        "x-stream-max-segment-size-bytes",
        "x-stream-filter-size-bytes",
        "x-initial-cluster-size",
    ];
    let quorum_only = NUMBERS.iter().chain(WORDS).filter(|(_, queue_type)| *queue_type == QUORUM);
    let classic_only = ["x-max-priority", "x-queue-version", "x-queue-mode"];
    let for_classic = quorum_only.map(|(name, _)| *name).chain(STREAMS.iter().copied());
    let for_quorum = classic_only.into_iter().chain(STREAMS.iter().copied());
    let cases = for_classic
        .map(|name| (CLASSIC, name))
        .chain(for_quorum.map(|name| (QUORUM, name)))
        .collect::<Vec<_>>();
    for (queue_type, name) in cases {
        let text = format!(
            "invalid arg '{name}' for queue 'q' in vhost '/' of queue type \
             rabbit_{queue_type}_queue"
        );
        let declare = declaration(queue_type, table([(name, int(1))]));
        refuses(&world, &declare, 406, &text);
        // A value that is wrong comes first.
        let declare = declaration(queue_type, table([(name, int(1)), ("x-expires", int(0))]));
        let text = "invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}";
        refuses(&world, &declare, 406, text);
    }
}

#[test]
fn quorum_queues_and_streams_refuse_what_they_cannot_be() {
    let world = World::new();
    type Change = fn(&mut QueueDeclare);
    let cases: [(&str, Change); 3] = [
        ("exclusive-owner", |declare| declare.exclusive = true),
        ("non-durable", |declare| declare.durable = false),
        ("auto-delete", |declare| declare.auto_delete = true),
    ];
    let mut all = quorum_queue("q", []);
    for (property, change) in cases {
        change(&mut all);
        let mut declare = quorum_queue("q", []);
        change(&mut declare);
        let text = format!("invalid property '{property}' for queue 'q' in vhost '/'");
        refuses(&world, &declare, 406, &text);
    }
    refuses(&world, &all, 406, "invalid property 'auto-delete' for queue 'q' in vhost '/'");
    let text = "Cannot declare a server-named queue for type rabbit_quorum_queue";
    refuses(&world, &quorum_queue("", []), 406, text);
    let text = "Cannot declare a server-named queue for type rabbit_stream_queue";
    let stream = QueueDeclare::new("").durable().argument("x-queue-type", "stream");
    refuses(&world, &stream, 406, text);
}

#[test]
fn a_queue_that_exists_is_compared_and_left_alone() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(1000))]);
    world.publish("q", ["a"]);
    let prefix = "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received";
    let current = "but current is";
    for (received, text) in [
        (Some(int(-1)), format!("{prefix} '-1' {current} '1000'")),
        (Some(string("soon")), format!("{prefix} 'soon' {current} '1000'")),
        (Some(AMQPValue::Void), format!("{prefix} none {current} '1000'")),
        (None, format!("{prefix} none {current} the value '1000' of type 'long'")),
    ] {
        let mut declare = QueueDeclare::new("q");
        if let Some(value) = received {
            declare.arguments.insert("x-message-ttl".into(), value);
        }
        assert_eq!(refusal(world.channel.queue_declare_with(&declare)), (406, text));
    }
    world.declare_with("q", [("x-message-ttl", AMQPValue::ShortInt(1000))]);
    assert_eq!(world.drain("q"), ["a"]);
}

#[test]
fn exchanges_that_cannot_be_do_not_come_to_be() {
    let world = World::new();
    let refuses = |kind: &str, arguments: FieldTable, text: &str| {
        let declare = ExchangeDeclare::new("x", kind).arguments(arguments);
        let refused = refusal(world.channel.exchange_declare_with(&declare));
        assert_eq!(refused, (406, text.to_owned()), "{kind} {:?}", declare.arguments);
        let publish = Publish::to_exchange("x", "k");
        let missing = "no exchange 'x' in vhost '/'".to_owned();
        assert_eq!(refusal(world.channel.basic_publish(publish)), (404, missing));
        world.channel.exchange_declare("x", "fanout").unwrap();
        world.channel.exchange_delete_with(&ExchangeDelete::new("x").if_unused()).unwrap();
    };
    refuses("no-such-type", table([]), "unknown exchange type 'no-such-type'");
    refuses("Direct", table([]), "unknown exchange type 'Direct'");
    refuses("", table([]), "invalid exchange type ''");
    for (value, kind) in kinds().into_iter().filter(|(_, kind)| *kind != "longstr") {
        let name = "alternate-exchange";
        let text = format!("invalid type '{kind}' for arg '{name}' in exchange 'x' in vhost '/'");
        refuses("direct", table([(name, value.clone())]), &text);
        for name in ["hash-header", "hash-property"] {
            let text = format!("Invalid {name} type {kind}; expected longstr");
            refuses("x-consistent-hash", table([(name, value.clone())]), &text);
        }
    }
    let hash = "x-consistent-hash";
    let both = table([("hash-header", string("h")), ("hash-property", string("message_id"))]);
    refuses(hash, both, "hash-header and hash-property are mutually exclusive");
    for property in ["", "priority"] {
        let text = format!("Unsupported property: {property}");
        refuses(hash, table([("hash-property", string(property))]), &text);
    }
}

#[test]
fn bindings_that_cannot_be_do_not_come_to_be() {
    let world = World::new();
    world.declare("q");
    for (exchange, kind) in
        [("h", "headers"), ("c", "x-consistent-hash"), ("r", "x-local-random"), ("d", "direct")]
    {
        world.channel.exchange_declare(exchange, kind).unwrap();
    }
    let refuses = |binding: Binding, code: u16, text: &str| {
        let refused = refusal(world.channel.queue_bind_with("q", &binding));
        assert_eq!(refused, (code, text.to_owned()), "{binding:?}");
        let publish = Publish::to_exchange(binding.source.clone(), binding.routing_key.clone());
        if code == 406 {
            world.channel.basic_publish(publish.mandatory()).unwrap();
            assert!(world.channel.take_returned().is_some(), "{binding:?} has come to be");
        }
        assert_eq!(world.ready("q"), 0);
    };
    for word in ["", "some", "ALL"] {
        let printed = if word.is_empty() { "<<>>".into() } else { format!("<<\"{word}\">>") };
        let text = format!(
            "Invalid x-match field value {printed}; expected all, any, all-with-x, or any-with-x"
        );
        let arguments = table([("x-match", string(word)), ("a", int(1))]);
        refuses(Binding::new("h", "").arguments(arguments), 406, &text);
    }
    let arguments = table([("x-match", int(1))]);
    let text = "Invalid x-match field type long (value 1); expected longstr";
    refuses(Binding::new("h", "").arguments(arguments), 406, text);
    for (weight, text) in [
        ("heavy", "The binding key must be an integer: <<\"heavy\">>"),
        ("", "The binding key must be an integer: <<>>"),
        ("0", "The binding key must be greater than 0"),
        ("-5", "The binding key must be greater than 0"),
    ] {
        refuses(Binding::new("c", weight), 406, text);
    }
    refuses(Binding::new("r", "key"), 406, "Non empty binding 'key' key not permitted");
    refuses(Binding::new("none", "k"), 404, "no exchange 'none' in vhost '/'");
    refuses(Binding::new("", "k"), 403, "operation not permitted on the default exchange");
    let missing = world.channel.queue_bind("none", "d", "k");
    assert_eq!(refusal(missing), (404, "no queue 'none' in vhost '/'".into()));
    world.channel.queue_bind("q", "d", "k").unwrap();
    world.channel.basic_publish(Publish::to_exchange("d", "k").body("a")).unwrap();
    assert_eq!(world.drain("q"), ["a"]);
}

#[test]
fn consumers_that_cannot_be_do_not_come_to_be() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a"]);
    let refuses = |arguments: FieldTable, reason: &str| {
        let consume = Consume::new("q").arguments(arguments);
        let text = format!("invalid arg {reason}");
        assert_eq!(refusal(world.channel.basic_consume_with(&consume)), (406, text));
        assert_eq!((world.counts("q").consumers, world.ready("q")), (0, 1));
    };
    for (value, kind) in kinds().into_iter().filter(|(_, kind)| !is_integer(kind)) {
        let reason =
            format!("'x-priority' for queue 'q' in vhost '/': \"expected integer, got {kind}\"");
        refuses(table([("x-priority", value.clone())]), &reason);
        let with_other = table([("x-priority", value.clone()), ("x-stream-offset", int(1))]);
        refuses(with_other, &reason);
        let reason = "'x-stream-offset' for queue 'q' in vhost '/' of queue type \
                      rabbit_classic_queue";
        refuses(table([("x-stream-offset", value)]), reason);
    }
    for priority in [i64::MIN, i64::MAX] {
        let arguments = table([("x-priority", int(priority)), ("x-unknown", int(1))]);
        let consume = Consume::new("q").arguments(arguments);
        drop(world.channel.basic_consume_with(&consume).unwrap());
    }
    assert_eq!(world.drain("q"), ["a"]);
}

#[test]
fn messages_that_cannot_be_do_not_arrive() {
    let world = World::new();
    world.declare("q");
    let refuses = |publish: Publish, text: &str| {
        let refused = refusal(world.channel.basic_publish(publish));
        assert_eq!(refused, (406, text.to_owned()));
        assert_eq!((world.ready("q"), world.broker.memory_used()), (0, 0));
    };
    let to_queue = |properties: BasicProperties| Publish::to_queue("q").properties(properties);
    for (expiration, reason) in [
        ("", "no_integer"),
        ("soon", "no_integer"),
        (" 1", "no_integer"),
        ("1 ", "{leftover_string,\" \"}"),
        ("1.5", "{leftover_string,\".5\"}"),
        ("-1", "{value_negative,-1}"),
        ("315360000001", "{value_too_large,315360000001}"),
        ("99999999999999999999", "{value_too_large,99999999999999999999}"),
    ] {
        let properties = BasicProperties::default().with_expiration(expiration.into());
        let text = format!("invalid expiration '{expiration}': {reason}");
        refuses(to_queue(properties), &text);
    }
    for header in ["CC", "BCC"] {
        for (value, kind) in kinds().into_iter().filter(|(_, kind)| *kind != "array") {
            let text =
                format!("invalid message: {{unacceptable_type_in_header,\"{header}\",{kind}}}");
            refuses(Publish::to_queue("q").header(header, value), &text);
        }
    }
    let properties = BasicProperties::default().with_user_id("somebody".into());
    let text = "user_id property set to 'somebody' but authenticated user was 'guest'";
    refuses(to_queue(properties), text);
    let direct = Publish::to_queue("q").reply_to("amq.rabbitmq.reply-to");
    refuses(direct, "fast reply consumer does not exist");
    world.publish("q", ["a"]);
    assert_eq!(world.drain("q"), ["a"]);
}

/// Settings of policies with values that they cannot have.
fn bad_settings() -> Vec<(&'static str, AMQPValue)> {
    let mut bad = vec![
        ("expires", int(0)),
        ("message-ttl", int(315_360_000_001)),
        ("queue-version", int(3)),
        ("alternate-exchange", AMQPValue::Void),
        ("dead-letter-exchange", AMQPValue::Void),
    ];
    for key in ["overflow", "queue-mode", "queue-leader-locator", "dead-letter-strategy"] {
        bad.extend([(key, string("no-such-word")), (key, int(1))]);
    }
    for (value, kind) in kinds() {
        if !is_integer(kind) {
            let keys = ["expires", "message-ttl", "max-length", "max-length-bytes"];
            let more = ["consumer-timeout", "delivery-limit", "max-in-memory-length"];
            bad.extend(keys.into_iter().chain(more).map(|key| (key, value.clone())));
        }
        if kind != "longstr" {
            let keys = ["dead-letter-exchange", "dead-letter-routing-key", "alternate-exchange"];
            bad.extend(keys.map(|key| (key, value.clone())));
        }
    }
    for key in ["expires", "message-ttl", "max-length", "max-length-bytes", "consumer-timeout"] {
        bad.extend([(key, int(-1)), (key, int(i64::MIN))]);
    }
    bad
}

#[test]
fn policies_that_cannot_be_change_nothing() {
    let world = World::new();
    let host = world.broker.virtual_host("/").unwrap();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    let refused = |policy: Policy| {
        let error = host.set_policy("p", policy).unwrap_err();
        assert!(!host.remove_policy("p"), "the policy is there all the same");
        assert!(error.to_string().starts_with("Validation failed\n\n"), "{error}");
        error
    };
    for pattern in ["(", "[a", "*", "(?=a", "\\1", "(a{1000}){1000}"] {
        let error = refused(Policy::new(pattern).with("max-length", int(1)));
        let is_pattern = matches!(error, PolicyError::Pattern(_));
        assert!(is_pattern, "{pattern}: {error:?}");
    }
    for (key, value) in bad_settings() {
        // What is right with it does not take effect either.
        let policy = Policy::new("").with(key, value.clone()).with("queue-master-locator", int(1));
        let error = refused(policy.clone());
        assert!(matches!(error, PolicyError::Value(_)), "{key} {value:?}: {error:?}");
        // Nor is what nobody knows taken, whichever of both is told.
        refused(policy.with("max-priority", int(1)));
    }
    for key in ["", "x-max-length", "max-priority", "queue-type", "single-active-consumer"] {
        let error = refused(Policy::new("").with(key, int(1)).with("max-length", int(1)));
        let key = if key.is_empty() { "<<>>".into() } else { format!("<<\"{key}\">>") };
        let text = format!("[{{{key},1}}] are not recognised policy settings");
        assert!(error.to_string().contains(&text), "{error}");
    }
    assert_eq!(refused(Policy::new("q")), PolicyError::Empty);
    world.publish("q", ["c"]);
    assert_eq!(world.drain("q"), ["a", "b", "c"]);
}

#[test]
fn a_policy_may_add_a_routing_key_to_the_exchange_of_an_argument() {
    let world = World::new();
    world.declare("dead");
    world.declare_with("q", [("x-dead-letter-exchange", string(""))]);
    let host = world.broker.virtual_host("/").unwrap();
    let policy = Policy::new("^q$").with("dead-letter-routing-key", string("dead"));
    host.set_policy("p", policy).unwrap();
    world.publish("q", ["a"]);
    world.get("q").reject().unwrap();
    assert_eq!(world.drain("dead"), ["a"]);
}

#[test]
fn of_several_faults_of_a_publish_one_is_told() {
    let world = World::new();
    let reply = "fast reply consumer does not exist";
    let user = "user_id property set to 'x' but authenticated user was 'guest'";
    let expiration = "invalid expiration 'soon': no_integer";
    let expires = BasicProperties::default().with_expiration("soon".into());
    let faulty = Publish::to_queue("q").properties(expires).header("CC", string("cc"));
    let told = refusal(world.channel.basic_publish(faulty.clone()));
    assert_eq!(told, (406, expiration.to_owned()));
    let faulty = faulty.user_id("x");
    let told = refusal(world.channel.basic_publish(faulty.clone()));
    assert_eq!(told, (406, user.to_owned()));
    let told = refusal(world.channel.basic_publish(faulty.reply_to("amq.rabbitmq.reply-to")));
    assert_eq!(told, (406, reply.to_owned()));
}
