//! A model of what a log should hold, and chances from a seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{
    Error, Log, LogBatch, LogOptions, MessageStore, Range, Recovered, Target, inspect,
};

/// Every batch puts a message here, which is never settled: the batch counts if it is there.
pub(crate) const WITNESS: u64 = 99;

pub(crate) type Messages = BTreeMap<Target, Vec<u8>>;

pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 20) % limit
    }

    pub(crate) fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Message(Vec<Target>, Vec<u8>),
    Settled(Range),
}

/// A batch as the model knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan(pub Vec<Step>);

impl Plan {
    pub(crate) fn batch(&self) -> LogBatch {
        let mut batch = LogBatch::new();
        for step in &self.0 {
            match step {
                Step::Message(targets, payload) => {
                    let (left, right) = payload.split_at(payload.len() / 2);
                    let meta = (payload.len() as u32).to_le_bytes();
                    batch.message(targets, &meta, &[left, right]).unwrap();
                }
                Step::Settled(range) => batch.settled(&[*range]),
            }
        }
        batch
    }

    pub(crate) fn apply(&self, messages: &mut Messages) {
        for step in &self.0 {
            match step {
                Step::Message(targets, payload) => {
                    messages.extend(targets.iter().map(|target| (*target, payload.clone())));
                }
                Step::Settled(range) => messages.retain(|target, _| {
                    target.queue != range.queue
                        || !(range.first..=range.last).contains(&target.sequence)
                }),
            }
        }
    }
}

/// Makes batches: messages to few queues, acknowledgements, purges.
pub(crate) struct Planner {
    pub chance: Chance,
    /// Next sequence of each queue.
    pub next: BTreeMap<u64, u64>,
    pub batches: u64,
}

impl Planner {
    pub(crate) fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed), next: BTreeMap::new(), batches: 0 }
    }

    fn target(&mut self, queue: u64) -> Target {
        let next = self.next.entry(queue).or_default();
        *next += 1;
        Target { queue, sequence: *next - 1 }
    }

    pub(crate) fn plan(&mut self) -> Plan {
        let mut steps = Vec::new();
        for _ in 0..=self.chance.below(5) {
            if self.chance.below(5) < 3 {
                let queues: Vec<u64> = (1..5).filter(|_| self.chance.one_in(3)).collect();
                let targets = queues.into_iter().map(|queue| self.target(queue)).collect();
                let large = self.chance.one_in(60);
                let length = self.chance.below(if large { 9000 } else { 400 });
                let octet = self.chance.below(256) as u8;
                let payload = (0..length).map(|at| octet.wrapping_add(at as u8)).collect();
                steps.push(Step::Message(targets, payload));
            } else {
                let queue = [1, 1, 2, 2, 2, 3, 3, 4][self.chance.below(8) as usize];
                let Some(next) = self.next.get(&queue).copied().filter(|next| *next > 0) else {
                    continue;
                };
                let first = self.chance.below(next);
                let last = match self.chance.below(8) {
                    0 => next - 1,
                    number => (first + number * number / 4).min(next - 1),
                };
                steps.push(Step::Settled(Range { queue, first, last }));
            }
        }
        let witness = Target { queue: WITNESS, sequence: self.batches };
        self.batches += 1;
        let at = self.chance.below(steps.len() as u64 + 1) as usize;
        steps.insert(at, Step::Message(vec![witness], b"witness".to_vec()));
        Plan(steps)
    }
}

pub(crate) fn options() -> LogOptions {
    let mut options = LogOptions::default().segment_octets(4096);
    options.retry_after = Duration::from_millis(1);
    options.group_octets = 2000;
    options.backlog_octets = 20_000;
    options.compaction_octets = 500;
    options
}

/// What was found when a log was opened, and the metas of its live messages.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub recovered: Recovered,
    pub metas: BTreeMap<Target, Vec<u8>>,
    /// Messages that were found twice.
    pub twice: usize,
}

impl Opened {
    fn note(&mut self, target: Target, octets: u32, meta: &[u8]) {
        assert!(octets as usize >= 32 + 20 + meta.len());
        self.twice += usize::from(self.metas.insert(target, meta.to_vec()).is_some());
    }
}

pub(crate) fn open(disk: &SimulatedDisk) -> (Log, Opened) {
    try_open(disk).unwrap()
}

/// Opens a log, having looked at it before, which finds the same and changes nothing.
pub(crate) fn try_open(disk: &SimulatedDisk) -> Result<(Log, Opened), Error> {
    let before = disk.after_exit();
    let mut seen = Opened::default();
    let looked = SimulatedDisk::from_image(before.clone(), 1);
    seen.recovered =
        inspect(&looked, 0, &mut |target, octets, meta| seen.note(target, octets, meta))?;
    assert_eq!(looked.after_exit(), before);

    let mut opened = Opened::default();
    let mut found = |target, octets, meta: &[u8]| opened.note(target, octets, meta);
    let (log, recovered) = Log::open(Arc::new(disk.clone()), options(), &mut found)?;
    assert_eq!((&recovered, &opened.metas), (&seen.recovered, &seen.metas));
    opened.recovered = recovered;
    Ok((log, opened))
}

/// All messages of a store, read one by one and together.
pub(crate) fn content(store: &dyn MessageStore) -> Messages {
    let mut messages = Messages::new();
    for queue in (1..5).chain([WITNESS]) {
        let sequences = store.sequences(queue, 0, usize::MAX);
        let mut together = store.read_many(queue, &sequences, usize::MAX).into_iter();
        assert_eq!(together.len(), sequences.len());
        for sequence in sequences {
            let target = Target { queue, sequence };
            let message = store.read(target).unwrap().unwrap();
            assert_eq!(together.next().unwrap().unwrap().as_ref(), Some(&message));
            assert_eq!(&*message.meta, (message.payload.len() as u32).to_le_bytes());
            messages.insert(target, message.payload.to_vec());
        }
    }
    messages
}
