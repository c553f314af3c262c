//! When rules act, and what they say of themselves.

use leveret::faults::Method;

use super::*;

#[test]
fn rules_count_what_their_filters_let_pass() {
    let broker = broker();
    broker.add_virtual_host("other");
    let faults = broker.faults();
    let publishes = || faults.publishes().for_exchange("").for_routing_key("q");
    let skipped = publishes().after(2).times(2).unroutable();
    let elsewhere = faults.publishes().on_virtual_host("other").on_channel(0).unroutable();
    let nobody = faults.publishes().for_queue("q").unroutable();
    let channel = behind(&broker);
    for n in 0..6 {
        channel.basic_publish(Publish::to_queue("q").body(n.to_string())).unwrap();
        channel.basic_publish(Publish::to_queue("elsewhere")).unwrap();
    }
    assert!(drain(&broker).iter().map(|(body, _)| body).eq(["0", "1", "4", "5"]));
    assert_eq!((skipped.fired(), skipped.seen()), (2, 6));
    assert_eq!((elsewhere.seen(), nobody.seen()), (0, 0));
}

#[test]
fn the_first_rule_acts_and_all_count() {
    let broker = broker();
    let faults = broker.faults();
    let any = faults.on(Method::Any).nth(2).refuse(406, "any");
    let get = faults.on(Method::BasicGet).times(3).refuse(405, "get");
    let channel = behind(&broker);
    let codes = || channel.basic_get("q").map_or_else(|error| error.reply_code(), |_| 200);
    assert_eq!([codes(), codes(), codes(), codes()], [405, 406, 405, 200]);
    assert_eq!((any.fired(), any.seen(), get.fired(), get.seen()), (1, 4, 2, 4));
}

#[test]
fn a_rule_that_was_removed_does_nothing() {
    let broker = broker();
    let faults = broker.faults();
    let first = faults.on(Method::BasicGet).refuse(405, "no");
    let second = faults.on(Method::QueuePurge).refuse(405, "no");
    first.remove();
    let channel = behind(&broker);
    assert!(channel.basic_get("q").is_ok() && channel.queue_purge("q").is_err());
    assert_eq!((faults.rules().len(), second.fired()), (1, 1));
    faults.clear();
    assert!(channel.queue_purge("q").is_ok() && faults.rules().is_empty());
}

#[test]
#[should_panic(expected = "1 of the faults never happened:\n  confirms for exchange 'orders' \
                           matching a condition, after 1, 2 times: nack")]
fn rules_that_never_acted_are_listed() {
    let broker = broker();
    let faults = broker.faults();
    faults.on(Method::BasicGet).refuse(405, "no");
    let orders = faults.confirms().for_exchange("orders");
    orders.matching(|m| m.properties().priority().is_some()).after(1).times(2).nack();
    let _ = behind(&broker).basic_get("q");
    faults.assert_all_fired();
}
