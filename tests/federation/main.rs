//! Federation, between brokers in this process and, where there is one, a RabbitMQ.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod exchanges;
mod losses;
mod queues;
mod rabbitmq;
#[path = "../shovels/rabbitmq_node.rs"]
mod rabbitmq_node;
mod rounds;
mod settings;
mod status;

use std::collections::HashSet;
use std::time::Duration;

use leveret::definitions::Definitions;
use leveret::{AMQPValue, Broker, FederationLinkStatus, Policy, Publish, QueueDeclare};
use serde_json::{Value, json};

/// How long anything may take that takes no time to speak of.
const SOON: Duration = Duration::from_secs(30);

/// What a test does with a broker that is federated.
trait Federated {
    /// Names it: brokers of a federation know each other by that.
    fn named(self, name: &str) -> Self;
    /// Where it listens, from now on.
    fn uri(&self) -> String;
    /// Declares a durable topic exchange.
    fn exchange(&self, name: &str);
    /// Declares a durable queue that is bound to an exchange.
    fn bound(&self, queue: &str, exchange: &str, key: &str);
    /// Sets the upstream `up`, and a policy that has all of one name have it.
    fn federate(&self, name: &str, uri: &str, extra: Value);
    /// The only link.
    fn link(&self) -> Option<FederationLinkStatus>;
    /// Waits until all links, so many, are in this state.
    fn wait_for_links(&self, links: usize, state: &str);
    /// Publishes a text, which may go nowhere.
    fn tell(&self, exchange: &str, key: &str, body: &str);
    /// Waits until so many messages are ready in a queue.
    fn wait_for_ready(&self, queue: &str, ready: usize);
    /// Waits until an exchange has so many bindings.
    fn wait_for_bindings(&self, exchange: &str, bindings: usize);
    /// Takes all that is ready in a queue.
    fn drain(&self, queue: &str) -> Vec<String>;
    /// Takes messages from a queue until all of these numbers have come, and checks that they did
    /// so in order. After a failure any may come again, and so may those before them.
    fn wait_for_all(&self, queue: &str, all: std::ops::Range<u32>);
}

impl Federated for Broker {
    fn named(self, name: &str) -> Self {
        let named = json!({"global_parameters": [{"name": "cluster_name", "value": name}]});
        let named = Definitions::from_json(named.to_string().as_bytes()).unwrap();
        self.import(&named).unwrap();
        self
    }

    fn uri(&self) -> String {
        format!("amqp://guest:guest@{}", self.listen("127.0.0.1:0").unwrap())
    }

    fn exchange(&self, name: &str) {
        let channel = self.connect().unwrap().open_channel().unwrap();
        let topic = leveret::ExchangeDeclare::new(name, "topic").durable();
        channel.exchange_declare_with(&topic).unwrap();
    }

    fn bound(&self, queue: &str, exchange: &str, key: &str) {
        let channel = self.connect().unwrap().open_channel().unwrap();
        channel.queue_declare_with(&QueueDeclare::new(queue).durable()).unwrap();
        channel.queue_bind(queue, exchange, key).unwrap();
    }

    fn federate(&self, name: &str, uri: &str, extra: Value) {
        let host = self.virtual_host("/").unwrap();
        let mut upstream = json!({"uri": uri, "reconnect-delay": 1});
        upstream.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        host.set_parameter("federation-upstream", "up", &upstream.to_string()).unwrap();
        let policy = Policy::new(format!("^{name}$"));
        let all = AMQPValue::LongString("all".into());
        host.set_policy("federated", policy.with("federation-upstream-set", all)).unwrap();
    }

    fn link(&self) -> Option<FederationLinkStatus> {
        self.virtual_host("/").unwrap().federation_links().pop()
    }

    #[track_caller]
    fn wait_for_links(&self, links: usize, state: &str) {
        let host = self.virtual_host("/").unwrap();
        let are = |_: &Broker| {
            let all = host.federation_links();
            all.len() == links && all.iter().all(|link| link.state == state)
        };
        let waited = self.wait_until(SOON, are);
        waited.unwrap_or_else(|late| panic!("{:?}; {late}", host.federation_links()));
    }

    fn tell(&self, exchange: &str, key: &str, body: &str) {
        let message = Publish::to_exchange(exchange, key).body(body.to_owned()).persistent();
        match self.publish(message).wait() {
            Ok(confirmed) => assert!(confirmed.is_ack()),
            // Nobody is bound.
            Err(error) => assert!(matches!(error, leveret::Error::NoRoute { .. }), "{error}"),
        }
    }

    #[track_caller]
    fn wait_for_ready(&self, queue: &str, ready: usize) {
        let host = self.virtual_host("/").unwrap();
        let count = || host.queue(queue).map_or(0, |queue| queue.counts().ready);
        let waited = self.wait_until(SOON, |_| count() == ready);
        waited.unwrap_or_else(|late| {
            panic!("{} of {ready} in {queue}; {:?}; {late}", count(), host.federation_links())
        });
    }

    #[track_caller]
    fn wait_for_bindings(&self, exchange: &str, bindings: usize) {
        let host = self.virtual_host("/").unwrap();
        let count = || host.exchange(exchange).map_or(0, |exchange| exchange.binding_count());
        let waited = self.wait_until(SOON, |_| count() == bindings);
        waited.unwrap_or_else(|late| panic!("{} of {bindings}; {late}", count()));
    }

    fn drain(&self, queue: &str) -> Vec<String> {
        let channel = self.connect().unwrap().open_channel().unwrap();
        let taken = std::iter::from_fn(|| channel.basic_get_no_ack(queue).ok().flatten());
        taken.map(|message| String::from_utf8(message.body().to_vec()).unwrap()).collect()
    }

    #[track_caller]
    fn wait_for_all(&self, queue: &str, all: std::ops::Range<u32>) {
        let host = self.virtual_host("/").unwrap();
        let (mut seen, mut first_times) = (HashSet::new(), Vec::new());
        let is_complete = self.wait_until(SOON, |broker| {
            let came = broker.drain(queue).into_iter();
            let meant = came.filter(|number| all.contains(&number.parse().unwrap()));
            first_times.extend(meant.filter(|number| seen.insert(number.clone())));
            first_times.len() == all.len()
        });
        is_complete.unwrap_or_else(|late| {
            panic!("of {all:?} came {first_times:?}; {:?}; {late}", host.federation_links())
        });
        assert_eq!(first_times, numbers(all));
    }
}

fn numbers(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| n.to_string()).collect()
}
