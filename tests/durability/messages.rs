//! Messages over a restart.

use std::time::Duration;

use leveret::{AMQPValue, Binding, ExchangeDeclare, Publish};

use crate::support::*;

#[test]
fn after_a_clean_stop_everything_is_as_it_was() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    for body in ["a", "b", "c", "d"] {
        confirm(&one, persistent("q", body));
    }
    confirm(&one, Publish::to_queue("q").body("transient"));
    one.basic_get("q").unwrap().unwrap().ack().unwrap();
    one.basic_get("q").unwrap().unwrap().requeue().unwrap();
    drop((one, broker));

    let broker = directory.open();
    assert!(broker.recovery().clean && broker.recovery().damage.is_empty());
    let found = drain(&channel(&broker), "q");
    let expected = [("b", true), ("c", false), ("d", false)];
    assert_eq!(found, expected.map(|(body, again)| (body.to_owned(), again)));
}

#[test]
fn what_was_confirmed_survives_a_crash_and_is_flagged_redelivered() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    for body in ["a", "b", "c"] {
        confirm(&one, persistent("q", body));
    }
    one.basic_get("q").unwrap().unwrap().ack().unwrap();
    // An acknowledgement is durable once something after it is.
    confirm(&one, persistent("q", "d"));

    let broker = directory.crash().open();
    assert!(!broker.recovery().clean);
    let found = drain(&channel(&broker), "q");
    assert_eq!(found, ["b", "c", "d"].map(|body| (body.to_owned(), true)));
}

#[test]
fn a_message_is_in_each_of_its_queues_and_in_none_twice() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    for queue in ["a", "b", "c"] {
        one.queue_declare_with(&durable(queue)).unwrap();
        one.queue_bind(queue, "amq.fanout", "").unwrap();
    }
    one.queue_declare("transient").unwrap();
    one.queue_bind("transient", "amq.fanout", "").unwrap();
    confirm(&one, Publish::to_exchange("amq.fanout", "k").body("1").persistent());
    confirm(&one, Publish::to_exchange("amq.fanout", "k").body("2").persistent());
    assert_eq!(bodies(&one, "b"), ["1", "2"]);
    confirm(&one, persistent("a", "3"));

    let broker = directory.crash().open();
    let one = channel(&broker);
    assert_eq!(bodies(&one, "a"), ["1", "2", "3"]);
    assert_eq!(bodies(&one, "b"), [""; 0]);
    assert_eq!(bodies(&one, "c"), ["1", "2"]);
    assert!(one.basic_get("transient").is_err(), "a queue that is not durable is gone");
}

#[test]
fn what_is_purged_or_deleted_does_not_come_back() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    for queue in ["purged", "deleted", "declared again"] {
        one.queue_declare_with(&durable(queue)).unwrap();
        for _ in 0..10 {
            confirm(&one, persistent(queue, "old"));
        }
    }
    let held = one.basic_get("purged").unwrap().unwrap();
    assert_eq!(one.queue_purge("purged").unwrap(), 9);
    one.queue_delete("deleted").unwrap();
    one.queue_delete("declared again").unwrap();
    one.queue_declare_with(&durable("declared again")).unwrap();

    let broker = directory.crash().open();
    let two = channel(&broker);
    assert_eq!(drain(&two, "purged").len(), 1, "what was unacknowledged was not purged");
    assert!(two.basic_get("deleted").is_err());
    assert_eq!(bodies(&two, "declared again"), [""; 0]);
    drop(held);
}

#[test]
fn deadlines_and_priorities_are_kept() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable_with("ttl", table([("x-message-ttl", 60_000.into())])))
        .unwrap();
    one.queue_declare_with(&durable_with("priority", table([("x-max-priority", 5.into())])))
        .unwrap();
    confirm(&one, persistent("ttl", "a"));
    confirm(&one, persistent("ttl", "b").expiration_ms(1000));
    broker.advance(Duration::from_secs(30));
    confirm(&one, persistent("ttl", "c"));
    for (body, priority) in [("low", 1), ("high", 4), ("none", 0), ("higher", 9)] {
        confirm(&one, persistent("priority", body).priority(priority));
    }

    // It takes up its work when the first message has just expired.
    let crashed = directory.crash();
    let broker = builder(START + 60_000).open(crashed.path()).unwrap();
    let two = channel(&broker);
    assert_eq!(bodies(&two, "priority"), ["higher", "high", "low", "none"]);
    assert_eq!(
        two.queue_declare_with(&durable_with("ttl", table([("x-message-ttl", 60_000.into())]),))
            .unwrap()
            .message_count,
        1
    );
    broker.advance(Duration::from_secs(29));
    assert!(two.basic_get("ttl").unwrap().is_some_and(|m| m.requeue().is_ok()));
    broker.advance(Duration::from_secs(1));
    assert!(two.basic_get("ttl").unwrap().is_none(), "what was left of its time counts");
}

#[test]
fn dead_letters_arrive_and_remember_their_deaths() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    let dead = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "dead".into()),
    ]);
    one.queue_declare_with(&durable_with("work", dead)).unwrap();
    one.queue_declare_with(&durable("dead")).unwrap();
    for _ in 0..2 {
        confirm(&one, persistent("work", "job"));
        one.basic_get("work").unwrap().unwrap().reject().unwrap();
    }
    confirm(&one, persistent("dead", "last"));

    let broker = directory.crash().open();
    let two = channel(&broker);
    assert_eq!(bodies(&two, "work"), [""; 0]);
    let message = two.basic_get("dead").unwrap().unwrap();
    assert_eq!(message.body(), b"job");
    let reason = AMQPValue::LongString("rejected".into());
    assert_eq!(message.headers().inner().get("x-first-death-reason"), Some(&reason));
    message.requeue().unwrap();
    assert_eq!(bodies(&two, "dead"), ["job", "job", "last"]);
}

#[test]
fn quorum_queues_keep_every_message_and_count_returns() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&quorum("q")).unwrap();
    confirm(&one, Publish::to_queue("q").body("poison"));
    for _ in 0..3 {
        one.basic_get("q").unwrap().unwrap().requeue().unwrap();
    }
    drop((one, broker));

    let broker = directory.open();
    let two = channel(&broker);
    let message = two.basic_get("q").unwrap().unwrap();
    assert_eq!((message.body(), message.delivery_count()), (b"poison".as_slice(), Some(3)));
    // It is held while the broker ends: then it was returned once more.
    drop((two, broker));
    let broker = directory.open();
    let again = channel(&broker).basic_get("q").unwrap().unwrap();
    assert_eq!(again.delivery_count(), Some(4));
    drop(message);
}

#[test]
fn what_is_given_back_to_the_end_of_a_quorum_queue_stays_there() {
    let unlimited = || {
        let mut declare = quorum("q");
        declare.arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(-1));
        declare
    };
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&unlimited()).unwrap();
    for body in ["0", "1", "2"] {
        confirm(&one, Publish::to_queue("q").body(body).priority(9));
    }
    for _ in 0..2 {
        one.basic_get("q").unwrap().unwrap().requeue().unwrap();
    }
    drop((one, broker));
    let broker = directory.open();
    let two = channel(&broker);
    let found = std::iter::from_fn(|| two.basic_get("q").unwrap());
    let found: Vec<_> = found.map(|got| (got.text().to_owned(), got.delivery_count())).collect();
    let expected = [("2", None), ("0", Some(1)), ("1", Some(1))];
    assert_eq!(found, expected.map(|(body, count)| (body.to_owned(), count)));
}

#[test]
fn a_stop_gives_nothing_to_connections_that_are_about_to_end() {
    let directory = Directory::new();
    let broker = directory.open();
    let publisher = channel(&broker);
    publisher.queue_declare_with(&quorum("q")).unwrap();
    let consumers: Vec<_> = (0..5)
        .map(|_| {
            let channel = channel(&broker);
            channel.basic_qos(1).unwrap();
            channel.basic_consume("q").unwrap()
        })
        .collect();
    for number in 0..10 {
        confirm(&publisher, Publish::to_queue("q").body(number.to_string()));
    }
    drop(publisher);
    drop(broker);
    drop(consumers);
    let broker = directory.open();
    let channel = channel(&broker);
    for number in 0..10 {
        let message = channel.basic_get("q").unwrap().unwrap();
        assert_eq!(message.text(), number.to_string());
        assert_eq!(message.delivery_count(), (number < 5).then_some(1), "{number}");
    }
}

#[test]
fn delayed_messages_are_kept() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.exchange_declare_with(
        &ExchangeDeclare::new("later", "x-delayed-message")
            .durable()
            .arguments(table([("x-delayed-type", "direct".into())])),
    )
    .unwrap();
    one.queue_declare_with(&durable("q")).unwrap();
    one.queue_bind_with("q", &Binding::new("later", "k")).unwrap();
    for (body, delay) in [("second", 20_000), ("first", 10_000), ("third", 60_000)] {
        let delay = AMQPValue::LongInt(delay);
        let publish = Publish::to_exchange("later", "k").body(body).persistent();
        let publish = publish.header("x-delay", delay);
        confirm(&one, publish);
    }
    broker.advance(Duration::from_secs(10));
    assert_eq!(bodies(&one, "q"), ["first"]);
    confirm(&one, persistent("q", "now"));

    let crashed = directory.crash();
    let broker = builder(START + 15_000).open(crashed.path()).unwrap();
    let two = channel(&broker);
    assert_eq!(bodies(&two, "q"), ["now"]);
    broker.advance(Duration::from_secs(5));
    assert_eq!(bodies(&two, "q"), ["second"]);
    drop((two, broker));
    let broker = builder(START + 100_000).open(crashed.path()).unwrap();
    broker.advance(Duration::ZERO);
    assert_eq!(bodies(&channel(&broker), "q"), ["third"], "what came due meanwhile is sent");
}

#[test]
fn a_committed_transaction_is_durable() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    confirm(&one, persistent("q", "before"));
    let tx = channel(&broker);
    tx.tx_select().unwrap();
    let taken = tx.basic_get("q").unwrap().unwrap();
    taken.ack().unwrap();
    tx.basic_publish(persistent("q", "committed")).unwrap();
    tx.tx_commit().unwrap();
    tx.basic_publish(persistent("q", "not committed")).unwrap();

    let broker = directory.crash().open();
    assert_eq!(bodies(&channel(&broker), "q"), ["committed"]);
}

#[test]
fn what_expires_while_the_broker_is_down_reaches_the_dead_letter_queue() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    // It comes before the queue of its dead letters in every order.
    let arguments =
        [("x-message-ttl", Argument::from(60_000)), ("x-dead-letter-exchange", "dlx".into())];
    one.queue_declare_with(&durable_with("a", table(arguments))).unwrap();
    one.exchange_declare_with(&ExchangeDeclare::new("dlx", "fanout").durable()).unwrap();
    one.queue_declare_with(&durable("z")).unwrap();
    one.queue_bind("z", "dlx", "").unwrap();
    confirm(&one, persistent("a", "late"));
    let crashed = directory.crash();

    let broker = builder(START + 60_000).open(crashed.path()).unwrap();
    let two = channel(&broker);
    assert_eq!(bodies(&two, "a"), [""; 0]);
    assert_eq!(bodies(&two, "z"), ["late"]);
}

#[test]
fn many_messages_are_confirmed_together_once_they_are_durable() {
    let directory = Directory::new();
    let broker = directory.open();
    channel(&broker).queue_declare_with(&durable("q")).unwrap();
    let all = (0..1000).map(|number| persistent("q", &number.to_string()));
    assert_eq!(broker.publish_all(all).unwrap(), 1000);
    let broker = directory.crash().open();
    let expected: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&channel(&broker), "q"), expected);
}

#[tokio::test(flavor = "current_thread")]
async fn confirms_that_are_awaited_say_that_messages_are_durable() {
    let directory = Directory::new();
    let broker = directory.open();
    let channel = channel(&broker);
    channel.queue_declare_with(&durable("q")).unwrap();
    let publish = |number: usize| channel.publish(persistent("q", &number.to_string()));
    let confirming: Vec<_> = (0..100).map(publish).collect();
    for confirmed in confirming {
        assert!(confirmed.await.unwrap().is_ack());
    }
    let broker = directory.crash().open();
    let expected: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&self::channel(&broker), "q"), expected);
}
