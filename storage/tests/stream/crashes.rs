//! Power cuts and kills at random moments, with and without failures before: what was confirmed is
//! there afterwards, in order and without gaps, and nothing that was never appended.

use std::collections::BTreeMap;
use std::sync::Arc;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{
    Content, NewEntry, Retention, Start, Stream, StreamBatch, StreamSettings, Streams,
    inspect_streams, verify_streams,
};
use parking_lot::Mutex;

use crate::support::{Chance, ID, nothing, options, read, stream};

/// Rounds of every seed; each ends with a crash, and the next begins with what it left.
const ROUNDS: u64 = 4;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// What was confirmed by now.
#[derive(Clone, Debug, Default)]
struct Promised {
    next_offset: u64,
    /// Offsets by name: how many of the calls are confirmed.
    stored: BTreeMap<&'static str, usize>,
}

struct Simulation {
    seed: u64,
    chance: Chance,
    failures: bool,
    settings: StreamSettings,
    /// Every message from offset 0 on that counts, as far as that is known.
    messages: Vec<String>,
    /// The next publishing id of each publisher.
    publishers: [u64; 2],
    /// All offsets by name that count or may count.
    stored: BTreeMap<&'static str, Vec<u64>>,
    promised: Promised,
    now_ms: i64,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let max_octets = chance.one_in(2).then_some(3000);
        let max_age_ms = chance.one_in(4).then_some(300);
        let retention = Retention { max_octets, max_age_ms };
        let settings = StreamSettings {
            segment_octets: [600, 1500, 4000, 1_000_000][chance.below(4) as usize],
            retention,
            filter_octets: 16,
        };
        Self {
            seed,
            chance,
            failures: seed.is_multiple_of(3),
            settings,
            messages: Vec::new(),
            publishers: [1, 1],
            stored: NAMES.iter().map(|name| (*name, vec![])).collect(),
            promised: Promised::default(),
            now_ms: 0,
        }
    }

    /// Opens what a crash has left, having looked at it before, which changes nothing.
    fn open(&self, disk: &SimulatedDisk) -> Option<(Streams, Arc<Stream>)> {
        let seed = self.seed;
        let before = disk.after_exit();
        let found = inspect_streams(disk).unwrap();
        let damage = verify_streams(disk, &|_| false).unwrap();
        assert!(damage.is_empty(), "seed {seed}: {damage:?}");
        assert_eq!(disk.after_exit(), before);
        let streams = Streams::open(Arc::new(disk.clone()), options()).ok()?;
        let (stream, recovered) = streams.stream(ID, self.settings).ok()?;
        assert!(recovered.damage.is_empty(), "seed {seed}: {recovered:?}");
        match found.first() {
            Some(found) => {
                assert_eq!(found.next_offset, stream.next_offset(), "seed {seed}");
                assert_eq!(found.first_offset, stream.first_offset(), "seed {seed}");
                assert_eq!(found.offsets, stream.stored_offsets(), "seed {seed}");
            }
            None => assert_eq!(stream.next_offset(), 0),
        }
        Some((streams, stream))
    }

    /// Checks what a crash has left, and notes what counts from now on.
    fn check(&mut self, stream: &Arc<Stream>) {
        let seed = self.seed;
        let next = stream.committed_offset();
        assert!(next >= self.promised.next_offset, "seed {seed}: {next} {:?}", self.promised);
        assert!(next <= self.messages.len() as u64, "seed {seed}: out of nothing");
        self.messages.truncate(next as usize);
        let first = stream.first_offset();
        let found = read(stream, Start::First);
        let kept = self.messages.get(first as usize..).unwrap();
        let expected: Vec<_> = (first..).zip(kept.iter().cloned()).collect();
        assert_eq!(found, expected, "seed {seed}");
        for (number, next) in self.publishers.iter_mut().enumerate() {
            let prefix = format!("p{number} ");
            let last = self.messages.iter().rev().find_map(|m| m.strip_prefix(&prefix));
            let last = last.map(|id| id.trim_end_matches('.').parse().unwrap());
            let sequence = stream.publisher_sequence(&prefix[..2]);
            assert_eq!(sequence, last, "seed {seed}");
            *next = last.unwrap_or(0) + 1;
        }
        for (name, offsets) in &mut self.stored {
            let confirmed = self.promised.stored.get(name).copied().unwrap_or(0);
            let found = stream.stored_offset(name);
            // The last confirmed call, or a later one.
            let place = match found {
                None => 0,
                Some(found) => offsets.iter().rposition(|at| *at == found).unwrap() + 1,
            };
            assert!(place >= confirmed, "seed {seed}: {name} {found:?} {confirmed} {offsets:?}");
            offsets.truncate(place);
        }
        self.promised.next_offset = next;
        self.promised.stored = self.stored.iter().map(|(name, all)| (*name, all.len())).collect();
    }

    fn batch(&mut self) -> StreamBatch {
        let publisher = self.chance.below(3) as usize;
        let name = format!("p{publisher}");
        let mut batch = match self.publishers.get(publisher) {
            Some(_) => StreamBatch::from_publisher(&name).unwrap(),
            None => StreamBatch::new(),
        };
        for _ in 0..1 + self.chance.below(6) {
            let (id, is_new) = match self.publishers.get_mut(publisher) {
                Some(next) => {
                    let is_new = *next == 1 || !self.chance.one_in(4);
                    *next += u64::from(is_new);
                    (*next - 1, is_new)
                }
                None => (self.messages.len() as u64, true),
            };
            let length = if self.chance.one_in(30) { 3000 } else { self.chance.below(200) };
            let message = format!("{name} {id}{}", ".".repeat(length as usize));
            let parts = [message.as_bytes()];
            let content = Content::Message(&parts);
            batch.push(NewEntry { publishing_id: id, filter: None, content }).unwrap();
            if is_new {
                self.messages.push(message);
            }
        }
        batch
    }

    /// Works until a crash; returns the disk after it.
    fn work(&mut self, disk: SimulatedDisk, round: u64) -> SimulatedDisk {
        let cut = self.chance.below(3) > 0;
        let seed = self.seed * ROUNDS + round;
        let Some((streams, stream)) = self.open(&disk) else { panic!("it is not open") };
        self.check(&stream);
        if cut {
            disk.cut_after(self.chance.below(150));
        }
        let promised = Arc::new(Mutex::new(self.promised.clone()));
        for _ in 0..self.chance.below(60) {
            if self.failures && self.chance.one_in(15) {
                disk.fail_syncs(self.chance.below(3) as u32);
                disk.fail_writes(self.chance.below(3) as u32);
            }
            self.now_ms += self.chance.below(20) as i64;
            if self.chance.one_in(4) {
                self.store(&stream, &promised);
                continue;
            }
            if streams.is_behind() {
                // If the power is cut nothing more is committed.
                std::thread::yield_now();
            }
            let batch = self.batch();
            let next_offset = self.messages.len() as u64;
            let list = promised.clone();
            let done = move |result: leveret_storage::Result<()>| {
                if result.is_ok() {
                    let mut promised = list.lock();
                    assert!(promised.next_offset <= next_offset, "out of order");
                    promised.next_offset = next_offset;
                }
            };
            let appended = stream.append(&batch, self.now_ms, Box::new(done)).unwrap();
            assert_eq!(appended.next_offset, next_offset, "seed {}", self.seed);
            if self.chance.one_in(3) {
                while promised.lock().next_offset < next_offset && !disk.is_cut() {
                    std::thread::yield_now();
                }
            }
        }
        // Whatever is confirmed by now has to be in the image.
        self.promised = promised.lock().clone();
        let killed = !cut && self.chance.one_in(2);
        let image = if killed { disk.after_exit() } else { disk.after_power_cut() };
        disk.cut_after(0);
        // If the power is gone it cannot be closed in order.
        let _ = streams.close();
        SimulatedDisk::from_image(image, seed)
    }

    fn store(&mut self, stream: &Arc<Stream>, promised: &Arc<Mutex<Promised>>) {
        let name = NAMES[self.chance.below(3) as usize];
        let offset = self.chance.below(1000);
        let calls = self.stored.get_mut(name).unwrap();
        calls.push(offset);
        let count = calls.len();
        if self.chance.one_in(2) {
            stream.store_offset(name, offset, None).unwrap();
            return;
        }
        let list = promised.clone();
        let done = move |result: leveret_storage::Result<()>| {
            if result.is_ok() {
                list.lock().stored.insert(name, count);
            }
        };
        stream.store_offset(name, offset, Some(Box::new(done))).unwrap();
    }
}

fn simulate(seed: u64) {
    let mut simulation = Simulation::new(seed);
    let mut disk = SimulatedDisk::new(seed);
    for round in 0..ROUNDS {
        disk = simulation.work(disk, round);
    }
    let (streams, stream) = simulation.open(&disk).unwrap();
    simulation.check(&stream);
    stream.append(&simulation.batch(), simulation.now_ms, nothing()).unwrap();
    streams.close().unwrap();
    simulation.promised.next_offset = simulation.messages.len() as u64;
    let (_streams, stream) = simulation.open(&disk).unwrap();
    simulation.check(&stream);
}

/// `LEVERET_CRASH_SEEDS=5000` runs more than the few hundred crashes of an ordinary run.
#[test]
fn what_was_confirmed_survives() {
    let seeds = std::env::var("LEVERET_CRASH_SEEDS").ok().and_then(|count| count.parse().ok());
    for seed in 1..=seeds.unwrap_or(100) {
        simulate(seed);
    }
}

#[test]
fn a_crash_while_a_stream_is_opened_harms_nothing() {
    for seed in 1..=40 {
        let mut simulation = Simulation::new(seed);
        let mut disk = simulation.work(SimulatedDisk::new(seed), 0);
        for operations in 0..6 {
            disk.cut_after(operations);
            let streams = Streams::open(Arc::new(disk.clone()), options());
            let _ = streams.map(|streams| stream_if_possible(&streams, simulation.settings));
            disk = SimulatedDisk::from_image(disk.after_power_cut(), seed + operations);
        }
        let (streams, _) = simulation.open(&disk).unwrap();
        let (stream, _) = stream(&streams, simulation.settings);
        simulation.check(&stream);
    }
}

fn stream_if_possible(streams: &Streams, settings: StreamSettings) {
    // The power may be gone by now.
    let _ = streams.stream(ID, settings);
}
