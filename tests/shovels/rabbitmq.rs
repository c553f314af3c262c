//! Shovels to a RabbitMQ and from it. Skipped, with a line, where none is installed.

use leveret::Broker;
use serde_json::{Value, json};

use crate::rabbitmq_node::RabbitMq;
use crate::{SOON, Shovelling, broker, numbers, to};

/// A shovel from queue `queue` of the RabbitMQ to `out` here.
fn from(uri: &str, queue: &str, extra: Value) -> Value {
    let mut value = to("amqp://", extra);
    value["src-uri"] = json!(uri);
    value["src-queue"] = json!(queue);
    value
}

/// A shovel from `in` here to queue `queue` of the RabbitMQ.
fn into(uri: &str, queue: &str, extra: Value) -> Value {
    let mut value = to(uri, extra);
    value["dest-queue"] = json!(queue);
    value
}

/// What came, each message once, in the order of the first times.
fn first_times(came: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    came.into_iter().filter(|number| seen.insert(number.clone())).collect()
}

/// What a queue has when nothing is missing any more.
#[track_caller]
fn all_of(broker: &Broker, queue: &str, all: u32) -> Vec<String> {
    let mut came = Vec::new();
    let complete = broker.wait_until(SOON, |broker| {
        came.extend(broker.drain(queue));
        came.iter().collect::<std::collections::HashSet<_>>().len() == all as usize
    });
    complete.unwrap_or_else(|late| panic!("{} came; {:?}; {late}", came.len(), broker.status()));
    came
}

/// One RabbitMQ for all of it: it takes its time to start.
#[test]
fn messages_go_to_a_rabbitmq_and_come_back_through_all_that_befalls_it() {
    let Some(mut rabbitmq) = RabbitMq::start() else { return };
    declare_what_is_killed(&rabbitmq.uri);
    there_and_back(&rabbitmq.uri);
    wrong_credentials(&rabbitmq.uri);
    what_is_full_refuses(&rabbitmq.uri);
    its_connections_break(&rabbitmq.uri);
    it_is_killed(&mut rabbitmq);
}

fn there_and_back(uri: &str) {
    // A quorum queue may lose what was published without confirms when its channel ends.
    let modes = [("on-confirm", "quorum"), ("on-publish", "classic"), ("no-ack", "classic")];
    for (mode, kind) in modes {
        let queue = mode;
        let here = broker(&["in"]);
        here.fill("in", 0..300);
        let to = json!({"ack-mode": mode, "dest-queue-args": {"x-queue-type": kind}});
        here.shovel(&into(uri, queue, to)).unwrap();
        here.wait_until_empty("in");
        // Without acknowledgements the queue is empty before the shovel has passed all of it on.
        let passed_on = |here: &Broker| here.status().is_some_and(|status| status.forwarded == 300);
        here.wait_until(SOON, passed_on).unwrap();
        assert!(here.virtual_host("/").unwrap().remove_parameter("shovel", "s"));
        let back = broker(&[]);
        back.shovel(&from(uri, queue, json!({"ack-mode": mode}))).unwrap();
        assert_eq!(first_times(all_of(&back, "out", 300)), numbers(0..300), "{mode}");
    }
}

fn wrong_credentials(uri: &str) {
    let here = broker(&["in"]);
    here.fill("in", 0..3);
    let wrong = uri.replace("guest:guest", "guest:secret");
    here.shovel(&into(&wrong, "w", json!({}))).unwrap();
    here.wait_for_state("terminated");
    let error = here.status().unwrap().last_error.unwrap();
    assert!(error.contains("ACCESS_REFUSED") && !error.contains("secret"), "{error}");
    here.wait_for_ready("in", 3);
    here.shovel(&into(&format!("{uri}/nonesuch"), "w", json!({}))).unwrap();
    let missing = |here: &Broker| {
        let error = here.status().unwrap().last_error;
        error.is_some_and(|error| error.contains("NOT_ALLOWED"))
    };
    here.wait_until(SOON, missing).unwrap();
}

fn what_is_full_refuses(uri: &str) {
    let here = broker(&["in"]);
    here.fill("in", 0..20);
    let full = json!({"dest-queue-args": {"x-max-length": 5, "x-overflow": "reject-publish"}});
    here.shovel(&into(uri, "full", full)).unwrap();
    here.wait_until(SOON, |here| here.status().unwrap().refused > 0).unwrap();
    let back = broker(&[]);
    back.shovel(&from(uri, "full", json!({}))).unwrap();
    let mut came = all_of(&back, "out", 20);
    came.sort_by_key(|number| number.parse::<u32>().unwrap());
    came.dedup();
    assert_eq!(came, numbers(0..20));
    here.wait_until_empty("in");
}

/// A shovel from one leveret through the RabbitMQ to another one, while this side cuts the lines.
fn its_connections_break(uri: &str) {
    let (here, back) = (broker(&["in"]), broker(&[]));
    let all = 5_000;
    here.fill("in", 0..all);
    here.shovel(&into(uri, "broken", json!({"src-prefetch-count": 100}))).unwrap();
    back.shovel(&from(uri, "broken", json!({"src-prefetch-count": 100}))).unwrap();
    for round in 1..4 {
        let some = |back: &Broker| back.status().unwrap().confirmed > round * 300;
        back.wait_until(SOON, some).unwrap();
        here.faults().drop_connections();
        back.faults().drop_connections();
    }
    assert_eq!(
        all_of(&back, "out", all).into_iter().collect::<std::collections::HashSet<_>>().len(),
        all as usize
    );
}

/// A RabbitMQ that is killed may lose a queue that was declared a moment ago, with all that it has
/// confirmed. This one is old by then.
fn declare_what_is_killed(uri: &str) {
    let here = broker(&["in"]);
    here.shovel(&into(uri, "killed", json!({}))).unwrap();
    here.fill("in", 0..1);
    here.wait_until_empty("in");
    let back = broker(&[]);
    back.shovel(&from(uri, "killed", json!({}))).unwrap();
    assert_eq!(all_of(&back, "out", 1), ["0"]);
}

fn it_is_killed(rabbitmq: &mut RabbitMq) {
    let (here, back) = (broker(&["in"]), broker(&[]));
    let all = 6_000;
    here.fill("in", 0..all);
    let slow = json!({"src-prefetch-count": 50});
    here.shovel(&into(&rabbitmq.uri, "killed", slow.clone())).unwrap();
    here.wait_until(SOON, |here| here.status().unwrap().confirmed > 500).unwrap();
    rabbitmq.kill();
    here.wait_for_state("terminated");
    rabbitmq.boot();
    back.shovel(&from(&rabbitmq.uri, "killed", slow)).unwrap();
    let came = all_of(&back, "out", all);
    here.wait_until_empty("in");
    assert_eq!(first_times(came), numbers(0..all));
}
