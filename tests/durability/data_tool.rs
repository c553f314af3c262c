//! `leveret data`: looks into a directory and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use leveret::{Broker, StreamStart};

use crate::support::*;

fn data(command: &str, directory: &Path, flags: &[&str]) -> Output {
    let leveret = env!("CARGO_BIN_EXE_leveret");
    Command::new(leveret).args(["data", command]).arg(directory).args(flags).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap()
}

/// A directory with two segments and more; and one that was not stopped in order.
fn directories() -> (Directory, Directory) {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    one.queue_declare_with(&quorum("empty")).unwrap();
    for number in 0..200 {
        confirm(&one, persistent("q", &format!("{number:03000}")));
    }
    let crashed = directory.crash();
    drop((one, broker));
    (directory, crashed)
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.append(&mut self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn inspect_tells_what_is_there() {
    let (directory, crashed) = directories();
    let before = files(&directory.path());
    let output = data("inspect", &directory.path(), &[]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for line in [
        "format 2, stopped in order\n",
        "virtual host /\n",
        "queue 'q' (number 1): 200 messages, 600000 octets\n",
        "queue 'empty' (number 2): 0 messages, 0 octets\n",
    ] {
        assert!(told.contains(line), "no {line:?} in:\n{told}");
    }
    let output = data("inspect", &crashed.path(), &["--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["clean"], false);
    let queues = report["virtual_hosts"]["/"]["queues"].as_array().unwrap();
    let queue = queues.iter().find(|queue| queue["name"] == "q").unwrap();
    assert_eq!((&queue["messages"], &queue["body_octets"]), (&200.into(), &600_000.into()));
    assert!(report["segments"]["files"].as_u64().unwrap() >= 2);
    assert!(report["segments"]["live_octets"].as_u64().unwrap() > 600_000);
    assert_eq!(files(&directory.path()), before, "looking changes nothing");
}

#[test]
fn verify_tells_damage_from_a_crash() {
    let (directory, crashed) = directories();
    for sound in [&directory, &crashed] {
        let output = data("verify", &sound.path(), &[]);
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "sound\n"));
    }
    let before = files(&directory.path());
    let path = directory.path().join("log/segment-0000000000000001.log");
    let mut octets = fs::read(&path).unwrap();
    octets[5000] ^= 1;
    fs::write(&path, &octets).unwrap();
    let damaged = files(&directory.path());
    let output = data("verify", &directory.path(), &[]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("log/segment-0000000000000001.log: "), "{told}");
    assert!(told.ends_with(" are damaged\n") && told.lines().count() == 1, "{told}");
    assert_eq!(files(&directory.path()), damaged, "looking changes nothing");
    assert_ne!(damaged, before);
}

#[test]
fn verify_and_the_start_miss_files_that_are_gone() {
    let (directory, crashed) = directories();
    let other = Directory::new();
    let broker = other.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    confirm(&one, persistent("q", "whose?"));
    drop((one, broker));
    let log = |directory: &Directory, name: &str| directory.path().join("log").join(name);
    let first = "segment-0000000000000001.log";
    type Change<'a> = &'a dyn Fn(&Directory);
    let changes: [(&str, Change<'_>); 4] = [
        (first, &|copy| fs::remove_file(log(copy, first)).unwrap()),
        (first, &|copy| fs::write(log(copy, first), "").unwrap()),
        (first, &|copy| assert!(fs::copy(log(&other, first), log(copy, first)).unwrap() > 0)),
        ("manifest", &|copy| fs::remove_dir_all(copy.path().join("log")).unwrap()),
    ];
    for whole in [&directory, &crashed] {
        for (file, change) in changes {
            let copy = whole.crash();
            change(&copy);
            let output = data("verify", &copy.path(), &[]);
            let told = text(&output);
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains(&format!("log/{file}: ")), "{told}");
            let broker = Broker::builder().open(copy.path()).unwrap();
            let recovery = broker.recovery();
            assert!(recovery.damage.iter().any(|damage| damage.file == file), "{recovery:?}");
            let found = bodies(&channel(&broker), "q");
            assert!(found.len() < 200 && !found.contains(&"whose?".to_owned()), "{found:?}");
        }
    }
}

/// A directory with a stream of ten messages, of which somebody has read three.
fn stream_directory() -> Directory {
    let directory = Directory::new();
    let broker = directory.open();
    let declare = durable("events").argument("x-queue-type", "stream");
    channel(&broker).queue_declare_with(&declare).unwrap();
    let events = broker.stream("/", "events").unwrap();
    for number in 0..10 {
        events.append(persistent("events", &format!("event {number}"))).unwrap();
    }
    events.set_offset("audit", 2).unwrap();
    drop((events, broker));
    directory
}

fn chunks(directory: &Directory) -> PathBuf {
    let mut files = files(&directory.path().join("streams")).into_keys();
    files.find(|path| path.extension().is_some_and(|end| end == "chunks")).unwrap()
}

#[test]
fn streams_are_inspected_with_their_offsets() {
    let directory = stream_directory();
    let before = files(&directory.path());
    let told = text(&data("inspect", &directory.path(), &[]));
    let line =
        "stream 'events' (number 1): 10 messages from offset 0 on, the next is 10; 1 segments";
    assert!(told.contains(line) && told.contains("    'audit' is at 2\n"), "{told}");
    let output = data("inspect", &directory.path(), &["--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = &report["virtual_hosts"]["/"]["queues"][0]["stream"];
    assert_eq!((&stream["next_offset"], &stream["offsets"]["audit"]), (&10.into(), &2.into()));
    assert_eq!(files(&directory.path()), before, "looking changes nothing");
}

#[test]
fn a_damaged_chunk_is_told_with_file_and_offset_and_costs_nothing_else() {
    let directory = stream_directory();
    let output = data("verify", &directory.path(), &[]);
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "sound\n"));
    let path = chunks(&directory);
    let mut octets = fs::read(&path).unwrap();
    let at = octets.windows(7).position(|some| some == b"event 4").unwrap();
    octets[at] ^= 1;
    fs::write(&path, &octets).unwrap();
    let output = data("verify", &directory.path(), &[]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("streams/stream-0000000000000001-"), "{told}");
    assert!(told.ends_with(" are damaged\n") && told.lines().count() == 1, "{told}");
    let broker = directory.open();
    let events = broker.stream("/", "events").unwrap();
    let read = events.read(StreamStart::First).unwrap().into_iter();
    let read = read.map(|event| event.unwrap().offset());
    assert_eq!(read.collect::<Vec<_>>(), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    assert_eq!(events.offset("audit"), Some(2));
}

#[test]
fn what_cannot_be_read_is_told() {
    let nothing = Directory::new();
    let (directory, _) = directories();
    let broker = Broker::builder().open(directory.path()).unwrap();
    for (path, reason) in [(nothing.path(), "No such file"), (directory.path(), "in use")] {
        for command in ["inspect", "verify"] {
            let output = data(command, &path, &[]);
            assert_eq!(output.status.code(), Some(2));
            assert!(text(&output).contains(reason), "{}", text(&output));
        }
    }
    drop(broker);
    fs::write(directory.path().join("format"), "99\n").unwrap();
    let output = data("verify", &directory.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "the catalogue tells that this is not so");
    fs::remove_file(directory.path().join("catalogue")).unwrap();
    let output = data("verify", &directory.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("99"), "{}", text(&output));
}
