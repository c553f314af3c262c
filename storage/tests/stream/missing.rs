//! Files of a stream that are gone, empty, cut off or from earlier: what is lost is said, whether
//! the stream was closed in order or its process was killed.

use std::sync::Arc;

use leveret_storage::testing::{Image, SimulatedDisk};
use leveret_storage::{Damage, RecoveredStream, Start, Stream, StreamSettings, Streams};
use leveret_storage::{inspect_streams, verify_streams};

use crate::support::{open_on, put, read, settings, stream};

const MESSAGES: u64 = 24;
const SEGMENT: u64 = 600;

fn message(number: u64) -> String {
    format!("message {number} {}", ".".repeat(number as usize * 7 % 60))
}

fn publish(stream: &Arc<Stream>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        put(stream, number as i64, &[&message(number)]);
    }
}

/// What a stream of several segments leaves, and what it had left in the middle.
fn images(settings: StreamSettings, in_order: bool) -> (Image, Image) {
    let disk = SimulatedDisk::new(1);
    let streams = open_on(&disk);
    let (stream, _) = stream(&streams, settings);
    publish(&stream, 0..MESSAGES / 2);
    let earlier = disk.after_exit();
    publish(&stream, MESSAGES / 2..MESSAGES);
    if in_order {
        streams.close().unwrap();
    }
    (disk.after_exit(), earlier)
}

struct Opened {
    streams: Streams,
    stream: Arc<Stream>,
    recovered: RecoveredStream,
    /// What was said before it was opened.
    verified: Vec<Damage>,
    inspected: Vec<Damage>,
}

fn open(image: Image, settings: StreamSettings) -> Opened {
    let disk = SimulatedDisk::from_image(image, 1);
    let inspected = inspect_streams(&disk).unwrap().into_iter().flat_map(|found| found.damage);
    let inspected = inspected.collect();
    let verified = verify_streams(&disk, &|_| false).unwrap();
    let streams = open_on(&disk);
    let (stream, recovered) = stream(&streams, settings);
    Opened { streams, stream, recovered, verified, inspected }
}

fn names_it(found: &[Damage], name: &str) -> bool {
    // At which offset a segment began may be known no more.
    found.iter().any(|it| it.file == name || it.file.ends_with('*') || it.file.contains("-*."))
}

/// Opens it, and sees to it that what is there is right and that what is lost is said.
fn check(name: &str, image: Image, settings: StreamSettings) -> usize {
    let Opened { streams, stream, recovered, verified, inspected } = open(image, settings);
    let found = read(&stream, Start::First);
    for (offset, text) in &found {
        assert_eq!(*text, message(*offset), "{name}");
    }
    let lost = MESSAGES as usize - found.len();
    if lost > 0 {
        assert!(names_it(&verified, name), "{name}: {lost} lost, {verified:?}");
    }
    // Of segments that are finished nothing is read before somebody asks for them.
    for damage in &recovered.damage {
        assert!(inspected.contains(damage) && lost > 0, "{name}: {damage:?} {inspected:?}");
    }
    // What was lost is not given to others, and it goes on.
    publish(&stream, MESSAGES..MESSAGES + 3);
    assert_eq!(read(&stream, Start::Offset(MESSAGES)).len(), 3, "{name}");
    assert_eq!(read(&stream, Start::First).len(), found.len() + 3, "{name}");
    streams.close().unwrap();
    lost
}

fn chunks(image: &Image) -> Vec<String> {
    image.keys().filter(|name| name.ends_with(".chunks")).cloned().collect()
}

/// What has to be noticed: one segment, and several.
fn all() -> impl Iterator<Item = (StreamSettings, Image, Image)> {
    [(SEGMENT, true), (SEGMENT, false), (100_000, true), (100_000, false)].into_iter().map(
        |(octets, in_order)| {
            let (image, earlier) = images(settings(octets), in_order);
            (settings(octets), image, earlier)
        },
    )
}

#[test]
fn a_file_that_is_missing_is_named() {
    for (settings, image, _) in all() {
        for name in image.keys() {
            let mut damaged = image.clone();
            damaged.remove(name);
            let lost = check(name, damaged, settings);
            let begins_empty = name.contains(&format!("{MESSAGES:016x}.chunks"));
            assert!(lost > 0 || !name.ends_with(".chunks") || begins_empty, "{name}");
        }
        // Nothing but how far it was.
        let mut damaged = image.clone();
        damaged.retain(|name, _| name.ends_with(".progress"));
        let last = chunks(&image).pop().unwrap();
        assert_eq!(check(&last, damaged, settings), MESSAGES as usize);
    }
}

#[test]
fn a_file_that_is_empty_or_cut_off_is_named() {
    for (settings, image, _) in all() {
        for (name, octets) in &image {
            for length in (0..octets.len().min(4_000)).step_by(9) {
                let mut damaged = image.clone();
                damaged.get_mut(name).unwrap().truncate(length);
                check(name, damaged, settings);
            }
        }
    }
}

#[test]
fn a_file_from_earlier_is_named() {
    for (settings, image, earlier) in all() {
        for (name, octets) in earlier {
            let mut damaged = image.clone();
            damaged.insert(name.clone(), octets);
            check(&name, damaged, settings);
        }
    }
}

#[test]
fn segments_that_were_exchanged_are_named() {
    let settings = settings(SEGMENT);
    let (image, _) = images(settings, false);
    let names = chunks(&image);
    for pair in names.windows(2) {
        let mut damaged = image.clone();
        let (first, second) = (image.get(&pair[0]), image.get(&pair[1]));
        damaged.insert(pair[0].clone(), second.unwrap().clone());
        damaged.insert(pair[1].clone(), first.unwrap().clone());
        assert!(check(&pair[0], damaged, settings) > 0);
    }
}

#[test]
fn damage_is_said_until_the_stream_goes_on() {
    let settings = settings(100_000);
    let (image, _) = images(settings, false);
    let name = chunks(&image).remove(0);
    let mut damaged = image;
    damaged.get_mut(&name).unwrap().truncate(700);
    let disk = SimulatedDisk::from_image(damaged, 1);
    for life in 0..3 {
        let streams = open_on(&disk);
        let (stream, recovered) = stream(&streams, settings);
        assert_eq!(recovered.damage.is_empty(), life > 0, "{recovered:?}");
        assert_eq!(stream.next_offset(), MESSAGES + life);
        publish(&stream, MESSAGES + life..MESSAGES + life + 1);
        drop(stream);
        if life == 1 {
            streams.close().unwrap();
        }
    }
}
