//! A broker is made what it was, whatever was done with it.

use leveret::Publish;
use proptest::prelude::*;

use crate::snapshots::names;
use crate::support::{World, int, quorum_queue};

#[derive(Clone, Debug)]
enum Step {
    Publish(usize, u8),
    Get(usize),
    Requeue,
    Ack,
    Bind(usize),
    Unbind(usize),
    Delete(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 0..4_u8).prop_map(|(queue, priority)| Step::Publish(queue, priority)),
        2 => (0..3_usize).prop_map(Step::Get),
        1 => Just(Step::Requeue),
        1 => Just(Step::Ack),
        1 => (0..3_usize).prop_map(Step::Bind),
        1 => (0..3_usize).prop_map(Step::Unbind),
        1 => (0..3_usize).prop_map(Step::Delete),
        1 => (0..800_u64).prop_map(Step::Advance),
    ]
}

/// What a broker looks like.
#[derive(Debug)]
struct Seen {
    lines: Vec<String>,
    /// Memory in use; `None` if something counts that may be gone.
    octets: Option<usize>,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        let is_known = self.octets.is_some() && other.octets.is_some();
        self.lines == other.lines && (!is_known || self.octets == other.octets)
    }
}

const QUEUES: [&str; 3] = ["plain", "prioritised", "quorum"];

/// A broker that random steps are done with.
struct Play {
    world: World,
    held: Vec<leveret::Delivery>,
    published: usize,
}

impl Play {
    fn new() -> Self {
        let world = World::new();
        world.channel.exchange_declare("x", "fanout").unwrap();
        let play = Self { world, held: Vec::new(), published: 0 };
        (0..3).for_each(|queue| play.declare(queue));
        play
    }

    fn declare(&self, queue: usize) {
        match QUEUES[queue] {
            name @ "prioritised" => self
                .world
                .declare_with(name, [("x-max-priority", int(2)), ("x-message-ttl", int(2_000))]),
            name @ "quorum" => {
                let declare = quorum_queue(name, [("x-message-ttl", int(1_500))]);
                self.world.channel.queue_declare_with(&declare).unwrap();
            }
            name => self.world.declare_with(name, [("x-max-length", int(6))]),
        }
    }

    fn take(&mut self, step: &Step) {
        let channel = &self.world.channel;
        match *step {
            Step::Publish(queue, priority) => {
                self.published += 1;
                let body = format!("{}", self.published);
                let publish = Publish::to_queue(QUEUES[queue]).body(body.clone());
                channel.basic_publish(publish.priority(priority)).unwrap();
                channel.basic_publish(Publish::to_exchange("x", "").body(body)).unwrap();
            }
            Step::Get(queue) => {
                self.held.extend(channel.basic_get(QUEUES[queue]).unwrap());
            }
            Step::Requeue => self.held.pop().map_or((), |held| held.requeue().unwrap()),
            Step::Ack => self.held.pop().map_or((), |held| held.ack().unwrap()),
            Step::Bind(queue) => channel.queue_bind(QUEUES[queue], "x", "k").unwrap(),
            Step::Unbind(queue) => {
                channel.queue_unbind(QUEUES[queue], "x", "k").unwrap();
            }
            Step::Delete(queue) => {
                channel.queue_delete(QUEUES[queue]).unwrap();
                self.declare(queue);
            }
            Step::Advance(ms) => self.world.advance_ms(ms),
        }
    }

    /// All that can be seen of the queues and exchanges, times as they are from now on. What is
    /// held is seen as given back.
    fn state(&mut self) -> Seen {
        self.held.drain(..).for_each(|held| held.requeue().unwrap());
        self.seen()
    }

    fn seen(&self) -> Seen {
        let mut has_expired = false;
        let (broker, now) = (&self.world.broker, self.world.broker.now());
        let mut lines = Vec::new();
        for queue in QUEUES {
            for message in broker.queue("/", queue).unwrap().peek(1000).unwrap() {
                let left =
                    message.expires_at().map(|at| at.as_millis().saturating_sub(now.as_millis()));
                if left == Some(0) {
                    // Behind others that have not expired it may be there still, or not, as they
                    // came back in this order or that.
                    has_expired = true;
                    continue;
                }
                let body = String::from_utf8_lossy(message.body()).into_owned();
                let seen = (body, message.redelivered(), message.delivery_count(), left);
                lines.push(format!("{queue}: {seen:?}"));
            }
        }
        lines.extend(names(broker).1);
        Seen { lines, octets: (!has_expired).then(|| broker.memory_used()) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever was done before and after, a restored broker is what it was, as is another that
    /// is made the same.
    #[test]
    fn a_snapshot_brings_everything_back(
        before in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..60),
    ) {
        let mut play = Play::new();
        before.iter().for_each(|step| play.take(step));
        let snapshot = play.world.broker.snapshot().unwrap();
        let state = play.state();
        after.iter().for_each(|step| play.take(step));
        play.world.broker.restore(&snapshot).unwrap();
        prop_assert_eq!(&play.seen(), &state);
        prop_assert_eq!(&play.state(), &state); // acknowledgements from before do nothing
        let other = Play::new();
        other.world.broker.restore(&snapshot).unwrap();
        prop_assert_eq!(&other.seen(), &state);
    }
}
