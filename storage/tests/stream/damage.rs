//! Octets that are not what was written: at most their chunk is lost, and it is said where.

use std::collections::BTreeMap;
use std::sync::Arc;

use leveret_storage::testing::{Image, SimulatedDisk};
use leveret_storage::{
    ChunkEntry, Damage, RecoveredStream, Start, Stream, Streams, inspect_streams, verify_streams,
};
use parking_lot::Mutex;

use crate::support::{Chance, nothing, open_on, options, put, rest, settings, stream};

const MESSAGES: usize = 24;

fn message(number: usize) -> String {
    format!("message {number} {}", ".".repeat(number * 7 % 60))
}

/// What a stream of several segments leaves after a stop in order: two messages in each chunk.
fn image() -> Image {
    let disk = SimulatedDisk::new(1);
    let streams = open_on(&disk);
    let (stream, _) = stream(&streams, settings(600));
    for number in (0..MESSAGES).step_by(2) {
        put(&stream, number as i64, &[&message(number), &message(number + 1)]);
    }
    stream.store_offset("reader", 5, None).unwrap();
    streams.close().unwrap();
    disk.after_power_cut()
}

/// A stream that was opened, what was reported, and the disk.
struct Opened {
    streams: Streams,
    stream: Arc<Stream>,
    recovered: RecoveredStream,
    reported: Arc<Mutex<Vec<Damage>>>,
}

fn open(image: Image) -> Opened {
    let disk = Arc::new(SimulatedDisk::from_image(image, 1));
    inspect_streams(&*disk).unwrap();
    let reported = Arc::new(Mutex::new(Vec::new()));
    let list = reported.clone();
    let options = options().damaged(Arc::new(move |damage| list.lock().push(damage.clone())));
    let streams = Streams::open(disk, options).unwrap();
    let (stream, recovered) = stream(&streams, settings(600));
    Opened { streams, stream, recovered, reported }
}

/// The messages that can be read, by offset.
fn found(stream: &Arc<Stream>) -> BTreeMap<u64, String> {
    rest(&mut stream.reader(Start::First).unwrap()).into_iter().collect()
}

/// Checks that what is there is right, and tells how many messages are not.
fn check(stream: &Arc<Stream>) -> usize {
    let found = found(stream);
    for (offset, text) in &found {
        assert_eq!(*text, message(*offset as usize));
    }
    MESSAGES - found.len()
}

#[test]
fn any_octet_costs_at_most_its_chunk() {
    let image = image();
    let mut lost = [0; 3];
    for (name, octets) in &image {
        for at in 0..octets.len() {
            let mut damaged = image.clone();
            damaged.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            let verified =
                verify_streams(&SimulatedDisk::from_image(damaged.clone(), 1), &|_| false).unwrap();
            let Opened { stream, recovered, reported, streams } = open(damaged);
            let missing = check(&stream);
            let reported = reported.lock().clone();
            lost[missing] += 1;
            let context = format!("{name} {at} {missing} {recovered:?} {reported:?} {verified:?}");
            match missing {
                // What is kept by name lies between the messages.
                0 => assert!(reported.len() <= 1, "{context}"),
                2 => {
                    let is_said = |list: &[Damage]| {
                        let covers = |damage: &Damage| {
                            let place = damage.offset..damage.offset + damage.octets;
                            damage.file == *name && place.contains(&(at as u64))
                        };
                        list.iter().any(covers)
                    };
                    assert!(is_said(&recovered.damage) || is_said(&reported), "{context}");
                    assert!(is_said(&verified), "{context}");
                }
                _ => panic!("{context}"),
            }
            // It was stopped in order: nothing that was written can be torn. And it goes on.
            assert!(missing == 0 || recovered.torn.is_empty(), "{context}");
            assert_eq!(put(&stream, 100, &["more"]).first_offset, MESSAGES as u64);
            let name = stream.stored_offset("reader");
            assert!(name == Some(5) || !recovered.damage.is_empty(), "{context}");
            streams.close().unwrap();
        }
    }
    assert!(lost[0] > 100 && lost[1] == 0 && lost[2] > 1000, "{lost:?}");
}

#[test]
fn side_files_that_are_gone_or_noise_are_made_anew() {
    let image = image();
    for with_noise in [false, true] {
        let mut damaged = image.clone();
        damaged.retain(|name, octets| {
            if name.ends_with(".index") && with_noise {
                let mut chance = Chance::new(octets.len() as u64);
                octets.iter_mut().for_each(|octet| *octet = chance.below(256) as u8);
            }
            with_noise || !name.ends_with(".index")
        });
        let disk = SimulatedDisk::from_image(damaged, 1);
        let streams = open_on(&disk);
        let (stream, recovered) = stream(&streams, settings(600));
        assert!(recovered.damage.is_empty() && recovered.torn.is_empty());
        assert_eq!(check(&stream), 0);
        for number in 0..MESSAGES as u64 {
            let mut reader = stream.reader(Start::Offset(number)).unwrap();
            let first = reader.next_chunk().unwrap().unwrap();
            assert_eq!(first.first_offset(), number / 2 * 2);
            let mut reader = stream.reader(Start::Timestamp(number as i64)).unwrap();
            let first = reader.next_chunk().unwrap().map(|chunk| chunk.first_offset());
            assert_eq!(first, Some(number.div_ceil(2) * 2).filter(|at| *at < MESSAGES as u64));
        }
        streams.close().unwrap();
        let indexes = disk.after_exit().keys().filter(|name| name.ends_with(".index")).count();
        assert!(indexes >= 3, "{indexes}");
    }
}

#[test]
fn files_that_were_cut_short_or_are_noise_harm_nothing_else() {
    let image = image();
    let mut chance = Chance::new(1);
    for _ in 0..400 {
        let mut damaged = image.clone();
        let at = chance.below(image.len() as u64) as usize;
        let octets = damaged.values_mut().nth(at).unwrap();
        let from = chance.below(octets.len() as u64) as usize;
        match chance.below(3) {
            0 => octets.truncate(from),
            1 => octets[from..].iter_mut().for_each(|octet| *octet = chance.below(256) as u8),
            _ => octets.iter_mut().for_each(|octet| *octet = chance.below(2) as u8 * 0x50),
        }
        verify_streams(&SimulatedDisk::from_image(damaged.clone(), 1), &|_| false).unwrap();
        let Opened { stream, streams, .. } = open(damaged);
        check(&stream);
        for number in 0..MESSAGES as u64 + 2 {
            for start in [Start::Offset(number), Start::Timestamp(number as i64), Start::Last] {
                rest(&mut stream.reader(start).unwrap());
            }
        }
        stream.chunk_ids().unwrap();
        put(&stream, 0, &["more"]);
        let last = rest(&mut stream.reader(Start::Last).unwrap());
        assert_eq!(last.last().map(|(_, message)| message.as_str()), Some("more"));
        streams.close().unwrap();
    }
}

#[test]
fn octets_that_look_like_records_are_none() {
    let disk = SimulatedDisk::new(1);
    let streams = open_on(&disk);
    let (stream, _) = stream(&streams, settings(100_000));
    put(&stream, 0, &["first"]);
    streams.close().unwrap();
    // A message that holds the octets of a whole segment.
    let file = disk.after_exit().into_iter().find(|(name, _)| name.ends_with(".chunks")).unwrap().1;
    let streams = open_on(&disk);
    let (stream, _) = crate::support::stream(&streams, settings(100_000));
    let mut batch = leveret_storage::StreamBatch::new();
    batch.message(&file).unwrap();
    batch.message(b"after").unwrap();
    stream.append(&batch, 0, nothing()).unwrap();
    streams.close().unwrap();
    let mut image = disk.after_exit();
    let octets = image.values_mut().find(|octets| octets.len() > 600).unwrap();
    // The head of the record that holds it.
    let at = octets.windows(5).rposition(|part| part == b"after").unwrap();
    let head = octets[..at].windows(2).position(|part| part == [0x50, 0]).unwrap();
    octets[head] = 0;
    let streams = open_on(&SimulatedDisk::from_image(image, 1));
    let (stream, _) = crate::support::stream(&streams, settings(100_000));
    let mut reader = stream.reader(Start::First).unwrap();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        for entry in &chunk {
            assert!(matches!(entry, ChunkEntry::Message { offset, .. } if offset > 0));
        }
    }
}
