//! What is appended behind a gate is written when that is opened, and not before.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{Done, Error, Gate, Start, Stream, StreamBatch, Streams};

use crate::support::{Chance, nothing, numbered, open_on, put, read, settings, stream};

fn batch(messages: &[&str]) -> StreamBatch {
    let mut batch = StreamBatch::new();
    messages.iter().for_each(|message| batch.message(message.as_bytes()).unwrap());
    batch
}

fn told() -> (Done, Receiver<leveret_storage::Result<()>>) {
    let (sender, receiver) = channel();
    (Box::new(move |result| drop(sender.send(result))), receiver)
}

/// Appends so much behind a gate that the streams are behind.
fn gated_large(stream: &Arc<Stream>) -> (Gate, Receiver<leveret_storage::Result<()>>) {
    gated(stream, &"x".repeat(30_000))
}

/// Appends behind a gate.
fn gated(stream: &Arc<Stream>, message: &str) -> (Gate, Receiver<leveret_storage::Result<()>>) {
    let (done, receiver) = told();
    let next = stream.next_offset();
    let (appended, gate) = stream.append_gated(&batch(&[message]), 0, done).unwrap();
    assert_eq!((appended.first_offset, appended.next_offset), (next, next + 1));
    (gate, receiver)
}

/// What a stream has after a power cut.
fn survives(disk: &SimulatedDisk) -> Vec<(u64, String)> {
    let disk = SimulatedDisk::from_image(disk.after_power_cut(), 3);
    let streams = open_on(&disk);
    let (stream, recovered) = stream(&streams, settings(1000));
    assert!(recovered.damage.is_empty(), "{recovered:?}");
    read(&stream, Start::First)
}

#[test]
fn what_is_behind_a_closed_gate_is_not_written() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (log, _) = stream(&streams, settings(1000));
    let other = streams.stream(8, settings(1000)).unwrap().0;
    put(&log, 0, &["a"]);
    let (gate, letter) = gated(&log, "b");
    let (done, behind) = told();
    log.append(&batch(&["c"]), 0, done).unwrap();
    log.store_offset("name", 1, None).unwrap();
    // Another stream is written meanwhile, by the same thread.
    let _ = put(&other, 0, &["x"]);
    let _ = put(&other, 0, &["x"]);
    assert_eq!((log.committed_offset(), log.next_offset()), (1, 3));
    assert_eq!((letter.try_recv(), behind.try_recv()).0.unwrap_err(), TryRecvError::Empty);
    assert_eq!(read(&log, Start::First), numbered(&["a"], 0));
    assert_eq!(survives(&disk), numbered(&["a"], 0));
    gate.open();
    behind.recv().unwrap().unwrap();
    letter.try_recv().unwrap().unwrap();
    assert_eq!(read(&log, Start::First), numbered(&["a", "b", "c"], 0));
    assert_eq!(survives(&disk), numbered(&["a", "b", "c"], 0));
    assert!(!streams.is_behind());
    streams.close().unwrap();
    let again = open_on(&SimulatedDisk::from_image(disk.after_power_cut(), 3));
    assert_eq!(stream(&again, settings(1000)).0.stored_offset("name"), Some(1));
}

#[test]
fn what_is_before_a_closed_gate_is_written() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (log, _) = stream(&streams, settings(1000));
    let (first, _) = gated(&log, "a");
    let (second, b) = gated(&log, "b");
    first.open();
    // It took nothing more from then on.
    let (third, c) = gated(&log, "c");
    second.open();
    b.recv().unwrap().unwrap();
    assert_eq!(survives(&disk), numbered(&["a", "b"], 0));
    assert_eq!(c.try_recv().unwrap_err(), TryRecvError::Empty);
    third.open();
    c.recv().unwrap().unwrap();
    assert_eq!(survives(&disk), numbered(&["a", "b", "c"], 0));
}

#[test]
fn gates_may_be_opened_in_any_order() {
    for seed in 0..200 {
        let disk = SimulatedDisk::new(seed);
        let streams = open_on(&disk);
        let (log, _) = stream(&streams, settings(600));
        let (mut chance, mut gates, mut all) = (Chance::new(seed), Vec::new(), Vec::new());
        for number in 0..60 {
            let message = format!("message {number}");
            if chance.one_in(2) {
                let (gate, _) = gated(&log, &message);
                gates.push((all.len() as u64, gate));
            } else {
                log.append(&batch(&[&message]), 0, nothing()).unwrap();
            }
            all.push(message);
            if chance.one_in(3) && !gates.is_empty() {
                gates.swap_remove(chance.below(gates.len() as u64) as usize).1.open();
            }
            let closed = gates.iter().map(|(offset, _)| *offset).min().unwrap_or(u64::MAX);
            assert!(log.committed_offset() <= closed, "seed {seed}");
        }
        while !gates.is_empty() {
            gates.swap_remove(chance.below(gates.len() as u64) as usize).1.open();
        }
        streams.close().unwrap();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(survives(&disk), numbered(&all, 0), "seed {seed}");
    }
}

#[test]
fn a_gate_that_is_dropped_loses_what_is_behind_it_alone() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (log, _) = stream(&streams, settings(1000));
    let (first, a) = gated(&log, "a");
    first.open();
    a.recv().unwrap().unwrap();
    let (second, b) = gated(&log, "b");
    let (third, c) = gated_large(&log);
    let (done, behind) = told();
    streams.barrier(done);
    assert!(streams.is_behind());
    drop(second);
    third.open();
    for waiting in [b, c, behind] {
        assert!(matches!(waiting.recv().unwrap(), Err(Error::Failed)));
    }
    let (done, after) = told();
    assert!(matches!(log.append(&batch(&["d"]), 0, done), Err(Error::Closed)));
    assert!(after.recv().unwrap().is_err());
    streams.close().unwrap();
    assert!(!streams.is_behind());
    assert_eq!(survives(&disk), numbered(&["a"], 0));
}

#[test]
fn what_is_behind_a_gate_when_the_streams_are_closed_has_failed() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (log, _) = stream(&streams, settings(1000));
    put(&log, 0, &["a"]);
    let (gate, letter) = gated_large(&log);
    assert!(streams.is_behind());
    streams.close().unwrap();
    assert!(matches!(letter.recv().unwrap(), Err(Error::Failed)));
    gate.open();
    assert!(!streams.is_behind());
    assert_eq!(survives(&disk), numbered(&["a"], 0));
}

#[test]
fn a_stream_that_is_deleted_asks_for_no_gate() {
    let disk = SimulatedDisk::new(3);
    let streams = open_on(&disk);
    let (log, _) = stream(&streams, settings(1000));
    let (before, letter) = gated_large(&log);
    assert!(streams.is_behind());
    streams.end(log.id());
    let (done, late) = told();
    let (_, after) = log.append_gated(&batch(&["b"]), 0, done).unwrap();
    drop(after);
    assert_eq!(late.try_recv().unwrap_err(), TryRecvError::Empty);
    streams.delete(log.id());
    letter.recv().unwrap().unwrap();
    late.recv().unwrap().unwrap();
    before.open();
    assert!(!streams.is_behind());
}

#[test]
fn streams_in_memory_have_gates() {
    let streams = Streams::in_memory();
    let (log, _) = stream(&streams, settings(1000));
    let (gate, letter) = gated(&log, "a");
    put_behind(&log);
    assert_eq!((log.committed_offset(), log.next_offset()), (0, 2));
    gate.open();
    letter.try_recv().unwrap().unwrap();
    assert_eq!(read(&log, Start::First), numbered(&["a", "b"], 0));
}

fn put_behind(log: &Arc<Stream>) {
    let (done, behind) = told();
    log.append(&batch(&["b"]), 0, done).unwrap();
    assert_eq!(behind.try_recv().unwrap_err(), TryRecvError::Empty);
}
