//! Damage anywhere in a small data directory: opening it never panics, and costs no more than the
//! records that the damage covers.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use leveret::Broker;
use leveret::access::{AccessControl, PasswordHash};

use crate::random::Random;
use crate::support::*;

const MESSAGES: usize = 40;
const CASES: usize = 60;

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn open(directory: &Directory) -> Option<Broker> {
    let opened = catch_unwind(AssertUnwindSafe(|| small().open(directory.path())));
    match opened.expect("opening a damaged directory panics") {
        Ok(broker) => Some(broker),
        Err(error) => {
            assert!(error.to_string().contains("is damaged and was left as it is"), "{error}");
            None
        }
    }
}

fn small() -> leveret::BrokerBuilder {
    builder(START).segment_bytes(8 << 10)
}

/// A directory with numbered messages of 300 octets.
fn directory(stopped: bool) -> Directory {
    let directory = Directory::new();
    let broker = small().open(directory.path()).unwrap();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    for number in 0..MESSAGES {
        confirm(&one, persistent("q", &format!("{number:0300}")));
    }
    if stopped {
        drop((one, broker));
        return directory;
    }
    directory.crash()
}

/// Changes an octet of a file, or cuts its end off.
fn damage(path: &Path, random: &mut Random) -> String {
    let mut octets = fs::read(path).unwrap();
    if octets.is_empty() {
        return "nothing".into();
    }
    let at = random.below(octets.len());
    if random.one_in(4) {
        octets.truncate(at);
    } else {
        octets[at] ^= 1 << random.below(8);
    }
    fs::write(path, &octets).unwrap();
    format!("{} at {at}, {} octets left", path.display(), octets.len())
}

/// The numbers of the messages that are there.
fn numbers(broker: &Broker) -> Vec<usize> {
    if broker.virtual_host("/").is_none_or(|host| host.queue("q").is_err()) {
        return Vec::new();
    }
    bodies(&channel(broker), "q").iter().map(|body| body.parse().unwrap()).collect()
}

#[test]
fn damage_in_the_log_costs_what_it_covers() {
    let mut random = Random::new(11);
    for stopped in [true, false] {
        let whole = directory(stopped);
        let logs = files(&whole.path().join("log")).len();
        for _ in 0..CASES {
            let copy = whole.crash();
            let paths = files(&copy.path().join("log"));
            assert_eq!(paths.len(), logs);
            let path = &paths[random.below(paths.len())];
            let length = fs::metadata(path).unwrap().len();
            let what = damage(path, &mut random);
            let lost_octets = length - fs::metadata(path).unwrap().len();
            // Records of some 400 octets each; a changed octet costs one.
            let most = 1 + usize::try_from(lost_octets).unwrap() / 300;
            let broker = open(&copy).unwrap_or_else(|| panic!("not opened after {what}"));
            let found = numbers(&broker);
            assert!(found.is_sorted(), "{what}: {found:?}");
            assert!(found.len() + most >= MESSAGES, "{what}: only {found:?}");
        }
    }
}

/// The process is killed, or the broker stopped: the first file of a stream is missing, or cut off.
#[test]
fn what_is_missing_of_a_stream_is_reported() {
    for (stopped, length) in [(true, None), (false, None), (true, Some(700)), (false, Some(700))] {
        let directory = Directory::new();
        let broker = small().open(directory.path()).unwrap();
        let one = channel(&broker);
        one.queue_declare_with(&durable("s").argument("x-queue-type", "stream")).unwrap();
        (0..MESSAGES).for_each(|number| confirm(&one, persistent("s", &format!("{number:0300}"))));
        let directory = if stopped {
            drop((one, broker));
            directory
        } else {
            directory.crash()
        };
        let files = files(&directory.path().join("streams"));
        let chunks = files.iter().find(|path| path.extension().is_some_and(|end| end == "chunks"));
        let chunks = chunks.unwrap();
        match length {
            Some(length) => {
                fs::File::options().write(true).open(chunks).unwrap().set_len(length).unwrap();
            }
            None => fs::remove_file(chunks).unwrap(),
        }
        let broker = open(&directory).unwrap();
        let name = chunks.file_name().unwrap().to_str().unwrap();
        let damage = format!("{:?}", broker.recovery());
        assert!(damage.contains(name), "{name}: {damage}");
        // And it goes on, behind what was lost.
        let one = channel(&broker);
        confirm(&one, persistent("s", "after"));
        assert!(broker.counts("s").unwrap().ready > 0);
    }
}

#[test]
fn damage_to_definitions_is_refused_and_repaired_without_loss() {
    let mut random = Random::new(12);
    for stopped in [true, false] {
        let whole = directory(stopped);
        for _ in 0..CASES {
            let copy = whole.crash();
            let mut paths = files(&copy.path().join("records"));
            paths.extend(["catalogue", "format"].map(|name| copy.path().join(name)));
            let what = damage(&paths[random.below(paths.len())], &mut random);
            let broker = open(&copy).unwrap_or_else(|| {
                let broker = small().repair(true).open(copy.path());
                let broker = broker.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(!broker.recovery().repaired.is_empty(), "{what}");
                broker
            });
            let recovery = broker.recovery();
            assert!(!recovery.is_new && recovery.left_out.is_empty(), "{what}: {recovery:?}");
            assert_eq!(numbers(&broker).len(), MESSAGES, "{what}");
        }
    }
}

#[test]
fn the_default_user_is_created_in_a_new_directory_alone() {
    let directory = Directory::new();
    let broker = small().open(directory.path()).unwrap();
    broker.access().users.remove("guest");
    drop(broker);
    let broker = small().open(directory.path()).unwrap();
    assert!(broker.access().users.list().is_empty());
    assert_eq!(broker.connect().map(drop).unwrap_err().reply_code(), 530);
}

#[test]
fn users_that_were_prepared_for_a_new_directory_are_created_in_one_alone() {
    let directory = Directory::new();
    let open = || {
        let users = AccessControl::new([]);
        users.add_administrator("first".into(), PasswordHash::new("pass", [1; 4]), "/".into());
        let none = AccessControl::new([]);
        small().access(none, "first").access_if_new(users).open(directory.path()).unwrap()
    };
    let broker = open();
    broker.connect().unwrap();
    broker.access().users.remove("first");
    drop(broker);
    assert!(open().access().users.list().is_empty());
}

#[test]
fn definitions_of_which_no_copy_can_be_read_are_named_and_nobody_is_made_up() {
    let directory = Directory::new();
    let broker = directory.open();
    channel(&broker).queue_declare_with(&durable("one")).unwrap();
    drop(broker);
    fs::remove_file(directory.path().join("catalogue")).unwrap();
    let settings = directory.path().join("records").join("conf");
    let octets = fs::read(&settings).unwrap();
    fs::write(&settings, &octets[1..]).unwrap();
    let open = |repair| Broker::builder().repair(repair).open(directory.path());
    assert!(open(false).is_err_and(|error| error.to_string().contains("no copy")));
    let repaired = open(true).unwrap();
    let recovery = repaired.recovery();
    assert!(!recovery.is_new && recovery.repaired.iter().any(|f| f.is_loss), "{recovery:?}");
    assert!(repaired.access().users.list().is_empty(), "a user was made up");
    drop(repaired);
    assert!(open(false).is_ok_and(|broker| broker.access().users.list().is_empty()));
}
