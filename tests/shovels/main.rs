//! Shovels, between brokers in this process and, where there is one, a RabbitMQ.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod definitions;
mod losses;
mod moving;
mod rabbitmq;
mod rabbitmq_node;
mod secure;
mod server;
mod uplink;

use std::net::SocketAddr;
use std::time::Duration;

use leveret::{Broker, ParameterError, Publish, ShovelStatus};
use serde_json::{Value, json};

/// How long anything may take that takes no time to speak of.
const SOON: Duration = Duration::from_secs(30);

/// What a test does with a broker that has shovels.
trait Shovelling {
    /// Sets the shovel `s` in the virtual host `/`.
    fn shovel(&self, value: &Value) -> Result<(), ParameterError>;
    /// What that shovel does, if there is one.
    fn status(&self) -> Option<ShovelStatus>;
    /// Waits until it is in this state.
    fn wait_for_state(&self, state: &str);
    /// Fills a queue with messages that say which they are, from a number on.
    fn fill(&self, queue: &str, numbers: std::ops::Range<u32>);
    /// Waits until so many messages are ready in a queue.
    fn wait_for_ready(&self, queue: &str, ready: usize);
    /// Waits until there is nothing left of a queue, neither ready nor taken.
    fn wait_until_empty(&self, queue: &str);
    /// Takes all that is ready in a queue, which may not be there yet.
    fn drain(&self, queue: &str) -> Vec<String>;
}

impl Shovelling for Broker {
    fn shovel(&self, value: &Value) -> Result<(), ParameterError> {
        let host = self.virtual_host("/").unwrap();
        host.set_parameter("shovel", "s", &value.to_string())
    }

    fn status(&self) -> Option<ShovelStatus> {
        let shovels = self.virtual_host("/").unwrap().shovels();
        shovels.into_iter().find(|shovel| shovel.name == "s")
    }

    #[track_caller]
    fn wait_for_state(&self, state: &str) {
        let in_state = |broker: &Broker| broker.status().is_some_and(|s| s.state == state);
        let waited = self.wait_until(SOON, in_state);
        waited.unwrap_or_else(|late| panic!("not {state}: {:?}; {late}", self.status()));
    }

    fn fill(&self, queue: &str, numbers: std::ops::Range<u32>) {
        let all = numbers.map(|n| Publish::to_queue(queue).body(n.to_string()).persistent());
        self.publish_all(all).unwrap();
    }

    #[track_caller]
    fn wait_for_ready(&self, queue: &str, ready: usize) {
        let host = self.virtual_host("/").unwrap();
        let count = || host.queue(queue).map_or(0, |queue| queue.counts().ready);
        let waited = self.wait_until(SOON, |_| count() == ready);
        waited.unwrap_or_else(|late| {
            panic!("{} of {ready} in {queue}; {:?}; {late}", count(), self.status())
        });
    }

    #[track_caller]
    fn wait_until_empty(&self, queue: &str) {
        let host = self.virtual_host("/").unwrap();
        let left = || host.queue(queue).map_or(0, |q| q.counts().ready + q.counts().unacked);
        let waited = self.wait_until(SOON, |_| left() == 0);
        waited.unwrap_or_else(|late| {
            panic!("{} left in {queue}; {:?}; {late}", left(), self.status())
        });
    }

    fn drain(&self, queue: &str) -> Vec<String> {
        let channel = self.connect().unwrap().open_channel().unwrap();
        let taken = std::iter::from_fn(|| channel.basic_get_no_ack(queue).ok().flatten());
        taken.map(|message| String::from_utf8(message.body().to_vec()).unwrap()).collect()
    }
}

/// A broker with durable queues.
fn broker(queues: &[&str]) -> Broker {
    let broker = Broker::new();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    for queue in queues {
        let declare = leveret::QueueDeclare::new(*queue).durable();
        channel.queue_declare_with(&declare).unwrap();
    }
    broker
}

/// A broker with durable queues that listens, and its URI.
fn listening(queues: &[&str]) -> (Broker, String) {
    let broker = broker(queues);
    let address: SocketAddr = broker.listen("127.0.0.1:0").unwrap();
    (broker, format!("amqp://guest:guest@{address}"))
}

/// A shovel from queue `in` here to queue `out` at a URI, with other keys besides.
fn to(uri: &str, extra: Value) -> Value {
    let mut value = json!({
        "src-uri": "amqp://", "src-queue": "in", "dest-uri": uri, "dest-queue": "out",
        "reconnect-delay": 1,
    });
    let object = value.as_object_mut().unwrap();
    for (key, value) in extra.as_object().unwrap() {
        match value {
            Value::Null => object.remove(key),
            value => object.insert(key.clone(), value.clone()),
        };
    }
    value
}

fn numbers(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| n.to_string()).collect()
}
