//! The data command: what is in a data directory that no server has open. It changes nothing there;
//! records are read from a copy, since sled writes to what it opens.

pub(crate) mod foreign;
mod print;
mod streams;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Path, PathBuf};

use leveret_storage::{Damage, Error, FORMAT, ReadOnlyDirectory, Target};
use serde::Serialize;

use leveret::internals::{Meta, Records, StoreId};

use self::streams::HeldStream;

/// What the data command is to do.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum DataCommand {
    /// Tells what is in a data directory: queues, messages, files.
    Inspect {
        /// The directory; no server may have it open.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// As one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Reads everything in a data directory and tells what is damaged. Ends with status 0 if
    /// nothing is, 1 if something is, 2 if it cannot be read.
    Verify {
        /// The directory; no server may have it open.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// Why a directory cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// It is not there, in use, of another format, or cannot be read.
    #[error("cannot read the data directory {}: {reason}", .path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: Error,
    },
    /// It is something else, or a server has it.
    #[error("{0}")]
    Foreign(String),
    /// The report cannot be encoded.
    #[error("cannot write the report: {0}")]
    Report(#[from] serde_json::Error),
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What to print.
    pub text: String,
    /// Whether something is damaged.
    pub is_damaged: bool,
}

/// Messages that are under one number.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Held {
    /// Messages that survive a restart.
    messages: u64,
    /// Octets of their bodies.
    body_octets: u64,
}

#[derive(Debug, Serialize)]
struct Owner {
    name: String,
    /// What it is called in the store.
    id: StoreId,
    #[serde(flatten)]
    held: Held,
    /// What it has as a stream, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<HeldStream>,
}

#[derive(Debug, Default, Serialize)]
struct Host {
    queues: Vec<Owner>,
    /// Exchanges that keep messages until they are due.
    delaying_exchanges: Vec<Owner>,
}

#[derive(Debug, Default, Serialize)]
struct Segments {
    files: u64,
    octets: u64,
    live_octets: u64,
}

#[derive(Debug, Serialize)]
struct Place {
    file: String,
    offset: u64,
    octets: u64,
}

#[derive(Debug, Serialize)]
struct Report {
    format: u32,
    /// Whether the server was stopped in order.
    clean: bool,
    virtual_hosts: BTreeMap<String, Host>,
    segments: Segments,
    /// Messages of queues whose definition is lost, by the queue's number.
    lost_queues: BTreeMap<StoreId, Held>,
    /// The same of streams.
    lost_streams: BTreeMap<StoreId, HeldStream>,
    damaged_records: Vec<String>,
    damage: Vec<Place>,
    /// What a crash has left half written. Nothing of it was ever confirmed.
    torn: Vec<Place>,
}

/// Runs the command.
///
/// # Errors
/// If the directory cannot be read.
pub(crate) fn run(command: &DataCommand) -> Result<Outcome, DataError> {
    match command {
        DataCommand::Inspect { directory, json } => {
            let report = inspect(directory).map_err(unreadable(directory))?;
            let text =
                if *json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
            Ok(Outcome { text, is_damaged: false })
        }
        DataCommand::Verify { directory } => verify(directory).map_err(unreadable(directory)),
    }
}

fn unreadable(path: &Path) -> impl FnOnce(Error) -> DataError {
    let path = path.to_owned();
    |reason| match reason {
        Error::Io(error) if matches!(error.kind(), NotFound | NotADirectory) => {
            DataError::Foreign(foreign::describe(&path))
        }
        Error::Locked(_) => DataError::Foreign(format!(
            "{} is in use by another process: stop that server, or ask it with `leveret inspect`",
            path.display()
        )),
        reason => DataError::Unreadable { path, reason },
    }
}

fn inspect(path: &Path) -> leveret_storage::Result<Report> {
    let directory = ReadOnlyDirectory::open(path)?;
    let (records, findings) = directory.records()?;
    let mut records = Records::read(&records)?;
    let findings = findings.iter().map(ToString::to_string);
    let mut held: HashMap<StoreId, Held> = HashMap::new();
    let mut segments = count_segments(path)?;
    let mut staged: HashMap<StoreId, BTreeSet<u64>> = HashMap::new();
    let recovered = directory.log(&mut |Target { queue, .. }, octets, meta| {
        segments.live_octets += u64::from(octets);
        let Some(meta) = Meta::decode(meta).filter(|meta| !meta.is_transient()) else { return };
        if let Some(offset) = meta.offset(queue) {
            staged.entry(queue).or_default().insert(offset);
        } else {
            let held = held.entry(queue).or_default();
            held.messages += 1;
            held.body_octets += u64::from(meta.body_bytes);
        }
    })?;
    staged.retain(|id, _| !records.is_deleted(*id));
    let mut streams = streams::read(&directory, |id| records.is_deleted(id))?;
    streams.count_staged(staged);
    let mut virtual_hosts: BTreeMap<String, Host> = BTreeMap::new();
    for (name, records) in std::mem::take(&mut records.hosts) {
        let mut owner = |(name, id)| {
            let (held, stream) = (held.remove(&id).unwrap_or_default(), streams.found.remove(&id));
            Owner { name, id, held, stream }
        };
        let queues = records.queues.into_iter().map(|(name, queue)| (name, queue.id));
        let queues = queues.map(&mut owner).collect();
        let exchanges = records.exchanges.into_iter().map(|(name, exchange)| (name, exchange.id));
        let delaying_exchanges = exchanges.filter(|(_, id)| *id != 0).map(&mut owner).collect();
        virtual_hosts.insert(name, Host { queues, delaying_exchanges });
    }
    // What was deleted goes at the next start.
    held.retain(|id, _| !records.is_deleted(*id));
    Ok(Report {
        format: FORMAT,
        clean: recovered.clean,
        virtual_hosts,
        segments,
        lost_queues: held.into_iter().collect(),
        lost_streams: streams.found,
        damaged_records: findings.chain(records.damaged).collect(),
        damage: recovered.damage.into_iter().chain(streams.damage).map(Place::from).collect(),
        torn: recovered.torn.into_iter().chain(streams.torn).map(Place::from).collect(),
    })
}

impl From<Damage> for Place {
    fn from(Damage { file, offset, octets }: Damage) -> Self {
        let folder = if file.starts_with("stream-") { "streams" } else { "log" };
        Self { file: format!("{folder}/{file}"), offset, octets }
    }
}

fn count_segments(path: &Path) -> io::Result<Segments> {
    let mut segments = Segments::default();
    let entries = match fs::read_dir(path.join("log")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(segments),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("segment-") && name.ends_with(".log") {
            segments.files += 1;
            segments.octets += entry.metadata()?.len();
        }
    }
    Ok(segments)
}

fn verify(path: &Path) -> leveret_storage::Result<Outcome> {
    let directory = ReadOnlyDirectory::open(path)?;
    let (records, findings) = directory.records()?;
    let mut damaged: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let records = Records::read(&records)?;
    damaged.extend(records.damaged.iter().map(|what| format!("records: damaged: {what}")));
    let recovered = directory.log(&mut |_, _, _| ())?;
    let all = directory.verify(&|id| records.is_deleted(id))?.into_iter().chain(recovered.damage);
    let mut places: Vec<Damage> = all.filter(|damage| !recovered.torn.contains(damage)).collect();
    places.sort_by(|a, b| (&a.file, a.offset).cmp(&(&b.file, b.offset)));
    places.dedup();
    damaged.extend(places.into_iter().map(|damage| {
        let Place { file, offset, octets } = damage.into();
        let is_there = path.join(&file).try_exists().unwrap_or(true);
        let what = if is_there { "damaged" } else { "missing with the file" };
        format!("{file}: {octets} octets at {offset} are {what}")
    }));
    // The log is begun before there are users.
    if recovered.is_new && !records.users.is_empty() {
        damaged.push("log/manifest: missing with all segments".to_owned());
    }
    let is_damaged = !damaged.is_empty();
    let text = if is_damaged { damaged.join("\n") } else { "sound".to_owned() };
    Ok(Outcome { text: text + "\n", is_damaged })
}
