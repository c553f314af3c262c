//! The short way of a message within the process: a publish that goes where the last one went is
//! handed to a consumer that waits, with nothing gathered or left to do. With a journal there is no
//! such way, and whatever is done, nobody sees a difference.

use leveret::internals::View;
use leveret::{AMQPValue, Broker, Channel, Consume, Consumer, Delivery, ManualClock, Publish};
use proptest::prelude::*;

use crate::support::{World, int, quorum_queue, string};

#[derive(Clone, Debug)]
enum Step {
    /// To this queue, by this channel, in this form.
    Publish(usize, usize, u8),
    /// From this queue, with or without acknowledgements.
    Consume(usize, bool),
    Cancel(usize),
    Take(usize),
    Ack(usize),
    AckUpTo(usize),
    Requeue(usize),
    Purge(usize),
    Redeclare(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let queue = || 0..QUEUES.len();
    prop_oneof![
        12 => (queue(), 0..2_usize, 0..6_u8).prop_map(|(to, by, form)| Step::Publish(to, by, form)),
        3 => (queue(), any::<bool>()).prop_map(|(queue, no_ack)| Step::Consume(queue, no_ack)),
        1 => (0..4_usize).prop_map(Step::Cancel),
        6 => (0..4_usize).prop_map(Step::Take),
        4 => (0..8_usize).prop_map(Step::Ack),
        1 => (0..8_usize).prop_map(Step::AckUpTo),
        1 => (0..8_usize).prop_map(Step::Requeue),
        1 => queue().prop_map(Step::Purge),
        1 => queue().prop_map(Step::Redeclare),
        1 => (0..900_u64).prop_map(Step::Advance),
    ]
}

const QUEUES: [&str; 6] = ["plain", "short", "refusing", "prioritised", "in turn", "quorum"];

struct Play {
    world: World,
    publishers: [Channel; 2],
    consumers: Vec<Consumer>,
    held: Vec<Delivery>,
    published: usize,
    /// What was seen so far.
    seen: Vec<String>,
}

impl Play {
    fn new(broker: Broker) -> Self {
        let connection = broker.connect().unwrap();
        let open = || connection.open_channel().unwrap();
        let (publishers, channel) = ([open(), open()], open());
        let world = World { broker, channel, connection };
        let (consumers, held, seen) = (Vec::new(), Vec::new(), Vec::new());
        let play = Self { world, publishers, consumers, held, published: 0, seen };
        (0..QUEUES.len()).for_each(|queue| play.declare(queue));
        play
    }

    fn declare(&self, queue: usize) {
        let world = &self.world;
        match QUEUES[queue] {
            name @ "short" => world.declare_with(name, [("x-max-length", int(2))]),
            name @ "refusing" => {
                let overflow = ("x-overflow", string("reject-publish"));
                world.declare_with(name, [("x-max-length", int(1)), overflow]);
            }
            name @ "prioritised" => {
                world.declare_with(name, [("x-max-priority", int(2)), ("x-message-ttl", int(900))]);
            }
            name @ "in turn" => {
                let in_turn = ("x-single-active-consumer", AMQPValue::Boolean(true));
                world.declare_with(name, [in_turn]);
            }
            name @ "quorum" => {
                world.channel.queue_declare_with(&quorum_queue(name, [])).unwrap();
            }
            name => world.declare(name),
        }
    }

    fn message(&mut self, queue: usize, form: u8) -> Publish {
        self.published += 1;
        let publish = Publish::to_queue(QUEUES[queue]).body(self.published.to_string());
        match form {
            0 => publish.priority(2),
            1 => publish.expiration_ms(400),
            2 => publish.content_type("text/plain").mandatory(),
            _ => publish,
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Publish(queue, by, form) => {
                let message = self.message(queue, form);
                self.publishers[by].basic_publish(message).unwrap();
            }
            Step::Consume(queue, no_ack) => {
                let tag = format!("c{}", self.consumers.len());
                let consume = Consume::new(QUEUES[queue]).consumer_tag(tag);
                let consume = if no_ack { consume.no_ack() } else { consume };
                self.world.channel.basic_qos(2).unwrap();
                self.consumers.extend(self.world.channel.basic_consume_with(&consume));
            }
            Step::Cancel(at) if at < self.consumers.len() => {
                self.consumers.remove(at).cancel();
            }
            Step::Take(at) => {
                let taken = self.consumers.get(at).and_then(Consumer::try_recv);
                let line = |it: &Delivery| {
                    let (tag, again) = (it.delivery_tag(), it.redelivered());
                    format!("{} {tag} {again} {:?}", it.text(), it.consumer_tag())
                };
                self.seen.extend(taken.iter().map(line));
                self.held.extend(taken);
            }
            Step::Ack(at) if at < self.held.len() => {
                let result = self.held.remove(at).ack();
                self.seen.push(format!("{result:?}"));
            }
            Step::AckUpTo(at) if at < self.held.len() => {
                let result = self.held.remove(at).ack_multiple();
                self.seen.push(format!("{result:?}"));
            }
            Step::Requeue(at) if at < self.held.len() => {
                let result = self.held.remove(at).requeue();
                self.seen.push(format!("{result:?}"));
            }
            Step::Purge(queue) => drop(self.world.channel.queue_purge(QUEUES[queue]).unwrap()),
            Step::Redeclare(queue) => {
                self.world.channel.queue_delete(QUEUES[queue]).unwrap();
                self.declare(queue);
            }
            Step::Advance(ms) => self.world.advance_ms(ms),
            _ => {}
        }
    }

    /// What there is to be seen now.
    fn look(&self) -> Vec<String> {
        let view = View::of(&self.world.broker);
        let mut lines = self.seen.clone();
        for name in QUEUES {
            let counts = self.world.counts(name);
            let totals = view.queue("/", name).unwrap().messages.totals;
            lines.push(format!("{name}: {counts:?} {totals:?}"));
        }
        for (_, channel) in view.channels() {
            let (unacked, totals) = (channel.messages_unacknowledged, channel.messages.totals);
            lines.push(format!("{:?}: {unacked} {totals:?}", channel.id.number));
        }
        lines.push(format!("{:?}", view.virtual_host("/").unwrap().messages.totals));
        lines
    }

    /// Whether messages take as many octets here as there. Of each queue that is not empty up to a
    /// kibibyte may not be told yet.
    fn is_as_large_as(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|play| play.world.broker.memory_used());
        let holds_some = |name: &&&str| self.world.counts(name).footprint > 0;
        one.abs_diff(two) <= QUEUES.iter().filter(holds_some).count() * 1024
    }
}

proptest! {
    #[test]
    fn nobody_sees_which_way_a_message_went(steps in prop::collection::vec(step(), 1..120)) {
        let broker = || Broker::builder().manual_clock(ManualClock::default());
        let mut short = Play::new(broker().build());
        let mut long = Play::new(broker().journal(10_000).build());
        for step in steps {
            short.take(&step);
            long.take(&step);
            prop_assert_eq!(short.look(), long.look(), "after {:?}", step);
            prop_assert!(short.is_as_large_as(&long), "after {:?}", step);
        }
    }
}
