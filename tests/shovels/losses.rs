//! What goes wrong on the way, and what becomes of the messages.

use std::time::Duration;

use leveret::{Broker, Machine, QueueDeclare};
use serde_json::json;

use crate::{SOON, Shovelling, broker, listening, numbers, to};

#[test]
fn what_cannot_be_reached_is_tried_in_turn_and_again() {
    let (here, (there, uri)) = (broker(&["in"]), listening(&[]));
    here.fill("in", 0..10);
    // Nobody listens on port 1.
    here.shovel(&to("amqp://u:secret@127.0.0.1:1", json!({}))).unwrap();
    here.wait_for_state("terminated");
    let error = here.status().unwrap().last_error.unwrap();
    assert!(error.starts_with("destination: amqp://127.0.0.1:1: "), "{error}");
    assert!(!error.contains("secret"), "{error}");
    let several = json!({"dest-uri": ["amqp://127.0.0.1:1", uri]});
    here.shovel(&to(&uri, several)).unwrap();
    there.wait_for_ready("out", 10);
}

#[test]
fn wrong_credentials_are_told_without_them() {
    let (here, (_there, uri)) = (broker(&["in"]), listening(&[]));
    let wrong = uri.replace("guest:guest", "guest:secret");
    here.shovel(&to(&wrong, json!({}))).unwrap();
    here.wait_for_state("terminated");
    let error = here.status().unwrap().last_error.unwrap();
    assert!(error.contains("ACCESS_REFUSED") && !error.contains("secret"), "{error}");
}

#[test]
fn a_shovel_that_is_not_to_connect_again_stays_where_it_is() {
    let here = broker(&["in"]);
    here.shovel(&to("amqp://127.0.0.1:1", json!({"reconnect-delay": 0}))).unwrap();
    here.wait_for_state("terminated");
    let host = here.virtual_host("/").unwrap();
    assert!(host.remove_parameter("shovel", "s"));
    assert!(host.shovels().is_empty());
}

#[test]
fn the_time_until_it_connects_again_is_that_of_the_brokers_clock() {
    let here = Broker::for_tests();
    let channel = here.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("in").durable()).unwrap();
    here.fill("in", 0..1);
    here.shovel(&to("amqp:///late", json!({"reconnect-delay": 3600}))).unwrap();
    here.wait_for_state("terminated");
    here.add_virtual_host("late");
    here.advance(Duration::from_secs(3600));
    let late = here.virtual_host("late").unwrap();
    let came = |_: &Broker| late.queue("out").is_ok_and(|queue| queue.counts().ready == 1);
    let waited = here.wait_until(SOON, came);
    waited.unwrap_or_else(|late| panic!("{:?}; {late}", here.status()));
}

#[test]
fn a_clock_that_runs_ahead_does_not_disturb_a_shovel_that_connects() {
    for here_and_there in ["amqp://", "amqp://guest:guest@"] {
        let here = Broker::for_tests();
        let channel = here.connect().unwrap().open_channel().unwrap();
        channel.queue_declare_with(&QueueDeclare::new("in").durable()).unwrap();
        let local = json!({"src-uri": here_and_there});
        here.shovel(&to(here_and_there, local)).unwrap();
        let runs = |here: &Broker| {
            here.advance(Duration::from_secs(60));
            here.status().is_some_and(|status| status.state == "running")
        };
        here.wait_until(SOON, runs).unwrap();
        assert_eq!(here.status().unwrap().last_error, None);
    }
}

#[test]
fn a_broken_connection_loses_nothing_and_keeps_the_order() {
    let (here, (there, uri)) = (broker(&["in"]), listening(&[]));
    let all = 20_000;
    here.fill("in", 0..all);
    here.shovel(&to(&uri, json!({"src-prefetch-count": 50}))).unwrap();
    for round in 1..=3 {
        let some = |_: &Broker| here.status().unwrap().confirmed > round * 500;
        here.wait_until(SOON, some).unwrap();
        match round {
            2 => there.faults().close_connections(320, "maintenance"),
            _ => there.faults().drop_connections(),
        };
    }
    here.wait_until_empty("in");
    let came = there.drain("out");
    let mut seen = std::collections::HashSet::new();
    let first_times: Vec<_> = came.into_iter().filter(|n| seen.insert(n.clone())).collect();
    assert_eq!(first_times, numbers(0..all));
}

#[test]
fn what_a_full_destination_refuses_comes_when_there_is_room() {
    let (here, (there, uri)) = (broker(&["in"]), listening(&[]));
    let full = json!({"dest-queue-args": {"x-max-length": 5, "x-overflow": "reject-publish"}});
    here.fill("in", 0..20);
    here.shovel(&to(&uri, full)).unwrap();
    there.wait_for_ready("out", 5);
    here.wait_until(SOON, |here| here.status().unwrap().refused > 0).unwrap();
    let mut came = std::collections::BTreeSet::new();
    there
        .wait_until(SOON, |there| {
            came.extend(there.drain("out"));
            came.len() == 20
        })
        .unwrap();
    here.wait_until_empty("in");
}

#[test]
fn a_message_that_the_destination_cannot_take_does_not_pass_for_good() {
    let here = broker(&["in"]);
    let there = Broker::builder().limits(leveret::Limits::new().message_size_max(100)).build();
    let address = there.listen("127.0.0.1:0").unwrap();
    let poison = leveret::Publish::to_queue("in").body(vec![0; 1000]);
    assert!(here.publish(poison).wait().unwrap().is_ack());
    here.shovel(&to(&format!("amqp://guest:guest@{address}"), json!({}))).unwrap();
    here.wait_for_state("terminated");
    let error = here.status().unwrap().last_error.unwrap();
    assert!(error.starts_with("destination: "), "{error}");
    here.wait_for_ready("in", 1);
}

#[test]
fn a_shovel_goes_on_when_its_broker_is_started_again() {
    let (there, uri) = listening(&[]);
    let machine = Machine::new();
    let here = Broker::builder().open_on_machine(&machine).unwrap();
    let channel = here.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("in").durable()).unwrap();
    here.shovel(&to(&uri, json!({}))).unwrap();
    here.fill("in", 0..10);
    there.wait_for_ready("out", 10);
    here.crash();
    drop(here);
    let here = Broker::builder().open_on_machine(&machine).unwrap();
    here.fill("in", 10..20);
    let host = there.virtual_host("/").unwrap();
    let last = |_: &Broker| {
        let all = host.queue("out").unwrap().peek(100).unwrap();
        all.last().is_some_and(|message| message.body() == b"19")
    };
    there.wait_until(SOON, last).unwrap();
    let mut came = there.drain("out");
    came.dedup();
    assert_eq!(came.last().map(String::as_str), Some("19"));
    assert!(here.virtual_host("/").unwrap().remove_parameter("shovel", "s"));
    here.crash();
    let here = Broker::builder().open_on_machine(&machine).unwrap();
    assert!(here.virtual_host("/").unwrap().shovels().is_empty());
}
