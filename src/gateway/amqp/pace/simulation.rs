//! Publishers and consumers of one queue on simulated time, in an order that a seed decides: nobody
//! starves, and nobody waits for good.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Pace, Seen, Step};
use crate::base::wake::{Bell, Wake, Wakeups};
use crate::gateway::amqp::random::Random;
use crate::limits::{BACKLOG_LOW, PACE_CROWD, PACE_WAIT_MAX_MS};
use crate::queue::backlog::Backlog;

/// Most messages that a publisher sends in a turn.
const TURN_MAX: usize = 2000;
/// How long is simulated, in milliseconds.
const SPAN_MS: u64 = 4000;

struct Publisher {
    turn: usize,
    bell: Arc<Bell>,
    /// It waits, and looks again by itself at this time.
    pace: Option<(Pace, u64)>,
    turns: u64,
    last_turn_ms: u64,
    longest_ms: u64,
}

struct World {
    now_ms: u64,
    backlog: Backlog,
    ready: usize,
    handed_out: u64,
    publishers: Vec<Publisher>,
    random: Random,
}

impl World {
    fn new(turns: &[usize], seed: u64) -> Self {
        let publisher = |&turn| Publisher {
            turn,
            bell: Arc::default(),
            pace: None,
            turns: 0,
            last_turn_ms: 0,
            longest_ms: 0,
        };
        Self {
            now_ms: 0,
            backlog: Backlog::default(),
            ready: 0,
            handed_out: 0,
            publishers: turns.iter().map(publisher).collect(),
            random: Random::new(seed),
        }
    }

    fn seen(&self) -> Seen {
        let (handed_out, waiting) = (self.handed_out, self.backlog.waiting());
        Seen { has_caught_up: self.ready <= BACKLOG_LOW, handed_out, waiting }
    }

    /// A millisecond in which the consumers take so many messages, before, among and after the
    /// turns of the publishers.
    fn step(&mut self, consumed: usize) {
        let count = self.publishers.len();
        let (first, break_at) = (self.random.below(count), self.random.below(count + 1));
        for at in 0..count {
            if at == break_at {
                self.consume(consumed);
            }
            self.have_turn((first + at) % count);
        }
        if break_at == count {
            self.consume(consumed);
        }
        self.now_ms += 1;
    }

    fn consume(&mut self, count: usize) {
        let taken = count.min(self.ready);
        self.ready -= taken;
        self.handed_out += taken as u64;
        self.backlog.count_handed_out(taken);
        self.look();
    }

    fn look(&self) {
        let mut wakeups = Wakeups::default();
        self.backlog.look(self.ready, &mut wakeups);
        wakeups.wake_all();
    }

    fn have_turn(&mut self, at: usize) {
        let (now_ms, seen) = (self.now_ms, self.seen());
        let publisher = &mut self.publishers[at];
        let is_woken = publisher.bell.take() > 0;
        if let Some((pace, until_ms)) = &mut publisher.pace
            && (is_woken || now_ms >= *until_ms)
        {
            let step = pace.look(now_ms, seen);
            take_step(publisher, &self.backlog, step);
        }
        if publisher.pace.is_some() {
            return;
        }
        publisher.turns += 1;
        publisher.longest_ms = publisher.longest_ms.max(now_ms - publisher.last_turn_ms);
        publisher.last_turn_ms = now_ms;
        self.ready += publisher.turn;
        self.look();
        if Backlog::is_high(self.ready, 0) && !self.backlog.is_slow(now_ms) {
            let seen = self.seen();
            let publisher = &mut self.publishers[at];
            let mut pace = Pace::new(now_ms, seen);
            let step = pace.look(now_ms, seen);
            publisher.pace = Some((pace, now_ms));
            self.backlog.begin_waiting();
            take_step(publisher, &self.backlog, step);
        }
    }

    /// How long each publisher has at most been kept from publishing.
    fn longest_ms(&self) -> u64 {
        let longest = |p: &Publisher| p.longest_ms.max(self.now_ms - p.last_turn_ms);
        self.publishers.iter().map(longest).max().unwrap_or_default()
    }
}

fn take_step(publisher: &mut Publisher, backlog: &Backlog, step: Step) {
    match step {
        Step::Wait { until_ms } => {
            let bell: Arc<dyn Wake> = Arc::clone(&publisher.bell) as _;
            backlog.wait(&bell);
            publisher.pace.iter_mut().for_each(|(_, until)| *until = until_ms);
            return;
        }
        Step::GoOn => {}
        Step::GiveUp { slow_until_ms } => backlog.set_slow(slow_until_ms),
    }
    publisher.pace = None;
    backlog.end_waiting();
}

proptest! {
    #[test]
    fn every_publisher_gets_its_turn_however_consumers_behave(
        turns in prop::collection::vec(1..=TURN_MAX, 1..12),
        speeds in prop::collection::vec((0usize..400, 1usize..500), 1..8),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(&turns, seed);
        let mut phases = speeds.iter().cycle();
        let (mut speed, mut left) = (0, 0);
        for _ in 0..SPAN_MS {
            if left == 0 {
                (speed, left) = *phases.next().unwrap();
            }
            left -= 1;
            let consumed = world.random.below(2 * speed + 1);
            world.step(consumed);
            let longest = world.longest_ms();
            prop_assert!(longest <= PACE_WAIT_MAX_MS + 1, "{longest} ms without a turn");
        }
    }

    #[test]
    fn consumers_that_are_slow_hardly_hold_a_publisher(
        speed in 0usize..3, turn in 1..=TURN_MAX, seed in any::<u64>(),
    ) {
        let mut world = World::new(&[turn], seed);
        (0..SPAN_MS).for_each(|_| world.step(speed));
        prop_assert!(world.publishers[0].turns * 10 >= SPAN_MS * 8);
    }

    #[test]
    fn a_queue_whose_consumers_are_fast_stays_short(
        turns in prop::collection::vec(1..=TURN_MAX, 1..12), seed in any::<u64>(),
    ) {
        let mut world = World::new(&turns, seed);
        for _ in 0..SPAN_MS {
            world.step(200);
            prop_assert!(world.ready <= 2 * turns.len() * TURN_MAX, "{} wait", world.ready);
        }
        prop_assert!(world.publishers.iter().all(|publisher| publisher.turns > 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn many_publishers_do_not_drown_consumers_that_are_fast(
        publishers in 100usize..1500, turn in 100usize..400, seed in any::<u64>(),
    ) {
        let mut world = World::new(&vec![turn; publishers], seed);
        let longest = PACE_WAIT_MAX_MS * (1 + (publishers / PACE_CROWD) as u64);
        for _ in 0..SPAN_MS {
            world.step(200);
            // At first nobody is behind.
            prop_assert!(world.ready <= 2 * publishers * turn, "{} wait", world.ready);
            prop_assert!(world.longest_ms() <= longest + 1, "{} ms", world.longest_ms());
        }
    }

    #[test]
    fn who_is_left_of_many_waits_as_long_as_one_alone(turn in 100usize..400, seed in any::<u64>()) {
        let mut world = World::new(&vec![turn; 500], seed);
        (0..100).for_each(|_| world.step(200));
        // The others go while they wait, and leave much for consumers to catch up with.
        while world.publishers.len() > 1 {
            let gone = world.publishers.pop().unwrap();
            gone.pace.into_iter().for_each(|_| world.backlog.end_waiting());
        }
        world.ready = 10_000_000;
        (0..SPAN_MS).for_each(|_| world.step(200));
        let rest = &mut world.publishers[0];
        rest.longest_ms = 0;
        (0..SPAN_MS).for_each(|_| world.step(200));
        let longest = world.longest_ms();
        prop_assert!(longest <= PACE_WAIT_MAX_MS + 1, "{longest} ms without a turn");
    }
}
