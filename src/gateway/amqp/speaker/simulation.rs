//! Publishers with confirms, near and far, on simulated time and in an order that a seed decides:
//! nobody waits for good, and what near ones have sent is soon read.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;

use super::Speaker;
use crate::base::wake::{Bell, Wake};
use crate::gateway::amqp::random::Random;
use crate::limits::{FLOOR_WAIT_MAX_MS, READ_CHUNK_BYTES};
use crate::node::floor::{Floor, Place};

/// Publishers that are told at a time.
const PLACES: usize = 4;
/// Octets that the broker reads in a millisecond, of all publishers together.
const READ_PER_MS: usize = 2 * READ_CHUNK_BYTES;
/// How often in a millisecond each publisher is looked at.
const ROUNDS_PER_MS: usize = 32;
/// How long is simulated, in milliseconds.
const SPAN_MS: u64 = 600;

struct Publisher {
    /// Octets that it sends before it waits for confirms.
    window: usize,
    /// How long it takes from when it is told until it sends again, in milliseconds.
    delay_ms: u64,
    /// How long it takes until what was read is confirmed, in milliseconds.
    storing_ms: u64,
    /// When it sends, and how much.
    sends: VecDeque<(u64, usize)>,
    unread: usize,
    /// Read, and confirmed at this time.
    stored: VecDeque<(u64, usize)>,
    /// Confirmed, and not told.
    untold: usize,
    untold_since_ms: u64,
    was_in_line: bool,
    read: usize,
    speaker: Speaker,
    bell: Arc<Bell>,
}

impl Publisher {
    fn new(&(window, delay_ms, storing_ms): &(usize, u64, u64)) -> Self {
        Self {
            window,
            delay_ms,
            storing_ms,
            sends: VecDeque::from([(0, window)]),
            unread: 0,
            stored: VecDeque::new(),
            untold: 0,
            untold_since_ms: 0,
            was_in_line: false,
            read: 0,
            speaker: Speaker::default(),
            bell: Arc::default(),
        }
    }

    /// It sends what it may, and what was stored is confirmed.
    fn go_on(&mut self, now_ms: u64) {
        while let Some(&(due_ms, octets)) = self.sends.front()
            && due_ms <= now_ms
        {
            self.unread += octets;
            self.sends.pop_front();
        }
        while let Some(&(due_ms, octets)) = self.stored.front()
            && due_ms <= now_ms
        {
            if self.untold == 0 {
                self.untold_since_ms = now_ms;
                self.bell.wake();
            }
            self.untold += octets;
            self.stored.pop_front();
        }
    }

    /// The broker serves it as its connection's task does, which is woken, until it has read
    /// something. Gives how much that is.
    fn serve(&mut self, floor: &Floor, now_ms: u64) -> usize {
        self.bell.take();
        self.speaker.look(floor, now_ms);
        loop {
            self.tell(floor, now_ms);
            let octets = self.unread.min(READ_CHUNK_BYTES);
            if octets == 0 {
                if self.speaker.has_finished(floor, now_ms) && self.untold > 0 {
                    continue;
                }
                break;
            }
            self.unread -= octets;
            self.read += octets;
            self.stored.push_back((now_ms + self.storing_ms, octets));
            self.go_on(now_ms);
            self.speaker.hear(octets);
            if octets < READ_CHUNK_BYTES {
                self.speaker.has_finished(floor, now_ms);
            }
            self.tell(floor, now_ms);
            self.check(now_ms);
            return octets;
        }
        self.check(now_ms);
        0
    }

    /// Whoever is not told is woken by somebody, and not again and again.
    fn check(&mut self, now_ms: u64) {
        self.was_in_line |= matches!(self.speaker.place, Some((_, Place::Waits { .. })));
        let until_ms = self.speaker.until_ms();
        assert!(until_ms > now_ms, "it is woken again and again");
        assert!(self.untold == 0 || until_ms != u64::MAX, "nobody wakes it");
    }

    fn tell(&mut self, floor: &Floor, now_ms: u64) {
        let bell = &self.bell;
        let waker = || -> Arc<dyn Wake> { Arc::clone(bell) as _ };
        if self.untold == 0
            || (self.speaker.sends_much() && !self.speaker.may_tell(floor, now_ms, waker))
        {
            return;
        }
        self.speaker.tell(floor, now_ms);
        self.sends.push_back((now_ms + self.delay_ms, std::mem::take(&mut self.untold)));
    }

    /// Whether its connection's task is woken.
    fn is_awake(&self, now_ms: u64) -> bool {
        self.unread > 0 || self.bell.count() > 0 || now_ms >= self.speaker.until_ms()
    }
}

struct World {
    now_ms: u64,
    floor: Floor,
    publishers: Vec<Publisher>,
    random: Random,
}

impl World {
    fn new(publishers: &[(usize, u64, u64)], seed: u64) -> Self {
        let publishers = publishers.iter().map(Publisher::new).collect();
        Self { now_ms: 0, floor: Floor::new(PLACES), publishers, random: Random::new(seed) }
    }

    /// A millisecond, in which those who are awake are served in turn until the time is over.
    fn step(&mut self) {
        let mut budget = READ_PER_MS as isize;
        for _ in 0..ROUNDS_PER_MS {
            let count = self.publishers.len();
            let first = self.random.below(count.max(1));
            for at in (first..count).chain(0..first) {
                let (floor, now_ms) = (&self.floor, self.now_ms);
                let publisher = &mut self.publishers[at];
                publisher.go_on(now_ms);
                if budget > 0 && publisher.is_awake(now_ms) {
                    budget -= publisher.serve(floor, now_ms) as isize;
                }
            }
        }
        self.now_ms += 1;
    }

    fn unread(&self) -> usize {
        self.publishers.iter().map(|publisher| publisher.unread).sum()
    }

    fn read(&self) -> usize {
        self.publishers.iter().map(|publisher| publisher.read).sum()
    }

    /// Everybody who is still there goes, and the floor is free.
    fn end(mut self) {
        for mut publisher in self.publishers.drain(..) {
            publisher.speaker.leave(&self.floor, self.now_ms);
        }
        let bell: Arc<dyn Wake> = Arc::new(Bell::default());
        for _ in 0..PLACES {
            assert!(matches!(self.floor.ask(self.now_ms, &bell).1, Place::Has { .. }));
        }
        assert!(matches!(self.floor.ask(self.now_ms, &bell).1, Place::Waits { .. }));
    }
}

/// From what is told at once to what is read in four turns.
const WINDOWS: Range<usize> = 1000..4 * READ_CHUNK_BYTES;

/// Near or far, and confirmed at once or later. The last octets of some fill a chunk.
fn publisher() -> impl Strategy<Value = (usize, u64, u64)> {
    let window = prop_oneof![WINDOWS, (1..4usize).prop_map(|chunks| chunks * READ_CHUNK_BYTES)];
    (window, 0u64..100, prop_oneof![Just(0), 0u64..30])
}

proptest! {
    #[test]
    fn everybody_is_told_soon_however_others_behave(
        publishers in prop::collection::vec(publisher(), 1..24),
        leaves in prop::collection::vec((0..SPAN_MS, any::<prop::sample::Index>()), 0..8),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(&publishers, seed);
        for now_ms in 0..SPAN_MS {
            for (_, who) in leaves.iter().filter(|leave| leave.0 == now_ms) {
                if world.publishers.len() > 1 {
                    let at = who.index(world.publishers.len());
                    let mut gone = world.publishers.swap_remove(at);
                    gone.speaker.leave(&world.floor, now_ms);
                }
            }
            world.step();
            for one in world.publishers.iter().filter(|one| one.untold > 0) {
                // Before it waits its window is read, among those of all others.
                let reading_ms = (publishers.len() * WINDOWS.end / READ_PER_MS) as u64;
                let longest_ms = FLOOR_WAIT_MAX_MS + 2 * reading_ms + 2;
                prop_assert!(now_ms - one.untold_since_ms <= longest_ms);
            }
        }
        prop_assert!(world.publishers.iter().all(|one| one.read > one.window));
        world.end();
    }

    #[test]
    fn what_many_near_ones_have_sent_is_soon_read(
        window in READ_CHUNK_BYTES / 2..2 * READ_CHUNK_BYTES,
        count in 8usize..24,
        seed in any::<u64>(),
    ) {
        let mut world = World::new(&vec![(window, 0, 0); count], seed);
        for now_ms in 0..SPAN_MS {
            let read = world.read();
            world.step();
            prop_assert!(world.read() - read >= READ_PER_MS, "the broker has nothing to do");
            // At first all of them have sent all that they may.
            if now_ms > 100 {
                let most = (PLACES + 1) * window;
                prop_assert!(world.unread() <= most, "{} of {most}", world.unread());
            }
        }
    }

    #[test]
    fn few_publishers_are_told_at_once(
        publishers in prop::collection::vec(publisher(), 1..=PLACES), seed in any::<u64>(),
    ) {
        let mut world = World::new(&publishers, seed);
        for _ in 0..SPAN_MS {
            world.step();
        }
        prop_assert!(world.publishers.iter().all(|one| !one.was_in_line));
    }

    #[test]
    fn who_sends_little_is_told_at_once(
        publishers in prop::collection::vec(publisher(), 1..24), seed in any::<u64>(),
    ) {
        let little = (WINDOWS.start, 0, 0);
        let mut world = World::new(&[&[little][..], &publishers].concat(), seed);
        for _ in 0..SPAN_MS {
            world.step();
        }
        prop_assert!(!world.publishers[0].was_in_line);
    }
}
