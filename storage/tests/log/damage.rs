//! Damaged files: never a panic, and no more is lost than what the damage covers.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use leveret_storage::testing::{Image, SimulatedDisk};
use leveret_storage::{LogBatch, MessageStore, Recovered, Target, commit, verify};
use proptest::prelude::*;

use crate::support::{Messages, Plan, Planner, Step, open};

/// Longest record of a batch that a plan makes, about.
const BATCH_MAX: usize = 60_000;

struct Sample {
    image: Image,
    plans: Vec<Plan>,
    messages: Messages,
}

/// A log that was closed in order.
fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let disk = SimulatedDisk::new(3);
        let (log, _) = open(&disk);
        let mut planner = Planner::new(3);
        let mut messages = Messages::new();
        let plans: Vec<Plan> = (0..120).map(|_| planner.plan()).collect();
        for plan in &plans {
            plan.apply(&mut messages);
            commit(&log, plan.batch()).unwrap();
        }
        log.close().unwrap();
        Sample { image: disk.after_exit(), plans, messages }
    })
}

struct Outcome {
    lost: Vec<Target>,
    recovered: Recovered,
    /// Messages whose damage was found when they were read.
    unreadable: usize,
}

fn reopen(image: Image) -> Outcome {
    let _ = verify(&SimulatedDisk::from_image(image.clone(), 1), 0);
    let (log, opened) = open(&SimulatedDisk::from_image(image, 1));
    let recovered = opened.recovered;
    let (mut lost, mut unreadable) = (Vec::new(), 0);
    for (target, payload) in &sample().messages {
        match log.read(*target) {
            Ok(Some(message)) => assert_eq!(&message.payload, payload),
            Ok(None) => lost.push(*target),
            Err(leveret_storage::Error::Damaged { .. }) => {
                unreadable += 1;
                lost.push(*target);
            }
            Err(error) => panic!("{error}"),
        }
    }
    Outcome { lost, recovered, unreadable }
}

/// The place of the message that is stored for a target.
fn record_of(target: &Target) -> (usize, usize) {
    let plans = sample().plans.iter().enumerate();
    let found = plans.flat_map(|(plan, steps)| {
        steps.0.iter().enumerate().filter_map(move |(step, content)| match content {
            Step::Message(targets, _) if targets.contains(target) => Some((plan, step)),
            _ => None,
        })
    });
    found.last().unwrap()
}

fn file_and_offset(file: prop::sample::Index, at: prop::sample::Index) -> (String, usize) {
    let (name, octets) = sample().image.iter().nth(file.index(sample().image.len())).unwrap();
    (name.clone(), at.index(octets.len().max(1)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..Default::default() })]

    #[test]
    fn a_wrong_octet_costs_one_record(
        file: prop::sample::Index, at: prop::sample::Index, change in 1..=255_u8,
    ) {
        let (name, offset) = file_and_offset(file, at);
        let mut image = sample().image.clone();
        image.get_mut(&name).unwrap().iter_mut().skip(offset).take(1).for_each(|o| *o ^= change);
        let outcome = reopen(image);
        let records: BTreeSet<_> = outcome.lost.iter().map(record_of).collect();
        prop_assert!(records.len() <= 1, "{name} at {offset}: {records:?}");
        let reported = outcome.recovered.damage.len() + outcome.recovered.torn.len();
        prop_assert!(records.is_empty() || reported + outcome.unreadable > 0);
        prop_assert!(records.is_empty() || name.ends_with(".log"));
    }

    #[test]
    fn a_short_file_costs_what_was_behind(file: prop::sample::Index, at: prop::sample::Index) {
        let (name, length) = file_and_offset(file, at);
        let mut image = sample().image.clone();
        let last = image.keys().rfind(|name| name.starts_with("segment")).unwrap() == &name;
        let octets = image.get_mut(&name).unwrap();
        let removed = octets.len().saturating_sub(length);
        octets.truncate(length);
        let outcome = reopen(image);
        let records: BTreeSet<_> = outcome.lost.iter().map(record_of).collect();
        let octets: Vec<usize> = records.iter().map(|(plan, step)| {
            match &sample().plans[*plan].0[*step] {
                Step::Message(_, payload) => payload.len(),
                Step::Settled(_) => 0,
            }
        }).collect();
        // Of one record a part may be left, and of one batch if it was the last one.
        let longest = octets.iter().max().copied().unwrap_or(0);
        let batch = if last { BATCH_MAX } else { longest };
        prop_assert!(octets.iter().sum::<usize>() <= removed + batch);
        prop_assert!(records.is_empty() || name.ends_with(".log"));
    }

    #[test]
    fn noise_does_not_panic(
        file: prop::sample::Index, at: prop::sample::Index,
        noise in proptest::collection::vec(any::<u8>(), 1..400),
    ) {
        let (name, offset) = file_and_offset(file, at);
        let mut image = sample().image.clone();
        let octets = image.get_mut(&name).unwrap();
        octets.iter_mut().skip(offset).zip(&noise).for_each(|(to, from)| *to = *from);
        let outcome = reopen(image);
        prop_assert!(outcome.lost.len() < sample().messages.len() / 2 + 8);
    }
}

#[test]
fn a_sound_log_is_sound() {
    let disk = SimulatedDisk::from_image(sample().image.clone(), 1);
    assert_eq!(verify(&disk, 0).unwrap(), []);
    assert!(sample().image.len() > 8, "there should be several segments and side files");
    let outcome = reopen(sample().image.clone());
    assert!(outcome.lost.is_empty() && outcome.recovered.clean);
    assert!(outcome.recovered.torn.is_empty() && outcome.recovered.damage.is_empty());
}

/// What a log has whose last group is broken, with another record of it further behind: its header
/// is not that of its place.
fn torn() -> Image {
    let disk = SimulatedDisk::new(5);
    let (log, _) = open(&disk);
    commit(&log, batch(1, b"whole")).unwrap();
    let progress = disk.after_exit().remove("progress").unwrap();
    commit(&log, batch(2, b"first of the torn")).unwrap();
    let mut image = disk.after_exit();
    // With what it says now it is known that this was whole.
    image.insert("progress".into(), progress);
    let segment = image.keys().find(|name| name.ends_with(".log") && !name.contains("reserve"));
    let octets = image.get_mut(&segment.unwrap().clone()).unwrap();
    let torn = octets.windows(17).position(|part| part == b"first of the torn").unwrap();
    octets[torn] ^= 1;
    let begin = torn & !511;
    octets.copy_within(begin..begin + 512, begin + 1024);
    image
}

/// Several records of the last group are broken, with room between them: all of that is cut off.
#[test]
fn what_a_crash_left_half_written_is_not_taken_for_damage_later() {
    let image = torn();
    let disk = SimulatedDisk::from_image(image, 6);
    let (log, opened) = open(&disk);
    assert_eq!((opened.recovered.damage, opened.recovered.torn.len()), (vec![], 1));
    commit(&log, batch(3, b"later")).unwrap();
    let mut image = disk.after_exit();
    image.retain(|name, _| !name.ends_with(".idx")); // they are not synced
    let (_, opened) = open(&SimulatedDisk::from_image(image, 7));
    assert_eq!(opened.recovered.damage, []);
}

/// If the file is harmed that says how far the log was durable, nobody knows that a crash tore the
/// last group, or that there was nothing: that is told, once.
#[test]
fn that_nobody_knows_how_far_it_was_durable_is_told() {
    type Harm = fn(&mut Image);
    fn progress(image: &mut Image) -> &mut Vec<u8> {
        image.get_mut("progress").unwrap()
    }
    let harms: [Harm; 6] = [
        |image| drop(image.remove("progress")),
        |image| progress(image).clear(),
        |image| progress(image).truncate(400),
        |image| progress(image).truncate(64),
        |image| progress(image)[520] ^= 1,
        |image| progress(image)[30] ^= 1,
    ];
    for harm in harms {
        let mut image = torn();
        harm(&mut image);
        assert!(!verify(&SimulatedDisk::from_image(image.clone(), 6), 0).unwrap().is_empty());
        let disk = SimulatedDisk::from_image(image, 6);
        let (log, opened) = open(&disk);
        let damage = opened.recovered.damage;
        assert!(matches!(&damage[..], [one] if one.file == "progress"), "{damage:?}");
        commit(&log, batch(3, b"later")).unwrap();
        let (_, opened) = open(&SimulatedDisk::from_image(disk.after_exit(), 7));
        assert_eq!(opened.recovered.damage, []);
    }
}

fn batch(sequence: u64, payload: &[u8]) -> LogBatch {
    let mut batch = LogBatch::new();
    batch.message(&[Target { queue: 1, sequence }], &[0; 6], &[payload]).unwrap();
    batch
}
