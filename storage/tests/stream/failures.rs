//! Disks that fail or are full.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{Start, StreamBatch, Streams};

use crate::support::{nothing, numbered, open_on, put, read, settings, stream};

#[test]
fn what_could_not_be_written_is_written_again() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (first, _) = stream(&streams, settings(1000));
    let mut all = Vec::new();
    for number in 0..60_u32 {
        if number.is_multiple_of(7) {
            disk.fail_syncs(1 + number % 3);
        }
        if number.is_multiple_of(11) {
            disk.fail_writes(1 + number % 2);
        }
        let message = format!("message {number}");
        put(&first, 0, &[&message]);
        all.push(message);
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(read(&first, Start::First), numbered(&all, 0));
    let again = SimulatedDisk::from_image(disk.after_power_cut(), 3);
    let (again, recovered) = stream(&open_on(&again), settings(1000));
    assert_eq!(read(&again, Start::First), numbered(&all, 0));
    assert!(recovered.damage.is_empty(), "{recovered:?}");
}

#[test]
fn a_full_disk_confirms_nothing_until_there_is_space() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (stream, _) = stream(&streams, settings(100_000));
    put(&stream, 0, &["before"]);
    disk.limit_space(Some(disk.after_exit().values().map(Vec::len).sum()));
    let (sender, receiver) = sync_channel(1);
    let mut batch = StreamBatch::new();
    batch.message(&[b'x'; 100_000]).unwrap();
    stream.append(&batch, 0, Box::new(move |result| sender.send(result).unwrap())).unwrap();
    while streams.failure().is_none() {
        std::thread::yield_now();
    }
    assert!(streams.is_behind());
    assert!(receiver.try_recv().is_err());
    assert_eq!((stream.committed_offset(), stream.next_offset()), (1, 2));
    assert_eq!(read(&stream, Start::First), numbered(&["before"], 0));
    disk.limit_space(None);
    streams.retry();
    receiver.recv().unwrap().unwrap();
    assert_eq!(stream.committed_offset(), 2);
    while streams.failure().is_some() || streams.is_behind() {
        std::thread::yield_now();
    }
}

#[test]
fn what_is_not_written_when_the_streams_are_closed_has_failed() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (stream, _) = stream(&streams, settings(100_000));
    disk.fail_syncs(u32::MAX);
    let (sender, receiver) = sync_channel(1);
    let mut batch = StreamBatch::new();
    batch.message(b"never").unwrap();
    stream.append(&batch, 0, Box::new(move |result| sender.send(result).unwrap())).unwrap();
    assert!(streams.close().is_err());
    assert!(receiver.recv().unwrap().is_err());
    assert!(!streams.is_behind());
    let (sender, receiver) = sync_channel(1);
    stream.after_committed(Box::new(move |result| sender.send(result).unwrap()));
    assert!(receiver.try_recv().unwrap().is_err(), "who asks only now does not wait for ever");
}

#[test]
fn other_streams_go_on_when_one_is_deleted_while_the_disk_fails() {
    let disk = SimulatedDisk::new(3);
    let streams: Arc<Streams> = Arc::new(open_on(&disk));
    let (doomed, _) = stream(&streams, settings(1000));
    let (other, _) = streams.stream(8, settings(1000)).unwrap();
    disk.fail_syncs(u32::MAX);
    let (sender, receiver) = sync_channel(1);
    let mut batch = StreamBatch::new();
    batch.message(b"gone").unwrap();
    doomed.append(&batch, 0, Box::new(move |result| sender.send(result).unwrap())).unwrap();
    other.append(&batch, 0, nothing()).unwrap();
    while streams.failure().is_none() {
        std::thread::yield_now();
    }
    streams.delete(doomed.id());
    receiver.recv().unwrap().unwrap();
    disk.fail_syncs(0);
    put(&other, 0, &["there"]);
    assert_eq!(read(&other, Start::First), numbered(&["gone", "there"], 0));
}
