//! Random queues that dead-letter among each other, under random use: nothing is in two places,
//! nothing gets lost without a reason, and everything ends.

use std::collections::{BTreeMap, BTreeSet};

use leveret::{Delivery, FieldTable, Publish, QueueDeclare};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::dead_letters::deaths;
use crate::support::{World, int, string, text};

#[derive(Clone, Debug)]
struct QueueSpec {
    ttl_ms: Option<i64>,
    max_length: Option<i64>,
    overflow: &'static str,
    max_priority: Option<i64>,
    dead_letters_to: Option<usize>,
}

fn queue_spec() -> impl Strategy<Value = QueueSpec> {
    let overflow = prop::sample::select(vec!["drop-head", "reject-publish", "reject-publish-dlx"]);
    let ttl_ms = prop::option::of(0i64..40);
    let target = prop::option::weighted(0.8, 0usize..5);
    (ttl_ms, prop::option::of(0i64..4), overflow, prop::option::weighted(0.3, 1i64..4), target)
        .prop_map(|(ttl_ms, max_length, overflow, max_priority, dead_letters_to)| QueueSpec {
            ttl_ms,
            max_length,
            overflow,
            max_priority,
            dead_letters_to,
        })
}

/// Queues among which nothing is lost: every dead letter moves on to a later queue, none of which
/// refuses it for good, up to the last, where it stays.
fn chain() -> impl Strategy<Value = Vec<QueueSpec>> {
    prop::collection::vec(queue_spec(), 2..6).prop_map(|mut queues| {
        let last = queues.len() - 1;
        for (number, queue) in queues.iter_mut().enumerate() {
            let step = queue.dead_letters_to.unwrap_or(0);
            queue.dead_letters_to = Some((number + 1 + step).min(last));
            if queue.overflow == "reject-publish" {
                queue.overflow = "drop-head";
            }
        }
        queues[last] = QueueSpec {
            ttl_ms: None,
            max_length: None,
            dead_letters_to: None,
            ..queues[last].clone()
        };
        queues
    })
}

fn is_conserving(queues: &[QueueSpec]) -> bool {
    let Some((last, others)) = queues.split_last() else { return false };
    let stays = |queue: &QueueSpec| {
        queue.ttl_ms.is_none() && queue.max_length.is_none() && queue.dead_letters_to.is_none()
    };
    let moves_on = |(number, queue): (usize, &QueueSpec)| {
        queue.overflow != "reject-publish"
            && queue.dead_letters_to.is_some_and(|to| to > number && to < queues.len())
    };
    stays(last) && others.iter().enumerate().all(moves_on)
}

#[derive(Clone, Debug)]
enum Action {
    Publish { queue: Index, ttl_ms: Option<u64>, priority: u8 },
    Get(Index),
    Ack(Index),
    Reject(Index, bool),
    Purge(Index),
    Advance(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let which = any::<Index>;
    prop_oneof![
        6 => (which(), prop::option::weighted(0.3, 0u64..60), 0u8..5)
            .prop_map(|(queue, ttl_ms, priority)| Action::Publish { queue, ttl_ms, priority }),
        4 => which().prop_map(Action::Get),
        2 => which().prop_map(Action::Ack),
        3 => (which(), any::<bool>()).prop_map(|(which, requeue)| Action::Reject(which, requeue)),
        1 => which().prop_map(Action::Purge),
        4 => (1u64..40).prop_map(Action::Advance),
    ]
}

fn name(queue: usize) -> String {
    format!("q{queue}")
}

/// The world, and what is known of every message.
struct Simulation {
    world: World,
    queues: Vec<QueueSpec>,
    /// Bodies of all that was published.
    published: BTreeSet<String>,
    /// Bodies that may rightly be nowhere any more.
    gone: BTreeSet<String>,
    held: Vec<(usize, Delivery)>,
    /// Rejections without requeue, by message and queue.
    rejections: BTreeMap<(String, usize), i64>,
    /// Whether every dead letter comes to rest in the last queue, which loses nothing by itself.
    conserving: bool,
}

impl Simulation {
    fn new(queues: Vec<QueueSpec>) -> Self {
        let world = World::new();
        for (number, spec) in queues.iter().enumerate() {
            let mut arguments = FieldTable::default();
            let mut set = |name: &str, value: Option<i64>| {
                if let Some(value) = value {
                    arguments.insert(name.into(), int(value));
                }
            };
            set("x-message-ttl", spec.ttl_ms);
            set("x-max-length", spec.max_length);
            set("x-max-priority", spec.max_priority);
            arguments.insert("x-overflow".into(), string(spec.overflow));
            if let Some(target) = spec.dead_letters_to {
                let target = name(target % queues.len());
                arguments.insert("x-dead-letter-exchange".into(), string(""));
                arguments.insert("x-dead-letter-routing-key".into(), string(&target));
            }
            let declare = QueueDeclare::new(name(number)).arguments(arguments);
            world.channel.queue_declare_with(&declare).unwrap();
        }
        let conserving = is_conserving(&queues);
        Self {
            world,
            queues,
            published: BTreeSet::new(),
            gone: BTreeSet::new(),
            held: Vec::new(),
            rejections: BTreeMap::new(),
            conserving,
        }
    }

    fn run(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match action {
            Action::Publish { queue, ttl_ms, priority } => {
                let body = format!("m{}", self.published.len());
                let queue = queue.index(self.queues.len());
                let (is_last, queue) = (self.is_last(queue), name(queue));
                let mut publish = Publish::to_queue(queue).body(body.clone()).priority(*priority);
                if let Some(ms) = ttl_ms {
                    publish = publish.expiration_ms(*ms);
                    self.conserving &= !is_last;
                }
                self.published.insert(body);
                self.world.channel.basic_publish(publish).unwrap();
            }
            Action::Get(queue) => {
                let queue = queue.index(self.queues.len());
                if let Some(delivery) = self.world.channel.basic_get(&name(queue)).unwrap() {
                    self.check_deaths(&delivery)?;
                    self.held.push((queue, delivery));
                }
            }
            Action::Ack(which) => {
                if let Some((_, delivery)) = self.let_go(*which) {
                    delivery.ack().unwrap();
                    self.gone.insert(text(&delivery));
                }
            }
            Action::Reject(which, requeue) => {
                if let Some((queue, delivery)) = self.let_go(*which) {
                    if !requeue {
                        *self.rejections.entry((text(&delivery), queue)).or_default() += 1;
                        self.conserving &= !self.is_last(queue);
                    }
                    if *requeue { delivery.requeue() } else { delivery.reject() }.unwrap();
                }
            }
            Action::Purge(queue) => {
                let queue = queue.index(self.queues.len());
                // Looking moves messages among the queues: what is purged may not have been there.
                let before = self.all_ready();
                let purged = self.world.channel.queue_purge(&name(queue)).unwrap();
                let after = self.all_ready();
                let missing: Vec<_> = before.difference(&after).cloned().collect();
                prop_assert!(missing.len() >= purged, "{purged} purged, {missing:?} missing");
                self.conserving &= missing.len() == purged;
                self.gone.extend(missing);
            }
            Action::Advance(ms) => self.world.advance_ms(*ms),
        }
        self.check_lengths()
    }

    fn is_last(&self, queue: usize) -> bool {
        queue + 1 == self.queues.len()
    }

    fn let_go(&mut self, which: Index) -> Option<(usize, Delivery)> {
        (!self.held.is_empty()).then(|| self.held.remove(which.index(self.held.len())))
    }

    /// Ready messages. They are taken, all of them, and given back.
    fn ready(&self) -> Vec<String> {
        let channel = self.world.open_channel();
        let mut ready = Vec::new();
        loop {
            let known = ready.len();
            for queue in 0..self.queues.len() {
                let next = || channel.basic_get(&name(queue)).unwrap();
                ready.extend(std::iter::from_fn(next).map(|delivery| text(&delivery)));
            }
            // Taking one may let the next expire, and move to a queue that was empty before.
            if ready.len() == known {
                break;
            }
        }
        channel.close();
        ready
    }

    fn all_ready(&self) -> BTreeSet<String> {
        self.ready().into_iter().collect()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let mut seen = BTreeSet::new();
        let ready = self.ready();
        let held = self.held.iter().map(|(_, delivery)| text(delivery));
        for body in held.chain(ready) {
            prop_assert!(self.published.contains(&body), "{body} was never published");
            prop_assert!(!self.gone.contains(&body), "{body} is back after it was settled");
            prop_assert!(seen.insert(body.clone()), "{body} is in two places");
        }
        if self.conserving {
            for body in &self.published {
                prop_assert!(seen.contains(body) || self.gone.contains(body), "{body} is lost");
            }
        }
        Ok(())
    }

    fn check_lengths(&self) -> Result<(), TestCaseError> {
        for (queue, spec) in self.queues.iter().enumerate() {
            let counts = self.world.counts(&name(queue));
            let held = self.held.iter().filter(|(owner, _)| *owner == queue).count();
            prop_assert_eq!(counts.unacked, held, "what is unacknowledged is ours");
            if let Some(max) = spec.max_length.filter(|_| spec.overflow == "drop-head") {
                prop_assert!(counts.ready as i64 <= max, "{queue} is longer than {max}");
            }
        }
        Ok(())
    }

    /// Deaths by rejection were counted as often as we rejected, each pair of queue and reason
    /// once.
    fn check_deaths(&self, delivery: &Delivery) -> Result<(), TestCaseError> {
        let mut pairs = BTreeSet::new();
        let body = text(delivery);
        let mut rejected = BTreeMap::new();
        for (queue, reason, count) in deaths(delivery) {
            prop_assert!(count > 0);
            if reason == "rejected" {
                rejected.insert((body.clone(), queue[1..].parse().unwrap()), count);
            }
            prop_assert!(pairs.insert((queue, reason)), "a pair has two entries");
        }
        let known: BTreeMap<_, _> = self
            .rejections
            .iter()
            .filter(|((other, _), _)| *other == body)
            .map(|(key, &count)| (key.clone(), count))
            .collect();
        prop_assert_eq!(rejected, known, "rejections of {}", body);
        Ok(())
    }

    /// Everything is settled: nothing is left, not even in the count of memory.
    fn end(mut self) -> Result<(), TestCaseError> {
        for (_, delivery) in self.held.drain(..) {
            delivery.ack().unwrap();
        }
        for queue in 0..self.queues.len() {
            self.world.channel.queue_purge(&name(queue)).unwrap();
        }
        prop_assert_eq!(self.world.broker.memory_used(), 0);
        Ok(())
    }
}

fn simulate(queues: Vec<QueueSpec>, actions: &[Action]) -> Result<(), TestCaseError> {
    let mut simulation = Simulation::new(queues);
    for (step, action) in actions.iter().enumerate() {
        simulation.run(action)?;
        // Looking changes what is at the head: not after every step.
        if step % 4 == 3 {
            simulation.check()?;
        }
    }
    simulation.end()
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    prop::collection::vec(action(), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_message_is_in_one_place_and_all_ends(
        queues in prop::collection::vec(queue_spec(), 1..6),
        actions in actions(),
    ) {
        simulate(queues, &actions)?;
    }

    #[test]
    fn no_message_is_lost_on_its_way_along_a_chain(queues in chain(), actions in actions()) {
        prop_assert!(is_conserving(&queues));
        simulate(queues, &actions)?;
    }
}
