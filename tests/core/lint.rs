//! What is allowed but seldom meant.

use leveret::lint::LintKind;
use leveret::{Broker, Channel, Consume, ExchangeDeclare, LintLevel, Publish, QueueDeclare};

use crate::support::{declare_with, int, refusal, string, table};

fn world(level: LintLevel) -> (Broker, Channel) {
    let broker = Broker::builder().lint(level).build();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    (broker, channel)
}

fn delayed_type_on_topic() -> ExchangeDeclare {
    ExchangeDeclare::new("x", "topic").arguments(table([("x-delayed-type", string("direct"))]))
}

/// Does everything that is looked for, twice where that is possible.
fn misuse(channel: &Channel) {
    let arguments = [("x-message-tll", int(1)), ("x-dead-letter-exchange", string("dlx"))];
    declare_with(channel, "q", arguments).unwrap();
    channel.exchange_declare_with(&delayed_type_on_topic()).unwrap();
    let durable = QueueDeclare::new("d").durable();
    channel.queue_declare_with(&durable).unwrap();
    let no_ack = Consume::new("q").no_ack();
    for _ in 0..2 {
        channel.basic_publish(Publish::to_exchange("x", "k")).unwrap();
        channel.basic_publish(Publish::to_queue("q")).unwrap();
        channel.basic_publish(Publish::to_queue("q").priority(3)).unwrap();
        channel.basic_publish(Publish::to_queue("d").persistent()).unwrap();
        channel.basic_publish(Publish::to_queue("d")).unwrap();
        channel.basic_consume_with(&no_ack).unwrap().cancel();
    }
}

#[test]
fn each_is_found_once() {
    let (broker, channel) = world(LintLevel::Warn);
    misuse(&channel);
    let found: Vec<_> = broker.lints().iter().map(|lint| (lint.kind, lint.to_string())).collect();
    let expected = [
        (LintKind::UnknownArgument, "no effect; did you mean 'x-message-ttl'?"),
        (LintKind::MissingDeadLetterExchange, "exchange 'dlx' does not exist"),
        (LintKind::DelayedTypeWithoutDelay, "did you mean 'x-delayed-message'?"),
        (LintKind::NothingBound, "exchange 'x' in vhost '/': no queue gets a message with key 'k'"),
        (LintKind::PriorityWithoutMaxPriority, "queue 'q' in vhost '/': it gets messages with"),
        (LintKind::TransientInDurableQueue, "queue 'd' in vhost '/': it is durable, but"),
        (LintKind::NoAckWithDeadLetterExchange, "queue 'q' in vhost '/': it has a dead-letter"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((kind, text), (expected_kind, part)) in found.iter().zip(expected) {
        assert_eq!(*kind, expected_kind);
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn what_is_denied_does_not_happen() {
    let (broker, channel) = world(LintLevel::Deny);
    let typo = [("x-max-lenght", int(1))];
    for _ in 0..2 {
        let (code, text) = refusal(declare_with(&channel, "q", typo.clone()));
        assert_eq!(code, 406);
        let expected = "queue 'q' in vhost '/': argument 'x-max-lenght' has no effect; did you \
                        mean 'x-max-length'? (lint)";
        assert_eq!(text, expected);
    }
    assert_eq!(broker.lints().len(), 1);
    assert!(broker.virtual_host("/").unwrap().queue("q").is_err());
    assert_eq!(refusal(channel.exchange_declare_with(&delayed_type_on_topic())).0, 406);
    assert_eq!(refusal(channel.basic_publish(Publish::to_queue("none"))).0, 406);
    channel.queue_declare("plain").unwrap();
    assert_eq!(refusal(channel.basic_publish(Publish::to_queue("plain").priority(1))).0, 406);
    channel.basic_publish(Publish::to_queue("plain")).unwrap();
    assert!(channel.basic_get("plain").unwrap().is_some());
    assert!(channel.basic_get("plain").unwrap().is_none());
}

#[test]
fn nothing_is_looked_for_by_default() {
    let broker = Broker::new();
    misuse(&broker.connect().unwrap().open_channel().unwrap());
    assert!(broker.lints().is_empty());
}
