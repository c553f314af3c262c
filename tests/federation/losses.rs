//! What goes wrong between federated brokers, and what becomes of the messages.

use leveret::{Broker, Machine};
use serde_json::json;

use crate::Federated;

fn broker(name: &str) -> Broker {
    let broker = Broker::new().named(name);
    broker.exchange("events");
    broker
}

#[test]
fn wrong_credentials_are_told_without_them_and_tried_again() {
    let (up, down) = (broker("up"), broker("down"));
    down.bound("a", "events", "#");
    let uri = up.uri();
    down.federate("events", &uri.replace("guest:guest", "guest:secret"), json!({}));
    down.wait_for_links(1, "error");
    let error = down.link().unwrap().last_error.unwrap();
    assert!(error.contains("ACCESS_REFUSED") && !error.contains("secret"), "{error}");
    down.federate("events", &uri, json!({}));
    down.wait_for_links(1, "running");
}

#[test]
fn an_upstream_that_cannot_be_reached_is_tried_again_by_the_brokers_clock() {
    let down = Broker::for_tests();
    down.exchange("events");
    down.bound("a", "events", "#");
    down.federate("events", "amqp:///later", json!({"reconnect-delay": 3600}));
    down.wait_for_links(1, "error");
    down.add_virtual_host("later");
    down.advance(std::time::Duration::from_secs(3600));
    down.wait_for_links(1, "running");
}

#[test]
fn broken_connections_lose_nothing_and_keep_the_order() {
    let (up, down) = (broker("up"), broker("down"));
    down.bound("a", "events", "#");
    down.federate("events", &up.uri(), json!({"prefetch-count": 50}));
    down.wait_for_links(1, "running");
    let all = 3_000;
    for round in 0..3 {
        for number in round * all / 3..(round + 1) * all / 3 {
            up.tell("events", "k", &number.to_string());
        }
        up.faults().drop_connections();
    }
    down.wait_for_all("a", 0..all);
    up.wait_for_bindings("events", 1);
}

#[test]
fn what_is_published_while_the_downstream_is_away_waits_upstream() {
    let (up, machine) = (broker("up"), Machine::new());
    let down = Broker::builder().open_on_machine(&machine).unwrap().named("down");
    down.exchange("events");
    down.bound("a", "events", "#");
    down.federate("events", &up.uri(), json!({}));
    down.wait_for_links(1, "running");
    up.tell("events", "k", "0");
    down.wait_for_ready("a", 1);
    down.crash();
    drop(down);
    up.tell("events", "k", "1");
    let down = Broker::builder().open_on_machine(&machine).unwrap();
    down.wait_for_all("a", 0..2);
    down.close("bye", std::time::Duration::ZERO);
    drop(down);
    up.tell("events", "k", "2");
    let down = Broker::builder().open_on_machine(&machine).unwrap();
    down.wait_for_all("a", 2..3);
}

#[test]
fn an_upstream_that_is_started_again_is_found_again() {
    let machine = Machine::new();
    let up = Broker::builder().open_on_machine(&machine).unwrap().named("up");
    let address = up.listen("127.0.0.1:0").unwrap();
    let down = broker("down");
    down.bound("a", "events", "#");
    down.federate("events", &format!("amqp://guest:guest@{address}"), json!({}));
    down.wait_for_links(1, "running");
    up.tell("events", "k", "0");
    down.wait_for_ready("a", 1);
    up.crash();
    drop(up);
    down.wait_for_links(1, "error");
    let up = Broker::builder().open_on_machine(&machine).unwrap();
    up.listen(address).unwrap();
    down.wait_for_links(1, "running");
    up.tell("events", "k", "1");
    down.wait_for_all("a", 0..2);
}
