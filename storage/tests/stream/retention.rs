//! What of a stream is kept.

use std::sync::Arc;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{Retention, Start, Stream, StreamSettings, Streams};

use crate::support::{ID, numbered, open_on, put, read, rest, settings, stream};

/// In memory, and on a disk, which is looked at afterwards.
fn everywhere(test: impl Fn(&Streams, Option<&SimulatedDisk>)) {
    test(&Streams::in_memory(), None);
    let disk = SimulatedDisk::new(1);
    test(&open_on(&disk), Some(&disk));
}

fn fill(stream: &Arc<Stream>, messages: std::ops::Range<i64>) {
    for number in messages {
        put(stream, number * 1000, &[&format!("{number:0100}")]);
    }
}

fn kept(stream: &Arc<Stream>, messages: i64) -> i64 {
    let found = read(stream, Start::First);
    let first = found.first().map_or(messages, |(offset, _)| *offset as i64);
    let expected: Vec<_> = (first..messages).map(|n| (n as u64, format!("{n:0100}"))).collect();
    assert_eq!(found, expected);
    assert_eq!(stream.first_offset() as i64, first);
    assert_eq!(stream.usage().messages as i64, messages - first);
    first
}

#[test]
fn the_oldest_segments_go_when_there_is_too_much() {
    everywhere(|streams, disk| {
        let retention = Retention { max_octets: Some(1000), max_age_ms: None };
        let (stream, _) = stream(streams, StreamSettings { retention, ..settings(300) });
        fill(&stream, 0..20);
        let first = kept(&stream, 20);
        assert!((14..18).contains(&first), "{first}");
        assert!(stream.usage().octets <= 1000);
        let at_zero = read(&stream, Start::Offset(0));
        assert_eq!(at_zero.first().map(|(offset, _)| *offset as i64), Some(first));
        assert_eq!(put(&stream, 20_000, &["next"]).first_offset, 20);
        if let Some(disk) = disk {
            let octets: usize = disk.after_exit().values().map(Vec::len).sum();
            assert!(octets < 5_000, "{octets}");
        }
    });
}

#[test]
fn what_is_too_old_goes_but_never_the_segment_that_is_being_written() {
    everywhere(|streams, _| {
        let retention = Retention { max_octets: None, max_age_ms: Some(5_000) };
        let (stream, _) = stream(streams, StreamSettings { retention, ..settings(300) });
        fill(&stream, 0..4);
        assert_eq!(kept(&stream, 4), 0);
        let next = stream.retain(5_000).unwrap().unwrap();
        assert_eq!(kept(&stream, 4), 0);
        assert!((6_000..=6_501).contains(&next), "{next}");
        assert!(stream.retain(next - 1).unwrap() == Some(next));
        stream.retain(next).unwrap();
        let first = kept(&stream, 4);
        assert!(first > 0);
        assert_eq!(stream.retain(1_000_000).unwrap(), None);
        assert_eq!(stream.usage().segments, 1);
        fill(&stream, 4..5);
        assert_eq!(stream.retain(1_000_000).unwrap(), None);
        assert!(kept(&stream, 5) <= 4);
    });
}

#[test]
fn a_reader_that_is_behind_goes_on_at_the_first_there_is() {
    everywhere(|streams, _| {
        let (stream, _) = stream(streams, settings(300));
        fill(&stream, 0..10);
        let mut reader = stream.reader(Start::First).unwrap();
        assert_eq!(reader.next_chunk().unwrap().unwrap().first_offset(), 0);
        let retention = Retention { max_octets: Some(500), max_age_ms: None };
        stream.set_settings(StreamSettings { retention, ..settings(300) });
        assert_eq!(stream.retain(0).unwrap(), None);
        let first = kept(&stream, 10);
        assert!(first > 2);
        let found = rest(&mut reader);
        let next = found.iter().map(|(offset, _)| *offset as i64).find(|offset| *offset >= first);
        assert_eq!(next, Some(first));
        assert_eq!(found.last().map(|(offset, _)| *offset), Some(9));
    });
}

#[test]
fn the_smallest_segments_hold_a_chunk_each() {
    everywhere(|streams, _| {
        let (stream, _) = stream(streams, settings(0));
        for number in 0..5 {
            put(&stream, 0, &[&number.to_string()]);
        }
        assert_eq!(read(&stream, Start::First), numbered(&["0", "1", "2", "3", "4"], 0));
        assert_eq!(stream.usage().segments, 6);
    });
}

#[test]
fn a_deleted_stream_frees_the_disk() {
    let disk = SimulatedDisk::new(1);
    let streams = open_on(&disk);
    let (stream, _) = stream(&streams, settings(300));
    fill(&stream, 0..10);
    assert_eq!(streams.ids(), [ID]);
    streams.delete(ID);
    assert!(streams.ids().is_empty());
    streams.close().unwrap();
    assert!(disk.after_exit().is_empty());
    assert!(disk.after_power_cut().is_empty());
}

#[test]
fn a_stream_that_nobody_opened_can_be_deleted() {
    let disk = SimulatedDisk::new(1);
    let streams = open_on(&disk);
    fill(&stream(&streams, settings(300)).0, 0..10);
    streams.close().unwrap();
    let streams = open_on(&disk);
    assert_eq!(streams.ids(), [ID]);
    streams.delete(ID);
    assert!(disk.after_exit().is_empty());
    assert_eq!(read(&stream(&streams, settings(300)).0, Start::First), []);
}

#[test]
fn offsets_are_never_used_again_though_everything_has_gone() {
    let disk = SimulatedDisk::new(1);
    let streams = open_on(&disk);
    let retention = Retention { max_octets: None, max_age_ms: Some(1) };
    let settings = StreamSettings { retention, ..settings(100) };
    fill(&stream(&streams, settings).0, 0..3);
    stream(&streams, settings).0.retain(1_000_000).unwrap();
    streams.close().unwrap();
    let disk = SimulatedDisk::from_image(disk.after_power_cut(), 1);
    let streams = open_on(&disk);
    let (stream, _) = stream(&streams, settings);
    assert_eq!(stream.usage().messages, 0);
    assert_eq!(read(&stream, Start::First), []);
    assert_eq!(put(&stream, 0, &["next"]).first_offset, 3);
}

#[test]
fn what_is_larger_than_all_that_may_be_kept_stays_until_there_is_more() {
    everywhere(|streams, _| {
        let retention = Retention { max_octets: Some(1000), max_age_ms: None };
        let (stream, _) = stream(streams, StreamSettings { retention, ..settings(300) });
        let large = "x".repeat(3000);
        put(&stream, 0, &[&large]);
        stream.retain(0).unwrap();
        assert_eq!(read(&stream, Start::First), numbered(&[&large], 0));
        put(&stream, 0, &["next"]);
        stream.retain(0).unwrap();
        assert_eq!(read(&stream, Start::First), numbered(&["next"], 1));
    });
}
