//! The data directory and the records in it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use leveret_storage::{
    Batch, DataDirectory, DefinitionKind, Error, Key, LogBatch, LogOptions, MessageStore, Prefix,
    RECORD_MAX, ReadOnlyDirectory, Store, Target, commit, scan,
};

#[test]
fn one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let first = DataDirectory::open(directory.path()).unwrap();
    let second = DataDirectory::open(directory.path());
    assert!(matches!(second, Err(Error::Locked(path)) if path == directory.path()));
    drop(first);
    DataDirectory::open(directory.path()).unwrap();
    fs::write(directory.path().join("format"), "3\n").unwrap();
    let newer = DataDirectory::open(directory.path());
    assert!(matches!(newer, Err(Error::Format { found, known: 2 }) if found == "3"));
}

#[test]
fn records_and_messages_are_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target { queue: 1, sequence: 3 };
    {
        let data = DataDirectory::open(directory.path()).unwrap();
        let (records, report) = data.records(false).unwrap();
        assert!(report.is_new);
        assert!(matches!(data.records(false), Err(Error::Locked(_))));
        let mut batch = Batch::new();
        batch.put(Key::definition(DefinitionKind::Queue, ["/", "q"]), "durable");
        let receipt = records.commit(batch).unwrap();
        assert!(records.flush().unwrap() >= receipt);
        let mut batch = Batch::new();
        batch.put(Key::definition(DefinitionKind::User, ["u"]), vec![0; RECORD_MAX + 1]);
        assert!(matches!(records.commit(batch), Err(Error::TooLarge)));

        let options = LogOptions::default().segment_octets(1 << 20);
        let (log, recovered) = data.log(options, &mut |_, _, _| ()).unwrap();
        assert!(recovered.clean);
        let mut batch = LogBatch::new();
        batch.message(&[target], b"meta", &[b"payload"]).unwrap();
        commit(&log, batch).unwrap();
    }
    let data = DataDirectory::open(directory.path()).unwrap();
    let (records, report) = data.records(false).unwrap();
    assert!(!report.is_new && report.repaired.is_empty());
    assert_eq!(scan(&records, Prefix::everything()).count(), 1);
    let mut found = Vec::new();
    let mut note = |target, octets, meta: &[u8]| found.push((target, octets, meta.to_vec()));
    let (log, recovered) = data.log(LogOptions::default(), &mut note).unwrap();
    assert_eq!(found, [(target, 32 + 20 + 4 + 8, b"meta".to_vec())]);
    assert_eq!((recovered.queues[&1], recovered.queue_max), (4, 1));
    assert!(recovered.clean, "it was closed when it was dropped");
    assert_eq!(&*log.read(target).unwrap().unwrap().payload, b"payload");
}

/// Copies a directory as it is, as the sudden end of the process would leave it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The records in a directory, if it is opened without a repair. Who looks at it before finds
/// nothing wrong.
fn count(path: &Path) -> Result<usize, Error> {
    let (_, findings) = ReadOnlyDirectory::open(path)?.records()?;
    assert!(findings.is_empty(), "{findings:?}");
    let data = DataDirectory::open(path)?;
    let (records, _) = data.records(false)?;
    Ok(scan(&records, Prefix::everything()).count())
}

/// sled reads whatever is called a snapshot, and while it opens its files it writes one under a
/// name of its own before it gives it the one that it should have.
#[test]
fn a_snapshot_that_was_not_finished_is_no_damage() {
    let place = tempfile::tempdir().unwrap();
    let (whole, killed) = (place.path().join("whole"), place.path().join("killed"));
    {
        let data = DataDirectory::open(&whole).unwrap();
        let (records, _) = data.records(false).unwrap();
        let mut batch = Batch::new();
        batch.put(Key::definition(DefinitionKind::Queue, ["/", "q"]), "durable");
        records.commit(batch).unwrap();
        records.flush().unwrap();
        copy(&whole, &killed);
    }
    let opened = place.path().join("opened");
    copy(&killed, &opened);
    assert_eq!(count(&opened).unwrap(), 1);
    let files = tree(&opened.join("records"));
    let is_snapshot = |path: &Path| path.file_name().unwrap().to_str().unwrap().contains("snap.");
    let (name, octets) = files.iter().find(|(path, _)| is_snapshot(path)).unwrap();
    for length in (0..octets.len()).step_by(12).chain([octets.len()]) {
        let again = place.path().join(format!("again-{length}"));
        copy(&killed, &again);
        let name = name.file_name().unwrap().to_str().unwrap();
        let unfinished = again.join("records").join(format!("{name}.generating"));
        fs::write(&unfinished, &octets[..length]).unwrap();
        assert_eq!(count(&again).unwrap(), 1, "{length}");
        assert!(!unfinished.exists());
        fs::remove_dir_all(again).unwrap();
    }
}

/// sled writes its settings in two parts.
#[test]
fn settings_that_were_not_finished_are_no_damage() {
    let place = tempfile::tempdir().unwrap();
    let whole = place.path().join("whole");
    drop(DataDirectory::open(&whole).unwrap().records(false).unwrap());
    let octets = fs::read(whole.join("records").join("conf")).unwrap();
    let path = place.path().join("data");
    drop(DataDirectory::open(&path).unwrap());
    fs::create_dir(path.join("records")).unwrap();
    for length in (0..octets.len()).step_by(4).chain([octets.len()]) {
        fs::write(path.join("records").join("conf.new"), &octets[..length]).unwrap();
        let killed = place.path().join(format!("killed-{length}"));
        copy(&path, &killed);
        assert_eq!(count(&killed).unwrap(), 0, "{length}");
    }
}

/// Names and octets of all files under a directory.
fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn looking_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let not_there = ReadOnlyDirectory::open(&path);
    assert!(matches!(not_there, Err(Error::Io(error)) if error.kind() == ErrorKind::NotFound));
    assert!(!path.exists());
    drop(DataDirectory::open(&path).unwrap());
    let data = ReadOnlyDirectory::open(&path).unwrap();
    assert!(data.log(&mut |_, _, _| ()).unwrap().clean);
    let (records, findings) = data.records().unwrap();
    assert!(
        records.is_empty() && findings.is_empty() && data.verify(&|_| false).unwrap().is_empty()
    );
    assert!(!path.join("log").exists() && !path.join("records").exists());
    drop(data);

    let data = DataDirectory::open(&path).unwrap();
    let (records, _) = data.records(false).unwrap();
    let mut batch = Batch::new();
    batch.put(Key::definition(DefinitionKind::Queue, ["/", "q"]), "durable");
    records.commit(batch).unwrap();
    records.flush().unwrap();
    let (log, _) =
        data.log(LogOptions::default().segment_octets(1 << 16), &mut |_, _, _| ()).unwrap();
    let mut batch = LogBatch::new();
    batch.message(&[Target { queue: 9, sequence: 3 }], b"meta", &[b"payload"]).unwrap();
    batch.deleted(10);
    commit(&log, batch).unwrap();
    assert!(matches!(ReadOnlyDirectory::open(&path), Err(Error::Locked(_))));
    drop((log, records, data));

    let before = tree(&path);
    let data = ReadOnlyDirectory::open(&path).unwrap();
    assert!(matches!(DataDirectory::open(&path), Err(Error::Locked(_))));
    let (records, findings) = data.records().unwrap();
    assert!(findings.is_empty());
    assert_eq!(scan(&records, Prefix::everything()).count(), 1);
    let mut found = Vec::new();
    let recovered = data.log(&mut |target, _, meta| found.push((target, meta.to_vec()))).unwrap();
    assert_eq!(found, [(Target { queue: 9, sequence: 3 }, b"meta".to_vec())]);
    assert!(recovered.clean);
    assert_eq!((recovered.queues.get(&10), recovered.queue_max), (None, 10));
    assert!(data.verify(&|_| false).unwrap().is_empty());
    assert!(tree(&path) == before);
    drop(data);
    fs::remove_file(path.join("catalogue")).unwrap();
    fs::write(path.join("format"), "3\n").unwrap();
    assert!(matches!(ReadOnlyDirectory::open(&path), Err(Error::Format { known: 2, .. })));
}
