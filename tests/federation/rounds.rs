//! Rounds of shovels and federation between a leveret and a RabbitMQ, with faults from a seed: one
//! side loses connections, is refused methods, crashes; the other is killed. `LEVERET_ROUNDS=100`
//! makes more of them, `LEVERET_FIRST_SEED` begins elsewhere.

use std::collections::HashSet;

use leveret::faults::Method;
use leveret::{AMQPValue, Broker, Machine, Policy, QueueDeclare};
use serde_json::json;

use crate::rabbitmq_node::RabbitMq;
use crate::{Federated, SOON, numbers};

/// Rounds, and the first seed, unless the environment says otherwise.
const ROUNDS: u64 = 3;
const FIRST_SEED: u64 = 1;

/// Messages of each way in a round, in so many portions with a fault after each.
const MESSAGES: u32 = 240;
const PORTIONS: u32 = 4;

/// One fault in so many is a RabbitMQ that is killed, which takes its time to start.
const KILLS: u64 = 16;

/// Numbers from a seed: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_is_lost_or_out_of_order_in_rounds_of_faults() {
    let Some(mut rabbitmq) = RabbitMq::start() else { return };
    let (first, rounds) =
        (setting("LEVERET_FIRST_SEED", FIRST_SEED), setting("LEVERET_ROUNDS", ROUNDS));
    for seed in first..first + rounds {
        let mut round = Round::new(seed, &rabbitmq);
        for portion in 0..PORTIONS {
            round.publish(portion * MESSAGES / PORTIONS..(portion + 1) * MESSAGES / PORTIONS);
            round.fault(&mut rabbitmq);
        }
        round.check();
        println!("round {seed}: {}", round.faults.join(", "));
    }
}

/// A leveret whose messages go to the RabbitMQ and come back: by shovels to a queue there and from
/// it, and by a shovel to an exchange there, which is upstream of one here.
struct Round {
    seed: u64,
    random: Random,
    machine: Machine,
    broker: Option<Broker>,
    faults: Vec<&'static str>,
}

impl Round {
    fn new(seed: u64, rabbitmq: &RabbitMq) -> Self {
        let machine = Machine::new();
        let broker = Broker::builder().open_on_machine(&machine).unwrap();
        let broker = broker.named(&format!("round-{seed}"));
        let channel = broker.connect().unwrap().open_channel().unwrap();
        for queue in ["in", "out", "up"] {
            channel.queue_declare_with(&QueueDeclare::new(queue).durable()).unwrap();
        }
        let there = format!("round-{seed}");
        broker.exchange("events");
        broker.bound("came", "events", "#");
        let host = broker.virtual_host("/").unwrap();
        let upstream = json!({"uri": rabbitmq.uri, "exchange": there, "reconnect-delay": 1,
            "prefetch-count": 20});
        host.set_parameter("federation-upstream", "up", &upstream.to_string()).unwrap();
        let up = AMQPValue::LongString("up".into());
        let policy = Policy::new("^events$").with("federation-upstream", up);
        host.set_policy("federated", policy).unwrap();
        broker.wait_for_links(1, "running");
        for (name, from, to) in [
            ("out", ("amqp://", "in"), json!({"dest-uri": rabbitmq.uri, "dest-queue": there})),
            (
                "back",
                (rabbitmq.uri.as_str(), there.as_str()),
                json!({"dest-uri": "amqp://", "dest-queue": "out"}),
            ),
            (
                "up",
                ("amqp://", "up"),
                json!({"dest-uri": rabbitmq.uri, "dest-exchange": there,
                    "dest-exchange-key": "k"}),
            ),
        ] {
            let mut shovel = json!({"src-uri": from.0, "src-queue": from.1,
                "reconnect-delay": 1, "src-prefetch-count": 20});
            shovel.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
            host.set_parameter("shovel", name, &shovel.to_string()).unwrap();
        }
        let (random, faults) = (Random(seed), Vec::new());
        Self { seed, random, machine, broker: Some(broker), faults }
    }

    fn broker(&self) -> &Broker {
        self.broker.as_ref().unwrap()
    }

    fn publish(&self, what: std::ops::Range<u32>) {
        for number in what {
            self.broker().tell("", "in", &number.to_string());
            self.broker().tell("", "up", &number.to_string());
        }
    }

    fn fault(&mut self, rabbitmq: &mut RabbitMq) {
        if self.random.below(KILLS) == 0 {
            self.faults.push("kill of the RabbitMQ");
            rabbitmq.kill();
            return rabbitmq.boot();
        }
        let kind = self.random.below(6);
        let after = usize::try_from(self.random.below(40)).unwrap();
        let faults = self.broker().faults();
        let fault = match kind {
            0 => {
                faults.drop_connections();
                "dropped connections"
            }
            1 => {
                faults.close_connections(320, "maintenance");
                "closed connections"
            }
            2 => {
                faults.publishes().for_exchange("events").after(after).times(1).drop_connection();
                "a publish that drops its connection"
            }
            3 => {
                faults.on(Method::BasicAck).after(after / 8).times(1).close_channel(406, "no");
                "an acknowledgement that closes its channel"
            }
            4 => {
                faults.confirms().for_exchange("events").after(after).times(1).nack_and_drop();
                "a message that is dropped and refused"
            }
            _ => {
                self.broker().crash();
                drop(self.broker.take());
                let again = Broker::builder().open_on_machine(&self.machine).unwrap();
                self.broker = Some(again);
                "crash"
            }
        };
        self.faults.push(fault);
    }

    /// All have come, each the first time in its order, as far as nothing was refused: that goes
    /// back to its place, and others pass it meanwhile.
    fn check(&self) {
        let broker = self.broker();
        for queue in ["out", "came"] {
            let mut came = Vec::new();
            let is_complete = broker.wait_until(SOON * 2, |broker| {
                came.extend(broker.drain(queue));
                came.iter().collect::<HashSet<_>>().len() == MESSAGES as usize
            });
            let host = broker.virtual_host("/").unwrap();
            is_complete.unwrap_or_else(|late| {
                panic!(
                    "seed {}: {} came in {queue} after {:?}; {:?}; {:?}; {late}",
                    self.seed,
                    came.iter().collect::<HashSet<_>>().len(),
                    self.faults,
                    host.shovels(),
                    host.federation_links()
                )
            });
            let mut seen = HashSet::new();
            came.retain(|number| seen.insert(number.clone()));
            if self.faults.contains(&"a message that is dropped and refused") {
                came.sort_by_key(|number| number.parse::<u32>().unwrap());
            }
            assert_eq!(came, numbers(0..MESSAGES), "seed {}: {:?}", self.seed, self.faults);
        }
    }
}
