//! What RabbitMQ 4.3 refuses, on a broker that is to refuse it. The texts are RabbitMQ's.

use leveret::Policy;
use leveret::lint::LintKind;
use leveret::{Broker, Channel, LintLevel, Publish, QueueDeclare, Scope};

use crate::support::{int, refusal, string, table, waiting};

fn world() -> (Broker, Channel) {
    let broker = Broker::builder().deny_deprecated(true).lint(LintLevel::Warn).build();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    (broker, channel)
}

fn durable(queue: &str) -> QueueDeclare {
    QueueDeclare::new(queue).durable()
}

fn with(queue: &str, argument: &str, value: leveret::AMQPValue) -> QueueDeclare {
    durable(queue).arguments(table([(argument, value)]))
}

#[test]
fn transient_queues_are_refused_unless_they_are_exclusive() {
    let (broker, channel) = world();
    let error = channel.queue_declare("q").unwrap_err();
    assert_eq!((error.reply_code(), error.scope()), (541, Scope::Connection));
    // What a client of RabbitMQ 4.3 gets, to the letter.
    let seen = "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nBy default, \
                this feature is not permitted anymore.\nThe feature will be removed from a future \
                major RabbitMQ version, regardless of the configuration; actual version to be \
                determined.\nTo...";
    assert_eq!(error.reply_text(), seen);
    assert!(
        error
            .to_string()
            .ends_with("\"deprecated_features.permit.transient_nonexcl_queues = true\"")
    );
    assert!(broker.virtual_host("/").unwrap().queue("q").is_err());
    let exclusive = QueueDeclare::new("mine").exclusive();
    channel.queue_declare_with(&exclusive).unwrap();
    channel.queue_declare_with(&durable("q")).unwrap();
    // There are some already: what is asked for is another thing.
    assert_eq!(refusal(channel.queue_declare("q")).0, 406);
}

#[test]
fn the_master_locator_is_refused() {
    let (broker, channel) = world();
    let locator = || string("client-local");
    let declare = with("q", "x-queue-master-locator", locator());
    let error = channel.queue_declare_with(&declare).unwrap_err();
    assert_eq!(error.reply_code(), 541);
    assert!(error.to_string().starts_with("Feature `queue_master_locator` is deprecated.\nBy"));
    channel.queue_declare_with(&with("q", "x-queue-leader-locator", locator())).unwrap();
    let host = broker.virtual_host("/").unwrap();
    let policy = Policy::new(".*").with("queue-master-locator", locator());
    assert_eq!(
        host.set_policy("p", policy).unwrap_err().to_string(),
        "Validation failed\n\nuse of deprecated queue-master-locator argument is not permitted\n"
    );
}

#[test]
fn policies_for_mirrored_queues_are_refused() {
    let (broker, _) = world();
    let host = broker.virtual_host("/").unwrap();
    let ha = || Policy::new(".*").with("ha-mode", string("all"));
    assert_eq!(
        host.set_policy("ha", ha()).unwrap_err().to_string(),
        "Validation failed\n\n[{<<\"ha-mode\">>,<<\"all\">>}] are not recognised policy settings\n"
    );
    assert!(!host.remove_policy("ha"));
    let text = host.set_policy("ha", ha().with("ha-params", int(2))).unwrap_err().to_string();
    assert!(text.contains("[{<<\"ha-mode\">>,<<\"all\">>},{<<\"ha-params\">>,2}]"), "{text}");
    host.set_policy("p", Policy::new(".*").with("max-length", int(2))).unwrap();
}

#[test]
fn arguments_that_are_gone_are_refused() {
    let (_broker, channel) = world();
    for (argument, value) in [
        ("x-queue-mode", string("lazy")),
        ("x-queue-version", int(1)),
        ("x-consumer-timeout", int(60_000)),
    ] {
        let (code, text) = refusal(channel.queue_declare_with(&with("q", argument, value)));
        let queue = "queue 'q' in vhost '/' of queue type rabbit_classic_queue";
        assert_eq!((code, text), (406, format!("invalid arg '{argument}' for {queue}")));
    }
    channel.queue_declare_with(&with("q", "x-queue-version", int(2))).unwrap();
    let mut quorum = with("quorum", "x-consumer-timeout", int(60_000));
    quorum.arguments.insert("x-queue-type".into(), string("quorum"));
    channel.queue_declare_with(&quorum).unwrap();
}

#[test]
fn a_prefetch_for_the_channel_becomes_one_for_each_consumer() {
    let (broker, channel) = world();
    channel.queue_declare_with(&durable("q")).unwrap();
    channel.basic_qos_global(2).unwrap();
    let consumers = [channel.basic_consume("q").unwrap(), channel.basic_consume("q").unwrap()];
    for _ in 0..6 {
        channel.basic_publish(Publish::to_queue("q").persistent()).unwrap();
    }
    assert_eq!(consumers.each_ref().map(|consumer| waiting(consumer).len()), [2, 2]);
    let found = broker.lints();
    assert_eq!(found.iter().map(|lint| lint.kind).collect::<Vec<_>>(), [LintKind::GlobalQos]);
    assert!(found[0].to_string().starts_with("basic.qos in vhost '/': global=true is deprecated"));

    let strict = Broker::builder().deny_deprecated(true).lint(LintLevel::Deny).build();
    let channel = strict.connect().unwrap().open_channel().unwrap();
    assert_eq!(refusal(channel.basic_qos_global(2)).0, 406);
}

#[test]
fn all_of_it_is_permitted_by_default() {
    let broker = Broker::builder().lint(LintLevel::Warn).build();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    channel.queue_declare_with(&with("lazy", "x-queue-mode", string("lazy"))).unwrap();
    channel.basic_qos_global(2).unwrap();
    let ha = Policy::new(".*").with("ha-mode", string("all")).with("queue-master-locator", int(1));
    broker.virtual_host("/").unwrap().set_policy("ha", ha).unwrap();
    assert!(broker.lints().is_empty());
}
