//! Data directories that somebody has damaged: nothing panics, and what a broker starts with is
//! all there was or is said not to be.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use leveret::{Broker, Publish, QueueDeclare};

/// Messages in each queue.
const MESSAGES: usize = 20;
const QUEUES: [&str; 3] = ["one", "two", "three"];

/// A directory that nobody harms, and its files.
static WHOLE: LazyLock<(PathBuf, Vec<PathBuf>)> = LazyLock::new(|| {
    let path = tempfile::tempdir().expect("a directory").keep().join("data");
    fill(&path).expect("a disk that works");
    let mut found = Vec::new();
    files(&path, &path, &mut found).expect("it is there");
    found.sort();
    (path, found)
});

fn fill(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::builder().segment_bytes(1 << 16).open(path)?;
    let channel = broker.connect()?.open_channel()?;
    for name in QUEUES {
        channel.queue_declare_with(&QueueDeclare::new(name).durable())?;
        channel.queue_bind(name, "amq.topic", "some.#")?;
        for number in 0..MESSAGES {
            let body = vec![number as u8; 100];
            let published = Publish::to_queue(name).body(body).persistent();
            assert!(channel.publish(published).wait()?.is_ack());
        }
    }
    Ok(())
}

fn files(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(root, &path, found)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            found.push(name.to_owned());
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Harm to files, seven octets for each: which file, what is done, where (three), how much, and
/// with which octet.
pub fn run(data: &[u8]) {
    let (whole, files) = &*WHOLE;
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("data");
    copy(whole, &path).expect("it can be copied");
    for harm in data.chunks_exact(7).take(8) {
        let name = &files[usize::from(harm[0]) % files.len()];
        do_harm(&path.join(name), harm);
    }
    let opened = Broker::builder().open(&path).inspect(check).is_ok();
    if !opened {
        let repaired = Broker::builder().repair(true).open(&path);
        if let Ok(broker) = &repaired {
            assert!(!broker.recovery().repaired.is_empty(), "it was repaired without a word");
        }
        drop(repaired);
    }
    drop(place);
}

/// What is not there is named.
fn check(broker: &Broker) {
    let recovery = broker.recovery();
    if recovery.is_new {
        assert!(broker.queues().is_empty());
        return;
    }
    for name in QUEUES {
        let found = broker.counts(name).map(|counts| counts.ready);
        match found {
            Ok(MESSAGES) => {}
            Ok(_) => assert!(!recovery.damage.is_empty(), "lost without a word: {recovery:?}"),
            Err(error) => panic!("{error}: {recovery:?}"),
        }
    }
    assert!(broker.queues().len() == QUEUES.len(), "something has come back");
}

fn do_harm(path: &Path, harm: &[u8]) {
    // Gone by now, perhaps.
    let Ok(mut octets) = fs::read(path) else { return };
    let at = usize::from(harm[2]) << 16 | usize::from(harm[3]) << 8 | usize::from(harm[4]);
    let at = at % octets.len().max(1);
    let to = octets.len().min(at + 1 + usize::from(harm[5]));
    match harm[1] % 6 {
        0 => drop(fs::remove_file(path)),
        1 => octets.truncate(at),
        2 => drop(octets.drain(at..to)),
        3 => octets.extend(std::iter::repeat_n(harm[6], usize::from(harm[5]))),
        _ => octets[at.min(to)..to].iter_mut().for_each(|octet| *octet ^= harm[6]),
    }
    if harm[1] % 6 != 0 {
        fs::write(path, octets).expect("it can be written");
    }
}
