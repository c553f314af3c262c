//! Federated exchanges: what is bound here is bound upstream, and messages go as far as they may.

use amq_protocol::types::AMQPValue;
use leveret::Broker;
use serde_json::json;

use crate::{Federated, SOON};

/// A broker with the exchange `events`.
fn broker(name: &str) -> Broker {
    let broker = Broker::new().named(name);
    broker.exchange("events");
    broker
}

#[test]
fn what_is_bound_here_is_bound_upstream_as_long_as_it_is() {
    let (up, down) = (broker("up"), broker("down"));
    down.bound("a", "events", "a.*");
    down.federate("events", &up.uri(), json!({}));
    down.wait_for_links(1, "running");
    up.wait_for_bindings("events", 1);
    up.tell("events", "c.d", "lost");
    up.tell("events", "a.b", "first");
    down.wait_for_ready("a", 1);
    down.bound("c", "events", "c.#");
    down.bound("again", "events", "c.#");
    up.wait_for_bindings("events", 2);
    up.tell("events", "c.d", "second");
    down.wait_for_ready("c", 1);
    down.wait_for_ready("again", 1);
    let channel = down.connect().unwrap().open_channel().unwrap();
    channel.queue_delete("c").unwrap();
    channel.queue_unbind("a", "events", "a.*").unwrap();
    up.wait_for_bindings("events", 1);
    up.tell("events", "a.b", "lost");
    up.tell("events", "c.d", "third");
    down.wait_for_ready("again", 2);
    assert_eq!(down.drain("a"), ["first"]);
    assert_eq!(down.drain("again"), ["second", "third"]);
}

#[test]
fn a_message_tells_where_it_comes_from() {
    let (up, down) = (broker("up"), broker("down"));
    down.bound("a", "events", "#");
    let uri = up.uri();
    down.federate("events", &uri, json!({}));
    down.wait_for_links(1, "running");
    up.tell("events", "k", "hello");
    down.wait_for_ready("a", 1);
    let channel = down.connect().unwrap().open_channel().unwrap();
    let message = channel.basic_get_no_ack("a").unwrap().unwrap();
    let headers = message.properties().headers().clone().unwrap();
    let AMQPValue::FieldArray(visits) = &headers.inner()["x-received-from"] else {
        panic!("{headers:?}")
    };
    let AMQPValue::FieldTable(visit) = &visits.as_slice()[0] else { panic!("{visits:?}") };
    let text = |text: &str| AMQPValue::LongString(text.into());
    assert_eq!(visit.inner()["cluster-name"], text("up"));
    assert_eq!(visit.inner()["vhost"], text("/"));
    assert_eq!(visit.inner()["exchange"], text("events"));
    assert_eq!(visit.inner()["redelivered"], AMQPValue::Boolean(false));
    assert_eq!(visit.inner()["uri"], text(&uri.replace("guest:guest@", "")));
}

#[test]
fn two_brokers_that_have_each_other_upstream_get_each_message_once() {
    let (one, other) = (broker("one"), broker("other"));
    one.bound("q", "events", "#");
    other.bound("q", "events", "#");
    one.federate("events", &other.uri(), json!({"max-hops": 9}));
    other.federate("events", &one.uri(), json!({"max-hops": 9}));
    one.wait_for_links(1, "running");
    other.wait_for_links(1, "running");
    one.tell("events", "k", "from one");
    other.tell("events", "k", "from the other");
    one.wait_for_ready("q", 2);
    other.wait_for_ready("q", 2);
    // What went round would be there before this.
    one.tell("events", "k", "last");
    other.wait_for_ready("q", 3);
    assert_eq!(one.drain("q").len(), 3);
    assert_eq!(other.drain("q").len(), 3);
}

#[test]
fn bindings_and_messages_pass_as_many_links_as_they_may() {
    let (first, second, third) = (broker("first"), broker("second"), broker("third"));
    third.bound("q", "events", "k");
    second.federate("events", &first.uri(), json!({"max-hops": 2}));
    third.federate("events", &second.uri(), json!({"max-hops": 2}));
    second.wait_for_links(1, "running");
    third.wait_for_links(1, "running");
    first.wait_for_bindings("events", 1);
    first.tell("events", "k", "from afar");
    third.wait_for_ready("q", 1);
    third.federate("events", &second.uri(), json!({"max-hops": 1}));
    // Now it is bound at the second for one hop, which is where it is.
    first.wait_for_bindings("events", 0);
    third.wait_for_links(1, "running");
    second.tell("events", "k", "from near");
    third.wait_for_ready("q", 2);
}

#[test]
fn what_was_declared_upstream_goes_with_the_policy() {
    let (up, down) = (broker("up"), broker("down"));
    down.bound("a", "events", "#");
    down.federate("events", &up.uri(), json!({}));
    up.wait_for_bindings("events", 1);
    let there = up.virtual_host("/").unwrap();
    assert_eq!(there.queues().len(), 1);
    let here = down.virtual_host("/").unwrap();
    assert!(here.remove_policy("federated"));
    let is_gone = |_: &Broker| there.queues().is_empty();
    up.wait_until(SOON, is_gone).unwrap();
    up.wait_for_bindings("events", 0);
    assert!(here.federation_links().is_empty());
}

#[test]
fn an_exchange_that_is_not_there_is_declared() {
    let (up, down) = (Broker::new().named("up"), broker("down"));
    down.bound("a", "events", "k");
    down.federate("events", &up.uri(), json!({"exchange": "others"}));
    down.wait_for_links(1, "running");
    assert_eq!(up.virtual_host("/").unwrap().exchange("others").unwrap().kind(), "topic");
    up.tell("others", "k", "hello");
    down.wait_for_ready("a", 1);
}
