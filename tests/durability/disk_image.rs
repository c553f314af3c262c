//! Power cuts of a real file system: ext4 in a file, which is shut down as it is while a broker
//! works, so that only what had reached the disk is there afterwards. Where that cannot be done,
//! which takes root and loop devices, nothing is tried.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use leveret::{Broker, Channel};
use parking_lot::Mutex;

use crate::full_disk::wait_until;
use crate::random::Random;
use crate::support::*;

const IMAGE_BYTES: u64 = 64 << 20;

/// EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: nothing is written any more.
const CUT: &str = "import fcntl, os, struct, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(folder, 0x8004587D, struct.pack('I', 2))";

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// A file system in a file.
struct Image(Directory);

impl Image {
    /// An empty one, if this user may have that.
    fn new() -> Option<Self> {
        let image = Self(Directory::new());
        fs::create_dir_all(image.mounted()).unwrap();
        fs::File::create(image.file()).unwrap().set_len(IMAGE_BYTES).unwrap();
        let is_made = works(Command::new("mkfs.ext4").arg("-q").arg(image.file()));
        (is_made && image.mount()).then_some(image)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.0.path().join("mounted")
    }

    fn mount(&self) -> bool {
        let mut mount = Command::new("mount");
        works(mount.args(["-t", "ext4", "-o", "loop"]).arg(self.file()).arg(self.mounted()))
    }

    fn cut_power(&self) -> bool {
        works(Command::new("python3").args(["-c", CUT]).arg(self.mounted()))
    }

    /// The machine is switched on again.
    fn restart(&self) {
        wait_until(|| works(Command::new("umount").arg(self.mounted())));
        assert!(self.mount(), "the file system has repaired itself");
    }

    fn open(&self) -> Broker {
        let small = builder(START).segment_bytes(256 << 10);
        small.open(self.mounted().join("data")).unwrap()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        works(Command::new("umount").arg("-l").arg(self.mounted()));
    }
}

/// What a worker was told is done; `None` for what was under way.
#[derive(Clone, Default)]
struct Told {
    confirmed: Vec<String>,
    queues: BTreeMap<String, Option<bool>>,
}

/// Publishes until that fails.
fn publish(channel: &Channel, queue: &str, told: &Mutex<Told>) {
    for number in 0.. {
        let body = number.to_string();
        let confirmed = channel.publish(persistent(queue, &body)).wait();
        if !confirmed.is_ok_and(|confirmed| confirmed.is_ack()) {
            return;
        }
        told.lock().confirmed.push(body);
    }
}

/// Declares queues, and deletes every other one, until that fails.
fn declare(channel: &Channel, round: usize, told: &Mutex<Told>) {
    for number in 0.. {
        let name = format!("queue {round} {number}");
        let note = |known| {
            told.lock().queues.insert(name.clone(), known);
        };
        note(None);
        if channel.queue_declare_with(&durable(&name)).is_err() {
            return;
        }
        note(Some(true));
        if number % 2 == 0 {
            note(None);
            if channel.queue_delete(&name).is_err() {
                return;
            }
            note(Some(false));
        }
    }
}

/// Lets a broker work until the power is cut after so many confirms.
fn work(image: &Image, round: usize, confirms: usize) -> Told {
    let broker = image.open();
    let told = Arc::new(Mutex::new(Told::default()));
    let workers: Vec<_> = (0..2)
        .map(|worker| {
            let (channel, told) = (channel(&broker), Arc::clone(&told));
            thread::spawn(move || match worker {
                0 => publish(&channel, "q", &told),
                _ => declare(&channel, round, &told),
            })
        })
        .collect();
    wait_until(|| told.lock().confirmed.len() >= confirms);
    // While it is cut ext4 may say that something is synced, and drop it: about once in 200 cuts,
    // whoever syncs. What was said before counts.
    let before = told.lock().clone();
    assert!(image.cut_power());
    broker.close("the power is cut", std::time::Duration::ZERO);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    drop(broker);
    let Told { mut queues, .. } = std::mem::take(&mut *told.lock());
    for (name, known) in &mut queues {
        *known = known.filter(|known| before.queues.get(name) == Some(&Some(*known)));
    }
    Told { queues, ..before }
}

/// What was confirmed is there, once, and nothing that was not published.
fn check(image: &Image, told: &Told) {
    let broker = image.open();
    assert!(broker.recovery().damage.is_empty(), "{:?}", broker.recovery());
    let found = bodies(&channel(&broker), "q");
    assert!(found.starts_with(&told.confirmed), "{} of {}", found.len(), told.confirmed.len());
    let in_order = found.iter().enumerate().all(|(number, body)| *body == number.to_string());
    assert!(in_order, "{found:?}");
    for (name, known) in &told.queues {
        let is_there = broker.counts(name).is_ok();
        assert!(known.is_none_or(|known| known == is_there), "{name}: {known:?}, {is_there}");
    }
}

#[test]
fn a_file_system_whose_power_is_cut_has_what_was_confirmed() {
    let Some(image) = Image::new() else {
        eprintln!("skipped: no file system in a file can be mounted here, which takes root");
        return;
    };
    channel(&image.open()).queue_declare_with(&durable("q")).unwrap();
    let rounds = std::env::var("LEVERET_POWER_CUTS").ok().and_then(|rounds| rounds.parse().ok());
    let mut random = Random::new(1);
    let mut confirmed = 0;
    let rounds = rounds.unwrap_or(3);
    for round in 0..rounds {
        let told = work(&image, round, random.below(300));
        image.restart();
        check(&image, &told);
        confirmed += told.confirmed.len();
    }
    eprintln!("{rounds} power cuts, {confirmed} confirmed messages, none lost");
}
