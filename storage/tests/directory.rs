//! The data directory and the records in it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use leveret_storage::{
    Batch, DataDirectory, DefinitionKind, Error, Key, LogBatch, LogOptions, MessageStore, Prefix,
    RECORD_MAX, Store, Target, commit, scan,
};

#[test]
fn one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let first = DataDirectory::open(directory.path()).unwrap();
    let second = DataDirectory::open(directory.path());
    assert!(matches!(second, Err(Error::Locked(path)) if path == directory.path()));
    drop(first);
    DataDirectory::open(directory.path()).unwrap();
    fs::write(directory.path().join("format"), "2\n").unwrap();
    let newer = DataDirectory::open(directory.path());
    assert!(matches!(newer, Err(Error::Format { found, known: 1 }) if found == "2"));
}

#[test]
fn records_and_messages_are_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target { queue: 1, sequence: 3 };
    {
        let data = DataDirectory::open(directory.path()).unwrap();
        let records = data.records().unwrap();
        assert!(matches!(data.records(), Err(Error::Locked(_))));
        let mut batch = Batch::new();
        batch.put(Key::definition(DefinitionKind::Queue, ["/", "q"]), "durable");
        let receipt = records.commit(batch).unwrap();
        assert!(records.flush().unwrap() >= receipt);
        let mut batch = Batch::new();
        batch.put(Key::definition(DefinitionKind::User, ["u"]), vec![0; RECORD_MAX + 1]);
        assert!(matches!(records.commit(batch), Err(Error::TooLarge)));

        let options = LogOptions::default().segment_octets(1 << 20);
        let (log, recovered) = data.log(options).unwrap();
        assert!(recovered.clean);
        let mut batch = LogBatch::new();
        batch.message(&[target], b"", &[b"payload"]).unwrap();
        commit(&log, batch).unwrap();
    }
    let data = DataDirectory::open(directory.path()).unwrap();
    let records = data.records().unwrap();
    assert_eq!(scan(&records, Prefix::everything()).count(), 1);
    let (log, recovered) = data.log(LogOptions::default()).unwrap();
    assert!(recovered.clean, "it was closed when it was dropped");
    assert_eq!(&*log.read(target).unwrap().unwrap().payload, b"payload");
}
