//! Arbitrary tables, properties and names, at everything that takes them: no panic, refusals with
//! the codes that AMQP has for them, nothing that was refused exists, and the broker goes on.

use leveret::{
    AMQPValue, BasicProperties, Binding, Consume, Error, ExchangeDeclare, FieldTable, Publish,
    QueueDeclare, Result,
};
use leveret::{ApplyTo, Policy};
use proptest::prelude::*;

use crate::support::World;

/// Names of arguments, settings and headers that mean something somewhere.
const NAMES: &[&str] = &[
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-quorum-initial-group-size",
    "x-queue-leader-locator",
    "x-delivery-limit",
    "x-consumer-timeout",
    "x-priority",
    "x-stream-offset",
    "x-match",
    "alternate-exchange",
    "hash-header",
    "hash-property",
    "CC",
    "BCC",
    "x-death",
    "x-delay",
    "x-delayed-type",
    "x-recent-history-length",
    "x-recent-history-no-store",
    "x-message-deduplication",
    "x-deduplication-header",
    "x-cache-size",
    "x-cache-ttl",
    "x-cache-persistence",
    "expires",
    "message-ttl",
    "max-length",
    "dead-letter-exchange",
    "dead-letter-routing-key",
    "overflow",
    "delivery-limit",
];

/// Words that are values of some of them, and names of queues and exchanges.
const WORDS: &[&str] = &[
    "",
    "a",
    "b",
    "amq.topic",
    "amq.rabbitmq.reply-to",
    "classic",
    "quorum",
    "stream",
    "drop-head",
    "reject-publish",
    "reject-publish-dlx",
    "direct",
    "x-delayed-message",
    "all",
    "any-with-x",
    "message_id",
    "1",
    "-1",
    "at-least-once",
    "lazy",
];

const KINDS: &[&str] = &[
    "direct",
    "fanout",
    "topic",
    "headers",
    "x-consistent-hash",
    "x-modulus-hash",
    "x-super-stream",
    "x-random",
    "x-local-random",
    "x-delayed-message",
    "x-recent-history",
    "x-message-deduplication",
    "no-such-type",
];

/// A word that means something, or anything up to what a short string holds.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => "\\PC{0,60}",
        1 => prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
    ]
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![3 => -2i64..300, 1 => any::<i64>(), 1 => Just(315_360_000_001)]
}

fn value() -> impl Strategy<Value = AMQPValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        number().prop_map(AMQPValue::LongLongInt),
        any::<f32>().prop_map(AMQPValue::Float),
        any::<f64>().prop_map(AMQPValue::Double),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        word().prop_map(|word| AMQPValue::LongString(word.into())),
        prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|octets| AMQPValue::LongString(octets.into())),
        prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|octets| AMQPValue::ByteArray(octets.into())),
        Just(AMQPValue::Void),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| AMQPValue::FieldArray(values.into())),
            table_of(inner, 3).prop_map(AMQPValue::FieldTable),
        ]
    })
}

fn table_of(
    value: impl Strategy<Value = AMQPValue>,
    max: usize,
) -> impl Strategy<Value = FieldTable> {
    let name = prop_oneof![
        5 => prop::sample::select(NAMES).prop_map(str::to_owned),
        1 => "\\PC{0,20}",
    ];
    prop::collection::vec((name, value), 0..=max).prop_map(|entries| {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert(name.into(), value);
        }
        table
    })
}

fn any_table() -> impl Strategy<Value = FieldTable> {
    table_of(value(), 4)
}

fn properties() -> impl Strategy<Value = BasicProperties> {
    let short = || prop::option::weighted(0.3, word());
    let numbers = (any::<Option<u8>>(), any::<Option<u8>>(), any::<Option<u64>>());
    let headers = prop::option::of(any_table());
    (headers, numbers, [short(), short(), short(), short()]).prop_map(
        |(headers, (delivery_mode, priority, timestamp), words)| {
            let mut properties = BasicProperties::default();
            if let Some(headers) = headers {
                properties = properties.with_headers(headers);
            }
            if let Some(mode) = delivery_mode {
                properties = properties.with_delivery_mode(mode);
            }
            if let Some(priority) = priority {
                properties = properties.with_priority(priority);
            }
            if let Some(timestamp) = timestamp {
                properties = properties.with_timestamp(timestamp);
            }
            let [expiration, reply_to, user_id, message_id] =
                words.map(|word| word.map(|word| word.as_str().into()));
            if let Some(expiration) = expiration {
                properties = properties.with_expiration(expiration);
            }
            if let Some(reply_to) = reply_to {
                properties = properties.with_reply_to(reply_to);
            }
            if let Some(user_id) = user_id {
                properties = properties.with_user_id(user_id);
            }
            if let Some(message_id) = message_id {
                properties = properties.with_message_id(message_id);
            }
            properties
        },
    )
}

#[derive(Clone, Debug)]
enum Action {
    DeclareQueue(String, [bool; 3], FieldTable),
    DeclareExchange(String, &'static str, [bool; 3], FieldTable),
    Bind(String, Binding),
    BindExchange(String, Binding),
    Consume(Consume),
    Publish(String, String, Box<BasicProperties>),
    Get(String),
    SetPolicy(String, bool, FieldTable),
    Delete(String),
    Advance(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let binding = || {
        (word(), word(), any_table())
            .prop_map(|(source, key, arguments)| Binding::new(&source, &key).arguments(arguments))
    };
    let kind = prop::sample::select(KINDS);
    let flags = any::<[bool; 3]>;
    let consume = (word(), word(), any::<[bool; 2]>(), any_table()).prop_map(
        |(queue, consumer_tag, [no_ack, exclusive], arguments)| {
            let mut consume = Consume::new(queue).consumer_tag(consumer_tag).arguments(arguments);
            (consume.no_ack, consume.exclusive) = (no_ack, exclusive);
            consume
        },
    );
    prop_oneof![
        4 => (word(), flags(), any_table())
            .prop_map(|(name, flags, table)| Action::DeclareQueue(name, flags, table)),
        3 => (word(), kind, flags(), any_table())
            .prop_map(|(name, kind, flags, t)| Action::DeclareExchange(name, kind, flags, t)),
        3 => (word(), binding()).prop_map(|(queue, binding)| Action::Bind(queue, binding)),
        2 => (word(), binding()).prop_map(|(name, binding)| Action::BindExchange(name, binding)),
        2 => consume.prop_map(Action::Consume),
        6 => (word(), word(), properties())
            .prop_map(|(exchange, key, p)| Action::Publish(exchange, key, p.into())),
        2 => word().prop_map(Action::Get),
        2 => (word(), any::<bool>(), any_table())
            .prop_map(|(pattern, operator, t)| Action::SetPolicy(pattern, operator, t)),
        1 => word().prop_map(Action::Delete),
        1 => (0u64..400).prop_map(Action::Advance),
    ]
}

fn run(world: &World, action: Action) -> Result<()> {
    let channel = &world.channel;
    match action {
        Action::DeclareQueue(queue, [durable, exclusive, auto_delete], arguments) => {
            let mut declare = QueueDeclare::new(&queue).arguments(arguments);
            (declare.durable, declare.exclusive) = (durable, exclusive);
            declare.auto_delete = auto_delete;
            let existed = world.queue(&queue).is_some();
            let declared = channel.queue_declare_with(&declare);
            if declared.is_err() {
                assert_eq!(world.queue(&queue).is_some(), existed, "{queue:?} came to be");
            }
            declared.map(drop)
        }
        Action::DeclareExchange(name, kind, [durable, auto_delete, internal], arguments) => {
            let mut declare = ExchangeDeclare::new(&name, kind).arguments(arguments);
            (declare.durable, declare.auto_delete) = (durable, auto_delete);
            declare.internal = internal;
            let host = world.broker.virtual_host("/").unwrap();
            let existed = host.exchange(&name).is_ok();
            let declared = channel.exchange_declare_with(&declare);
            if declared.is_err() {
                assert_eq!(host.exchange(&name).is_ok(), existed, "{name:?} came to be");
            }
            declared
        }
        Action::Bind(queue, binding) => channel.queue_bind_with(&queue, &binding),
        Action::BindExchange(exchange, binding) => channel.exchange_bind_with(&exchange, &binding),
        Action::Consume(consume) => {
            let consumer = channel.basic_consume_with(&consume)?;
            while consumer.try_recv().is_some() {}
            Ok(())
        }
        Action::Publish(exchange, key, properties) => {
            let publish = Publish::to_exchange(exchange, key).properties(*properties);
            channel.basic_publish(publish.body("arbitrary").mandatory())
        }
        Action::Get(queue) => match channel.basic_get(&queue)? {
            Some(delivery) if delivery.redelivered() => delivery.requeue(),
            Some(delivery) => delivery.reject(),
            None => Ok(()),
        },
        Action::SetPolicy(pattern, operator, definition) => {
            set_policy(world, pattern, operator, definition);
            Ok(())
        }
        Action::Delete(queue) => channel.queue_delete(&queue).map(drop),
        Action::Advance(ms) => {
            world.advance_ms(ms);
            Ok(())
        }
    }
}

fn set_policy(world: &World, pattern: String, operator: bool, definition: FieldTable) {
    let host = world.broker.virtual_host("/").unwrap();
    let policy = Policy { pattern, apply_to: ApplyTo::All, priority: 0, definition };
    let set =
        if operator { host.set_operator_policy("p", policy) } else { host.set_policy("p", policy) };
    if let Err(error) = set {
        assert!(error.to_string().starts_with("Validation failed\n\n"), "{error}");
    }
}

/// What any of these may be refused with.
fn is_expected(error: &Error) -> bool {
    const CODES: &[u16] = &[403, 404, 405, 406, 530, 540];
    CODES.contains(&error.reply_code()) && !error.reply_text().is_empty()
}

fn is_predeclared(exchange: &str) -> bool {
    exchange.is_empty() || exchange.starts_with("amq.")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_input_is_taken_or_refused(actions in prop::collection::vec(action(), 1..40)) {
        let world = World::new();
        for action in actions {
            let described = format!("{action:?}");
            if let Err(error) = run(&world, action) {
                prop_assert!(is_expected(&error), "{described}: {error:?}");
            }
        }
        let host = world.broker.virtual_host("/").unwrap();
        host.remove_policy("p");
        host.remove_operator_policy("p");
        world.declare("still.there");
        world.publish("still.there", ["a"]);
        prop_assert_eq!(world.drain("still.there"), ["a"]);
        world.connection.close();
        let other = world.broker.connect().unwrap().open_channel().unwrap();
        for exchange in host.exchanges().iter().filter(|x| !is_predeclared(x.name())) {
            other.exchange_delete(exchange.name()).unwrap();
        }
        for queue in host.queues() {
            other.queue_delete(queue.name()).unwrap();
        }
        prop_assert_eq!(world.broker.memory_used(), 0);
    }
}
