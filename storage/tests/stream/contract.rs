//! What a stream does, in memory, on a simulated and on a real disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{
    ChunkEntry, ChunkFilter, ChunkIds, Content, Durability, Error, NewEntry, RealDisk, Start,
    StreamBatch, StreamOptions, Streams, SubBatch,
};

use crate::support::{
    ID, append, filtered, messages, nothing, numbered, open_on, options, put, read, rest, settings,
    stream,
};

/// Runs a test on every kind of store.
fn everywhere(test: impl Fn(&Streams)) {
    test(&Streams::in_memory());
    test(&open_on(&SimulatedDisk::new(1)));
    let directory = tempfile::tempdir().unwrap();
    for (name, durability) in [("a", Durability::Fsync), ("b", Durability::Buffered)] {
        let disk = Arc::new(RealDisk::new(directory.path().join(name)).unwrap());
        test(&Streams::open(disk, options().durability(durability)).unwrap());
    }
}

#[test]
fn messages_are_read_from_every_place() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(400));
        assert_eq!(read(&stream, Start::First), []);
        assert_eq!(read(&stream, Start::Last), []);
        assert_eq!(stream.chunk_ids().unwrap(), None);
        let mut tail = stream.reader(Start::Next).unwrap();
        let all: Vec<String> = (0..30).map(|number| format!("message {number}")).collect();
        for (at, message) in all.iter().enumerate() {
            let appended = put(&stream, 1000 + at as i64 * 10, &[message]);
            assert_eq!((appended.first_offset, appended.next_offset), (at as u64, at as u64 + 1));
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let from = |offset: usize| numbered(&all[offset..], offset as u64);
        assert!(stream.usage().segments > 3, "{:?}", stream.usage());
        assert_eq!(stream.usage().messages, 30);
        assert_eq!(rest(&mut tail), from(0));
        assert_eq!(read(&stream, Start::First), from(0));
        assert_eq!(read(&stream, Start::Last), from(29));
        assert_eq!(read(&stream, Start::Next), []);
        for offset in 0..30 {
            assert_eq!(read(&stream, Start::Offset(offset as u64)), from(offset));
            let time = 1000 + offset as i64 * 10;
            assert_eq!(read(&stream, Start::Timestamp(time)), from(offset), "at {time}");
            assert_eq!(read(&stream, Start::Timestamp(time - 3)), from(offset));
        }
        assert_eq!(read(&stream, Start::Timestamp(-5)), from(0));
        assert_eq!(read(&stream, Start::Timestamp(1291)), []);
        assert_eq!(read(&stream, Start::Offset(30)), []);
        assert_eq!(stream.chunk_ids().unwrap(), Some(ChunkIds { first: 0, last: 29 }));
        assert_eq!((stream.first_offset(), stream.committed_offset()), (0, 30));
    });
}

#[test]
fn an_offset_that_is_not_there_yet_is_waited_for_at_the_end() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(10_000));
        put(&stream, 0, &["a", "b"]);
        let mut reader = stream.reader(Start::Offset(4)).unwrap();
        assert_eq!((reader.start_offset(), reader.next_offset()), (4, 2));
        assert!(reader.next_chunk().unwrap().is_none());
        put(&stream, 0, &["c", "d", "e"]);
        assert_eq!(rest(&mut reader), numbered(&["c", "d", "e"], 2));
    });
}

#[test]
fn what_is_appended_together_is_split_over_chunks_and_put_together_again() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(100_000));
        let all: Vec<String> = (0..2000_usize).map(|n| "x".repeat(n % 97)).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for part in all.chunks(500) {
            put(&stream, 5, part);
        }
        let found = read(&stream, Start::First);
        let expected = numbered(&all, 0);
        let wrong = found.iter().zip(&expected).position(|(found, expected)| found != expected);
        assert_eq!((found.len(), wrong), (2000, None));
        let long = "y".repeat(20_000);
        put(&stream, 5, &["", &long, "z"]);
        assert_eq!(read(&stream, Start::Offset(2000)), numbered(&["", &long, "z"], 2000));
        assert_eq!(read(&stream, Start::Offset(2002)), numbered(&["z"], 2002));
    });
}

#[test]
fn a_chunk_after_a_full_one_may_hold_twice_as_many() {
    let disk = Arc::new(SimulatedDisk::new(1));
    let on_disk = Streams::open(disk, StreamOptions::default()).unwrap();
    for streams in [Streams::in_memory(), on_disk] {
        let (stream, _) = stream(&streams, settings(100_000));
        let texts = vec!["x"; 500];
        let sizes = |from| {
            let mut reader = stream.reader(Start::Offset(from)).unwrap();
            let mut sizes = Vec::new();
            while let Some(chunk) = reader.next_chunk().unwrap() {
                sizes.push(chunk.entries());
            }
            sizes
        };
        put(&stream, 0, &texts);
        assert_eq!(sizes(0), [32, 64, 128, 256, 20]);
        put(&stream, 0, &texts[..300]);
        assert_eq!(sizes(500), [256, 44], "and after one that is not full half as many");
        for _ in 0..3 {
            put(&stream, 0, &["x"]);
        }
        put(&stream, 0, &texts[..100]);
        assert_eq!(sizes(803), [32, 64, 4]);
    }
}

#[test]
fn chunks_are_as_the_stream_protocol_has_them() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(100_000));
        put(&stream, 1_234_567, &["first"]);
        let mut batch = StreamBatch::new();
        let octets = b"\0\0\0\x02ab\0\0\0\x01c";
        let sub_batch = SubBatch { compression: 0, records: 2, uncompressed_octets: 11, octets };
        let content = Content::SubBatch(sub_batch);
        batch.push(NewEntry { publishing_id: 0, filter: None, content }).unwrap();
        batch.push(filtered(&[b"la", b"st"], "v")).unwrap();
        let appended = append(&stream, &batch, 1_234_000).unwrap();
        assert_eq!((appended.first_offset, appended.next_offset, appended.entries), (1, 4, 2));
        let mut reader = stream.reader(Start::Offset(2)).unwrap();
        let chunk = reader.next_chunk().unwrap().unwrap();
        assert_eq!((chunk.first_offset(), chunk.next_offset()), (1, 4));
        assert_eq!((chunk.entries(), chunk.records()), (2, 3));
        assert_eq!(chunk.timestamp_ms(), 1_234_567, "time does not go back");
        let mut expected = vec![0x50, 0, 0, 2, 0, 0, 0, 3];
        expected.extend(1_234_567_u64.to_be_bytes());
        expected.extend(1_u64.to_be_bytes());
        expected.extend(1_u64.to_be_bytes());
        let mut data = vec![0x80, 0, 2, 0, 0, 0, 11, 0, 0, 0, 11];
        data.extend(octets);
        data.extend(b"\0\0\0\x04last");
        expected.extend(crc32fast::hash(&data).to_be_bytes());
        expected.extend((data.len() as u32).to_be_bytes());
        expected.extend([0, 0, 0, 0, 16, 0, 0, 0]);
        expected.extend(&data);
        assert_eq!(chunk.octets()[..], expected);
        let entries: Vec<_> = chunk.iter().collect();
        let message = ChunkEntry::Message { offset: 3, octets: b"last" };
        assert_eq!(entries, [ChunkEntry::SubBatch { offset: 1, batch: sub_batch }, message]);
        let inside: Vec<_> = sub_batch.messages().unwrap().collect();
        assert_eq!(inside, [b"ab".as_slice(), b"c"]);
        assert!(SubBatch { compression: 1, ..sub_batch }.messages().is_none());
        let mut entries = chunk.iter();
        entries.next();
        let later: Vec<_> = chunk.iter_from(entries.position()).collect();
        assert_eq!(later, [message]);
    });
}

#[test]
fn chunks_are_left_out_by_filter_values() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(100_000));
        for (message, value) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("none", "")] {
            let mut batch = StreamBatch::new();
            batch.push(filtered(&[message.as_bytes()], value)).unwrap();
            append(&stream, &batch, 0).unwrap();
        }
        let read = |filter: &ChunkFilter| {
            let mut reader = stream.reader(Start::First).unwrap();
            let mut found = Vec::new();
            while let Some(chunk) = reader.next_matching(filter).unwrap() {
                found.extend(messages(&chunk).into_iter().map(|(_, message)| message));
            }
            assert_eq!(reader.next_offset(), 4);
            found
        };
        assert_eq!(read(&ChunkFilter::new(["a"], false)), ["a1", "a2"]);
        assert_eq!(read(&ChunkFilter::new(["b"], true)), ["b1", "none"]);
        assert_eq!(read(&ChunkFilter::new(["a", "b"], false)), ["a1", "b1", "a2"]);
        assert_eq!(read(&ChunkFilter::new(["c"], false)), Vec::<String>::new());
        assert_eq!(read(&ChunkFilter::default()).len(), 4);
    });
}

fn published(reference: &str, ids: &[u64]) -> StreamBatch {
    let mut batch = StreamBatch::from_publisher(reference).unwrap();
    for id in ids {
        let message = format!("{reference} {id}");
        let content = Content::Message(&[message.as_bytes()]);
        batch.push(NewEntry { publishing_id: *id, filter: None, content }).unwrap();
    }
    batch
}

#[test]
fn a_publisher_sends_nothing_twice() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(500));
        assert_eq!(stream.publisher_sequence("p"), None);
        let mut all = Vec::new();
        for ids in [&[5, 6][..], &[6, 5], &[3, 7], &[], &[7], &[8, 8, 9]] {
            let appended = append(&stream, &published("p", ids), 0).unwrap();
            assert_eq!(appended.entries + appended.duplicates, ids.len());
            all.push(appended.entries);
        }
        assert_eq!(all, [2, 0, 1, 0, 0, 2]);
        append(&stream, &published("q", &[1]), 0).unwrap();
        let found: Vec<_> = read(&stream, Start::First).into_iter().map(|(_, m)| m).collect();
        assert_eq!(found, ["p 5", "p 6", "p 7", "p 8", "p 9", "q 1"]);
        assert_eq!(stream.publisher_sequence("p"), Some(9));
        assert_eq!(stream.publisher_sequence("q"), Some(1));
        assert!(matches!(StreamBatch::from_publisher(&"p".repeat(256)), Err(Error::TooLarge)));
    });
}

#[test]
fn a_publisher_with_many_messages_is_split_over_chunks() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(2000));
        let ids: Vec<u64> = (0..300).map(|number| number / 3 + number % 2).collect();
        append(&stream, &published("p", &ids), 0).unwrap();
        let mut highest = None;
        let mut expected = Vec::new();
        for id in ids {
            if highest.is_none_or(|highest| id > highest) {
                highest = Some(id);
                expected.push(format!("p {id}"));
            }
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(read(&stream, Start::First), numbered(&expected, 0));
    });
}

#[test]
fn offsets_are_kept_by_name_and_use_up_none() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(500));
        put(&stream, 0, &["a"]);
        stream.store_offset("reader", 0, None).unwrap();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let done = Box::new(move |result| sender.send(result).unwrap());
        stream.store_offset("other", 9, Some(done)).unwrap();
        receiver.recv().unwrap().unwrap();
        stream.store_offset("reader", 4, None).unwrap();
        stream.store_offset("third", 1, None).unwrap();
        stream.forget_offset("third", None).unwrap();
        assert_eq!(stream.stored_offset("reader"), Some(4));
        assert_eq!(stream.stored_offset("third"), None);
        assert_eq!(stream.stored_offsets(), [("other".into(), 9), ("reader".into(), 4)]);
        assert_eq!(put(&stream, 0, &["b"]).first_offset, 1);
        assert_eq!(read(&stream, Start::First), numbered(&["a", "b"], 0));
        let long = "n".repeat(256);
        assert!(matches!(stream.store_offset(&long, 1, None), Err(Error::TooLarge)));
    });
}

#[test]
fn an_append_may_expect_an_offset() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(500));
        let mut batch = StreamBatch::new();
        batch.message(b"a").unwrap();
        batch.expect(0);
        append(&stream, &batch, 0).unwrap();
        let refused = append(&stream, &batch, 0);
        assert!(matches!(refused, Err(Error::UnexpectedOffset { expected: 0, next: 1 })));
        batch.expect(1);
        append(&stream, &batch, 0).unwrap();
        assert_eq!(read(&stream, Start::First), numbered(&["a", "a"], 0));
    });
}

#[test]
fn watchers_hear_of_commits_and_of_the_end() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(500));
        let calls = Arc::new(AtomicUsize::new(0));
        let count = calls.clone();
        let id = stream.watch(Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        put(&stream, 0, &["a"]);
        let mut reader = stream.reader(Start::First).unwrap();
        assert_eq!(rest(&mut reader).len(), 1);
        while calls.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        streams.delete(ID);
        assert!(stream.is_deleted());
        let before = calls.load(Ordering::SeqCst);
        append(&stream, &StreamBatch::new(), 0).unwrap();
        put(&stream, 0, &["gone"]);
        assert!(reader.next_chunk().unwrap().is_none());
        while calls.load(Ordering::SeqCst) == 1 && before == 1 {
            std::thread::yield_now();
        }
        stream.unwatch(id);
    });
}

#[test]
fn a_closed_stream_takes_nothing() {
    everywhere(|streams| {
        let (stream, _) = stream(streams, settings(500));
        put(&stream, 0, &["a"]);
        streams.close().unwrap();
        let refused = stream.append(&StreamBatch::new(), 0, nothing());
        assert!(matches!(refused, Err(Error::Closed)));
        assert!(stream.store_offset("a", 1, None).is_err());
        assert!(matches!(streams.stream(8, settings(1)), Err(Error::Closed)));
        assert_eq!(read(&stream, Start::First), numbered(&["a"], 0));
    });
}

#[test]
fn many_threads_append_and_read() {
    everywhere(|streams| {
        const WRITERS: usize = 4;
        const MESSAGES: usize = 300;
        let (stream, _) = stream(streams, settings(20_000));
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let stream = stream.clone();
                scope.spawn(move || {
                    for number in 0..MESSAGES {
                        let message = format!("{writer} {number}");
                        if number % 50 == 0 {
                            put(&stream, number as i64, &[&message]);
                        } else {
                            let mut batch = StreamBatch::new();
                            batch.message(message.as_bytes()).unwrap();
                            stream.append(&batch, number as i64, nothing()).unwrap();
                        }
                    }
                    put(&stream, 0, &[&format!("{writer} {MESSAGES}")]);
                });
            }
            for _ in 0..2 {
                let mut reader = stream.reader(Start::First).unwrap();
                scope.spawn(move || {
                    let mut found = Vec::new();
                    while found.len() < WRITERS * (MESSAGES + 1) {
                        found.extend(rest(&mut reader));
                        std::thread::yield_now();
                    }
                    let mut next = [0; WRITERS];
                    for ((offset, message), expected) in found.into_iter().zip(0..) {
                        assert_eq!(offset, expected);
                        let (writer, number) = message.split_once(' ').unwrap();
                        let writer: usize = writer.parse().unwrap();
                        assert_eq!(number.parse::<usize>().unwrap(), next[writer]);
                        next[writer] += 1;
                    }
                });
            }
        });
    });
}
