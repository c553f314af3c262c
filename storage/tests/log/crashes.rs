//! Power cuts and kills at random moments, with and without failures before: what was completed
//! is there afterwards, whole batches each, and nothing else.

use std::sync::Arc;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{MessageStore, Range, Target};
use parking_lot::Mutex;

use crate::support::{Messages, Opened, Plan, Planner, Step, WITNESS, content, open, try_open};

/// Rounds of every seed; each ends with a crash, and the next begins with what it left.
const ROUNDS: u64 = 4;

struct Simulation {
    seed: u64,
    planner: Planner,
    /// Every batch that was ever submitted, and whether it counts: known after each crash.
    plans: Vec<(Plan, bool)>,
    failures: bool,
    /// Batches that settle the witnesses of all earlier ones.
    sweeps: Vec<usize>,
    /// The first batch of the last round.
    since: usize,
}

impl Simulation {
    fn expected(&self) -> Messages {
        let mut messages = Messages::new();
        let counted = self.plans.iter().filter(|(_, counts)| *counts);
        counted.for_each(|(plan, _)| plan.apply(&mut messages));
        messages
    }

    /// Works until a crash; returns the disk after it.
    fn work(&mut self, disk: SimulatedDisk, round: u64) -> SimulatedDisk {
        let cut = self.planner.chance.below(3) > 0;
        if cut {
            disk.cut_after(self.planner.chance.below(400));
        }
        let seed = self.seed * ROUNDS + round;
        let Ok((log, opened)) = try_open(&disk) else {
            return SimulatedDisk::from_image(disk.after_power_cut(), seed);
        };
        self.check(&content(&log), &opened);
        self.since = self.plans.len();
        let completed = Arc::new(Mutex::new(Vec::new()));
        let sweep = self.planner.chance.below(60);
        for number in 0..self.planner.chance.below(150) {
            if self.failures && self.planner.chance.one_in(15) {
                disk.fail_syncs(self.planner.chance.below(3) as u32);
                disk.fail_writes(self.planner.chance.below(3) as u32);
            }
            // Only in the beginning it is known which batches count.
            let mut plan = self.planner.plan();
            if number == 0 && sweep > 20 && !self.plans.is_empty() {
                let last = self.plans.len() as u64 - 1;
                let witnesses = Range { queue: WITNESS, first: 0, last };
                plan.0.push(Step::Settled(witnesses));
                self.sweeps.push(self.plans.len());
            }
            let number = self.plans.len();
            self.plans.push((plan.clone(), false));
            let list = completed.clone();
            let done = move |result: leveret_storage::Result<()>| {
                if result.is_ok() {
                    list.lock().push(number);
                }
            };
            if log.is_behind() && cut {
                // Nothing more is completed once the power is cut.
                break;
            }
            log.submit(plan.batch(), Box::new(done)).unwrap();
            if self.planner.chance.one_in(3) {
                while completed.lock().last() != Some(&number) && !disk.is_cut() {
                    std::thread::yield_now();
                }
            }
        }
        // Whatever is completed by now has to be in the image.
        let promised = completed.lock().clone();
        let killed = !cut && self.planner.chance.one_in(2);
        let image = if killed { disk.after_exit() } else { disk.after_power_cut() };
        disk.cut_after(0);
        // If the power is gone it cannot be closed in order.
        let _ = log.close();
        assert!(promised.is_sorted(), "seed {}: out of order", self.seed);
        for number in promised {
            self.plans[number].1 = true;
        }
        SimulatedDisk::from_image(image, seed)
    }

    /// Checks what a crash has left, and notes which batches count from now on.
    fn check(&mut self, found: &Messages, opened: &Opened) {
        let seed = self.seed;
        let witness = |number: usize| Target { queue: WITNESS, sequence: number as u64 };
        let swept = self.sweeps.iter().rfind(|number| found.contains_key(&witness(**number)));
        let known = swept.copied().unwrap_or(0);
        for (number, (_, counts)) in self.plans.iter_mut().enumerate().skip(known) {
            let there = found.contains_key(&witness(number));
            assert!(there || !*counts, "seed {seed}: batch {number} was completed and is lost");
            *counts = there;
        }
        // Of groups that segments of 4 KiB end in the midst of, too.
        let round = self.plans.iter().skip(self.since.max(known)).map(|(_, counts)| *counts);
        let is_first_part = round.skip_while(|counts| *counts).all(|counts| !counts);
        assert!(is_first_part, "seed {seed}: a batch counts without one that was submitted before");
        let expected = self.expected();
        let same = found == &expected;
        assert!(
            same,
            "seed {seed}: lost {:?}, back {:?}",
            expected.keys().filter(|key| !found.contains_key(key)).collect::<Vec<_>>(),
            found.keys().filter(|key| !expected.contains_key(key)).collect::<Vec<_>>()
        );
        for target in found.keys() {
            assert!(opened.recovered.queues[&target.queue] > target.sequence);
            assert!(opened.recovered.queue_max >= target.queue);
            let meta = opened.metas.get(target).map(Vec::len);
            assert_eq!(meta, Some(4), "seed {seed}: {target:?} was not reported");
        }
        assert_eq!(opened.metas.len(), found.len(), "seed {seed}");
        let damage = &opened.recovered.damage;
        assert!(self.failures || damage.is_empty(), "seed {seed}: {damage:?}");
    }
}

fn simulate(seed: u64) {
    let failures = seed.is_multiple_of(3);
    let mut simulation = Simulation {
        seed,
        planner: Planner::new(seed),
        plans: Vec::new(),
        failures,
        sweeps: Vec::new(),
        since: 0,
    };
    let mut disk = SimulatedDisk::new(seed);
    for round in 0..ROUNDS {
        disk = simulation.work(disk, round);
    }
    let (log, opened) = open(&disk);
    simulation.check(&content(&log), &opened);
    log.close().unwrap();
    let (log, opened) = open(&disk);
    assert!(opened.recovered.clean, "seed {seed}");
    simulation.check(&content(&log), &opened);
}

/// `LEVERET_CRASH_SEEDS=5000` runs more than the few hundred crashes of an ordinary run.
#[test]
fn what_was_completed_survives() {
    let seeds = std::env::var("LEVERET_CRASH_SEEDS").ok().and_then(|count| count.parse().ok());
    for seed in 1..=seeds.unwrap_or(60) {
        simulate(seed);
    }
}
