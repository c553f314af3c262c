//! Files of a log that are missing, emptied, cut off, exchanged, from another log or from earlier:
//! each is noticed, at the start and by a verification, by its name.

use std::collections::BTreeSet;

use leveret_storage::testing::{Image, SimulatedDisk};
use leveret_storage::{Error, LogBatch, MessageStore, Range, Target, commit, inspect, verify};

use crate::support::{Chance, Messages, Planner, Step, content, open};

/// A log's files at one time, and every message that was ever in it.
struct Sample {
    image: Image,
    ever: Messages,
    live: Messages,
}

fn work(seed: u64, is_closed: bool) -> Sample {
    let disk = SimulatedDisk::new(seed);
    let (log, _) = open(&disk);
    let mut planner = Planner::new(seed);
    let (mut ever, mut live) = (Messages::new(), Messages::new());
    for _ in 0..120 {
        let plan = planner.plan();
        plan.apply(&mut live);
        for step in &plan.0 {
            if let Step::Message(targets, payload) = step {
                ever.extend(targets.iter().map(|target| (*target, payload.clone())));
            }
        }
        commit(&log, plan.batch()).unwrap();
    }
    if is_closed {
        log.close().unwrap();
    }
    Sample { image: disk.after_exit(), ever, live }
}

fn segments(image: &Image) -> Vec<String> {
    let names = image.keys().filter(|name| name.starts_with("segment") && name.ends_with(".log"));
    names.cloned().collect()
}

/// Opens a log whose files are not right: this is found every time, in these files among others,
/// and no message is another than was once stored.
fn is_noticed(sample: &Sample, image: Image, files: &[&str], what: &str) {
    let found = verify(&SimulatedDisk::from_image(image.clone(), 1), 0).unwrap();
    let named: BTreeSet<&str> = found.iter().map(|damage| damage.file.as_str()).collect();
    assert!(files.iter().all(|file| named.contains(file)), "{what}: {files:?}, found {found:?}");
    let disk = SimulatedDisk::from_image(image, 1);
    let seen = inspect(&disk, 0, &mut |_, _, _| ()).unwrap();
    let (log, opened) = open(&disk);
    assert_eq!(seen, opened.recovered);
    let found = &opened.recovered.damage;
    assert!(files.iter().all(|file| found.iter().any(|d| d.file == *file)), "{what}: {found:?}");
    for target in opened.metas.keys() {
        match log.read(*target) {
            Ok(message) => assert_eq!(
                message.as_ref().map(|message| &*message.payload),
                sample.ever.get(target).map(Vec::as_slice),
                "{what}: {target:?}"
            ),
            Err(Error::Damaged { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
    // It can be gone on with, and what is gone on with is whole.
    let target = Target { queue: 7, sequence: opened.recovered.queues.get(&7).map_or(0, |n| *n) };
    let mut batch = LogBatch::new();
    batch.message(&[target], &7_u32.to_le_bytes(), &[b"further"]).unwrap();
    commit(&log, batch).unwrap();
    log.close().unwrap();
    let (log, opened) = open(&SimulatedDisk::from_image(disk.after_exit(), 1));
    assert!(opened.recovered.clean, "{what}");
    assert!(log.read(target).unwrap().is_some(), "{what}");
}

#[test]
fn what_is_as_it_was_written_is_not_reported() {
    for seed in 1..20 {
        let sample = work(seed, seed % 2 == 0);
        assert_eq!(verify(&SimulatedDisk::from_image(sample.image.clone(), 1), 0).unwrap(), []);
        let (log, opened) = open(&SimulatedDisk::from_image(sample.image, 1));
        assert_eq!(opened.recovered.damage, []);
        assert_eq!(content(&log), sample.live);
    }
}

#[test]
fn a_file_that_is_missing_or_emptied_is_noticed() {
    for is_closed in [true, false] {
        let sample = work(3, is_closed);
        for name in segments(&sample.image) {
            let mut image = sample.image.clone();
            image.remove(&name);
            is_noticed(&sample, image, &[&name], "missing");
            let mut image = sample.image.clone();
            image.get_mut(&name).unwrap().clear();
            is_noticed(&sample, image, &[&name], "emptied");
            let mut image = sample.image.clone();
            image.get_mut(&name).unwrap().fill(0);
            is_noticed(&sample, image, &[&name], "zeros");
        }
        let mut image = sample.image.clone();
        image.remove("manifest");
        is_noticed(&sample, image, &["manifest"], "without a manifest");
    }
}

/// The manifest may have lost its end, as a crash has it: the segment that was written last is
/// missed all the same.
#[test]
fn what_the_last_file_had_is_missed_whatever_is_left_of_the_manifest() {
    for is_closed in [true, false] {
        let sample = work(3, is_closed);
        let last = segments(&sample.image).pop().unwrap();
        let manifest = &sample.image["manifest"];
        let used = manifest.len() - manifest.iter().rev().take_while(|o| **o == 0).count();
        for (from, left) in (0..used).step_by(8).flat_map(|from| [(from, None), (from, Some(20))]) {
            let mut image = sample.image.clone();
            match left {
                None => drop(image.remove(&last)),
                Some(left) => image.get_mut(&last).unwrap().truncate(left),
            }
            image.get_mut("manifest").unwrap()[from..].fill(0);
            let found = verify(&SimulatedDisk::from_image(image.clone(), 1), 0).unwrap();
            assert!(!found.is_empty(), "from {from}, {left:?} left, closed {is_closed}");
            let (_, opened) = open(&SimulatedDisk::from_image(image, 1));
            assert!(!opened.recovered.damage.is_empty(), "from {from}, {left:?} left");
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_noticed() {
    let mut chance = Chance::new(5);
    let mut noticed = 0;
    for is_closed in [true, false] {
        let sample = work(5, is_closed);
        for name in segments(&sample.image) {
            for _ in 0..8 {
                let mut image = sample.image.clone();
                let octets = image.get_mut(&name).unwrap();
                let used = octets.len() - octets.iter().rev().take_while(|o| **o == 0).count();
                // The mark of a stop in order is not missed: it is a start after a crash then.
                let most = used.saturating_sub(48) as u64;
                let length = chance.below(most.max(1)) as usize;
                octets.truncate(length);
                let what = format!("cut off at {length} of {used}, closed {is_closed}");
                let (log, opened) = open(&SimulatedDisk::from_image(image.clone(), 1));
                // Behind the end of a segment there may be what an earlier use has left.
                if opened.recovered.damage.is_empty() && content(&log) == sample.live {
                    continue;
                }
                noticed += 1;
                is_noticed(&sample, image, &[&name], &what);
            }
        }
    }
    assert!(noticed > 100, "{noticed}");
}

#[test]
fn files_that_changed_places_are_noticed() {
    for is_closed in [true, false] {
        let sample = work(7, is_closed);
        for pair in segments(&sample.image).windows(2) {
            let mut image = sample.image.clone();
            let (one, two) = (image[&pair[0]].clone(), image[&pair[1]].clone());
            image.insert(pair[0].clone(), two);
            image.insert(pair[1].clone(), one);
            is_noticed(&sample, image, &[&pair[0], &pair[1]], "exchanged");
        }
    }
}

#[test]
fn files_of_another_log_are_noticed_and_not_heard() {
    for is_closed in [true, false] {
        let sample = work(9, is_closed);
        let other = work(10, is_closed);
        let names = segments(&sample.image);
        let of_both = segments(&other.image).into_iter().filter(|name| names.contains(name));
        for name in of_both {
            let mut image = sample.image.clone();
            image.insert(name.clone(), other.image[&name].clone());
            is_noticed(&sample, image.clone(), &[&name], "foreign");
            let index = name.replace(".log", ".idx");
            if let Some(octets) = other.image.get(&index) {
                image.insert(index, octets.clone());
                is_noticed(&sample, image, &[&name], "foreign with its side file");
            }
        }
    }
}

/// A copy of a segment that was not needed any more would bring messages back.
#[test]
fn a_file_from_earlier_is_noticed_and_not_heard() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = open(&disk);
    let mut messages = Messages::new();
    let mut put = |sequence| {
        let mut batch = LogBatch::new();
        let target = Target { queue: 1, sequence };
        batch.message(&[target], &400_u32.to_le_bytes(), &[&[7; 400]]).unwrap();
        messages.insert(target, vec![7; 400]);
        commit(&log, batch).unwrap();
    };
    (0..20).for_each(&mut put);
    let earlier = disk.after_exit();
    let mut batch = LogBatch::new();
    batch.settled(&[Range { queue: 1, first: 0, last: 19 }]);
    commit(&log, batch).unwrap();
    (20..60).for_each(&mut put);
    let mut batch = LogBatch::new();
    batch.settled(&[Range { queue: 1, first: 20, last: 59 }]);
    commit(&log, batch).unwrap();
    commit(&log, LogBatch::new()).unwrap();
    log.close().unwrap();
    let sample = Sample { image: disk.after_exit(), ever: Messages::new(), live: Messages::new() };
    let first = &segments(&earlier)[0];
    assert!(!sample.image.contains_key(first), "it should have been freed");
    // The next start forgets what was freed before.
    let disk = SimulatedDisk::from_image(sample.image.clone(), 1);
    drop(open(&disk));
    let mut image = disk.after_exit();
    image.insert(first.clone(), earlier[first].clone());
    is_noticed(&sample, image, &[first], "from earlier");
}

#[test]
fn the_files_of_another_directory_are_told_by_its_identity() {
    use leveret_storage::{Log, LogOptions};
    use std::sync::Arc;
    let disk = SimulatedDisk::new(1);
    let options = |identity| LogOptions::default().segment_octets(4096).identity(identity);
    let (log, _) = Log::open(Arc::new(disk.clone()), options(5), &mut |_, _, _| ()).unwrap();
    let mut batch = LogBatch::new();
    batch.message(&[Target { queue: 1, sequence: 0 }], b"meta", &[b"whose?"]).unwrap();
    commit(&log, batch).unwrap();
    log.close().unwrap();
    let image = disk.after_exit();
    assert_eq!(verify(&SimulatedDisk::from_image(image.clone(), 1), 5).unwrap(), []);
    let found = verify(&SimulatedDisk::from_image(image.clone(), 1), 6).unwrap();
    let files: Vec<&str> = found.iter().map(|damage| damage.file.as_str()).collect();
    assert_eq!(files, ["manifest", "segment-0000000000000001.log"]);
    let disk = SimulatedDisk::from_image(image, 1);
    let mut count = 0;
    let (log, recovered) =
        Log::open(Arc::new(disk.clone()), options(6), &mut |_, _, _| count += 1).unwrap();
    assert_eq!((count, recovered.damage), (0, found));
    assert!(
        disk.after_exit().contains_key("foreign-0000000000000001.log"),
        "nothing is thrown away"
    );
    drop(log);
    assert_eq!(verify(&disk, 6).unwrap(), []);
}
