//! What the journal tells, and what it says when it was not so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use leveret::journal::{DeathReason, DropReason, EventKind};
use leveret::{Broker, Channel, ManualClock, Publish, QueueDeclare};

use crate::support::{declare_with, int, quorum_queue, string, table};

fn world(capacity: usize) -> (Broker, Channel) {
    let broker = Broker::builder().manual_clock(ManualClock::default()).journal(capacity).build();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    (broker, channel)
}

/// The lines of a journal without numbers and times.
fn story(broker: &Broker, events: &leveret::journal::Events) -> Vec<String> {
    assert!(broker.journal().is_on());
    events.iter().map(|event| event.to_string()).collect()
}

fn publish(channel: &Channel, queue: &str, body: &'static str) {
    channel.basic_publish(Publish::to_queue(queue).body(body)).unwrap();
}

#[track_caller]
fn complaint(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("a failed assertion");
    panic.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn one_message_from_its_publish_to_its_acknowledgement() {
    let (broker, channel) = world(100);
    channel.exchange_declare("orders", "topic").unwrap();
    channel.queue_declare("billing").unwrap();
    channel.queue_bind("billing", "orders", "order.#").unwrap();
    channel.queue_bind("billing", "orders", "bill.#").unwrap();
    let order = Publish::to_exchange("orders", "order.created").body("7");
    assert!(channel.publish(order).wait().unwrap().is_ack());
    channel.basic_get("billing").unwrap().unwrap().requeue().unwrap();
    let consumer = channel.basic_consume("billing").unwrap();
    consumer.recv().unwrap().ack().unwrap();

    let journal = broker.journal();
    let published = journal.assert_published("orders", "order.created");
    let tag = consumer.tag();
    let lines = story(&broker, &journal.events().of_message(&published));
    let number = published.trace.unwrap();
    let expected = [
        "published to exchange 'orders' with key 'order.created' by guest (connection 1)",
        "routed to 'billing' by 'orders' -> 'billing' with key 'order.#'",
        "enqueued in 'billing'",
        "confirmed as publish 1",
        "taken from 'billing' by basic.get",
        "requeued in 'billing'",
        &format!("delivered again from 'billing' to consumer '{tag}'"),
        "acknowledged in 'billing'",
    ];
    assert_eq!(lines, expected.map(|line| format!("message {number} {line}: \"7\"")));
    journal.dropped().assert_none();
    journal.delivered().in_queue("billing").of_consumer(tag).redelivered().assert_one();
    journal.published().assert_before(&journal.acked());
}

#[test]
fn a_dead_letter_is_the_same_message() {
    let (broker, channel) = world(100);
    channel.queue_declare("dead").unwrap();
    let arguments = [
        ("x-message-ttl", int(50)),
        ("x-dead-letter-exchange", string("")),
        ("x-dead-letter-routing-key", string("dead")),
    ];
    declare_with(&channel, "q", arguments).unwrap();
    publish(&channel, "q", "a");
    broker.advance(Duration::from_millis(50));
    channel.basic_get_no_ack("dead").unwrap().unwrap();

    let journal = broker.journal();
    let published = journal.published().assert_one();
    let dead = journal.dead_lettered().in_queue("q").because(DeathReason::Expired).assert_one();
    assert_eq!(dead.trace, published.trace);
    assert_eq!(dead.at.as_millis() - published.at.as_millis(), 50);
    journal.dead_lettered().to("").to_queue("dead").assert_count(1);
    let story = story(&broker, &journal.events().of_message(&dead));
    let ends = ["enqueued in 'q'", "expired in 'q'", "dead-lettered", "in 'dead'", "basic.get"];
    for (line, part) in story.iter().skip(2).zip(ends) {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert_eq!(story.len(), 7);
}

#[test]
fn every_way_to_be_lost_has_its_reason() {
    let (broker, channel) = world(1000);
    declare_with(&channel, "short", [("x-max-length", int(1))]).unwrap();
    declare_with(&channel, "ttl", [("x-message-ttl", int(1))]).unwrap();
    declare_with(&channel, "astray", [("x-dead-letter-exchange", string("nowhere"))]).unwrap();
    channel.queue_declare_with(&quorum_queue("few", [("x-delivery-limit", int(0))])).unwrap();
    for queue in ["short", "short", "ttl", "astray", "few"] {
        publish(&channel, queue, "m");
    }
    broker.advance(Duration::from_millis(1));
    channel.basic_get("astray").unwrap().unwrap().reject().unwrap();
    channel.basic_get("few").unwrap().unwrap().requeue().unwrap();
    channel.queue_purge("short").unwrap();
    publish(&channel, "astray", "late");
    channel.queue_delete("astray").unwrap();
    publish(&channel, "astray", "nobody");

    let journal = broker.journal();
    let dropped = |queue: &str, reason: DropReason| {
        journal.dropped().in_queue(queue).dropped_because(reason).assert_one();
    };
    dropped("short", DropReason::Died(DeathReason::MaxLen));
    dropped("short", DropReason::Purged);
    dropped("ttl", DropReason::Died(DeathReason::Expired));
    dropped("astray", DropReason::Undeliverable(DeathReason::Rejected));
    dropped("few", DropReason::Died(DeathReason::DeliveryLimit));
    dropped("astray", DropReason::QueueDeleted);
    journal.unroutable().with_body("nobody").assert_one();
    journal.dropped().assert_count(6);
    journal.expired().assert_count(1);
}

#[test]
fn publishes_that_are_refused_or_come_back() {
    let (broker, channel) = world(100);
    let full = [("x-max-length", int(1)), ("x-overflow", string("reject-publish"))];
    declare_with(&channel, "full", full).unwrap();
    for _ in 0..2 {
        let _ = channel.publish(Publish::to_queue("full")).wait().unwrap();
    }
    let _ = channel.publish(Publish::to_queue("none").mandatory()).wait().unwrap();
    let journal = broker.journal();
    let nacked = journal.nacked().assert_one();
    assert_eq!(nacked.kind, EventKind::Nacked { delivery_tag: 2 });
    journal.confirmed().assert_count(2);
    journal.returned().with_key("none").assert_one();
}

#[test]
fn a_delayed_message_is_the_same_message() {
    let (broker, channel) = world(100);
    let mut delayed = leveret::ExchangeDeclare::new("later", "x-delayed-message");
    delayed.arguments = table([("x-delayed-type", string("fanout"))]);
    channel.exchange_declare_with(&delayed).unwrap();
    channel.queue_declare("q").unwrap();
    channel.queue_bind("q", "later", "").unwrap();
    channel.basic_publish(Publish::to_exchange("later", "").header("x-delay", 100)).unwrap();
    broker.advance(Duration::from_millis(100));
    let published = broker.journal().published().assert_one();
    let all = broker.journal().events().of_message(&published);
    all.that("delayed", |event| matches!(event.kind, EventKind::Delayed { ms: 100, .. }))
        .assert_one();
    broker.journal().enqueued().of_message(&published).in_queue("q").assert_one();
}

#[test]
fn a_failed_assertion_tells_what_did_happen() {
    let (broker, channel) = world(100);
    channel.queue_declare("mail").unwrap();
    publish(&channel, "mail", "hello");
    let journal = broker.journal();
    let text = complaint(|| journal.published().with_key("male").assert_count(1));
    assert!(text.contains("published with key 'male': 1 of them, not 0"), "{text}");
    assert!(text.contains("what comes nearest:"), "{text}");
    assert!(text.contains("to the default exchange with key 'mail' by guest"), "{text}");
    let text = complaint(|| journal.published().assert_none());
    assert!(text.contains("these are:"), "{text}");
    let text = complaint(|| journal.acked().assert_before(&journal.published()));
    assert!(text.contains("acknowledged: at least one of them"), "{text}");
    let quiet = Broker::new();
    let text = complaint(|| drop(quiet.journal().assert_published("", "mail")));
    assert!(text.contains("the journal is off"), "{text}");
}

#[test]
fn what_is_too_much_is_forgotten_and_counted() {
    let (broker, channel) = world(3);
    channel.queue_declare("q").unwrap();
    for _ in 0..5 {
        publish(&channel, "q", "m");
    }
    let journal = broker.journal();
    assert_eq!(journal.events().count(), 3);
    // The connection, the queue, and three for each publish.
    assert_eq!(journal.forgotten(), 2 + 15 - 3);
    assert!(journal.to_string().starts_with("(14 older events are forgotten)"));
    journal.clear();
    assert!(journal.events().is_empty());
}

#[test]
fn queues_consumers_and_connections_come_and_go() {
    let (broker, channel) = world(100);
    let connection = broker.connect().unwrap();
    let own = connection.open_channel().unwrap();
    let declare = QueueDeclare::new("own").exclusive();
    own.queue_declare_with(&declare).unwrap();
    channel.exchange_declare("x", "fanout").unwrap();
    own.queue_bind("own", "x", "").unwrap();
    let consumer = own.basic_consume("own").unwrap();
    let tag = consumer.tag().to_owned();
    drop(consumer);
    connection.close();
    channel.exchange_delete("x").unwrap();
    let lines = story(&broker, &broker.journal().topology());
    let expected = [
        "connection 1 opened by guest",
        "connection 2 opened by guest",
        "queue 'own' declared",
        "exchange 'x' declared",
        "bound 'x' -> 'own' with key ''",
        &format!("consumer '{tag}' started on 'own'"),
        &format!("consumer '{tag}' on 'own' ended"),
        "connection 2 closed",
        "queue 'own' deleted",
        "exchange 'x' deleted",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn transactions_publish_when_they_commit() {
    let (broker, channel) = world(100);
    channel.queue_declare("q").unwrap();
    channel.tx_select().unwrap();
    publish(&channel, "q", "never");
    channel.tx_rollback().unwrap();
    publish(&channel, "q", "a");
    assert!(broker.journal().published().is_empty());
    channel.tx_commit().unwrap();
    broker.journal().published().assert_texts(["a"]);
    broker.journal().routed().to_queue("q").assert_texts(["a"]);
}

#[test]
fn waiting_for_what_others_do() {
    let (broker, channel) = world(100);
    let limit = Duration::from_secs(60);
    channel.queue_declare("in").unwrap();
    channel.queue_declare("out").unwrap();
    publish(&channel, "in", "a");
    let worker = broker.connect().unwrap().open_channel().unwrap();
    std::thread::spawn(move || {
        for delivery in worker.basic_consume("in").unwrap().iter().take(2) {
            worker.basic_publish(Publish::to_queue("out").body("b")).unwrap();
            delivery.ack().unwrap();
        }
    });
    broker.eventually(|broker| broker.journal().acked().count() == 1, limit);
    publish(&channel, "in", "a");
    broker.eventually(|broker| broker.journal().published().with_key("out").count() == 2, limit);
    broker.wait_until_idle(limit).unwrap();
    let _held = channel.basic_get("out").unwrap().unwrap();
    let error = broker.wait_until_idle(Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("queue 'out' in vhost '/' (1 ready, 1 unacknowledged)"), "{error}");
    let error = broker.wait_until(Duration::ZERO, |_| false).unwrap_err().to_string();
    assert!(error.contains("what happened last:"), "{error}");
}
