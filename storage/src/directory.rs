//! The data directory: its lock, its format, and where things are in it.
//!
//! ```text
//! lock      held by the process that has the directory open
//! format    the number of the format, in decimal
//! catalogue a ledger of all changes of records
//! records/  sled
//! log/      segments
//! streams/  segments of streams
//! ```

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalogue::{Catalogue, CatalogueReport};
use crate::directory_lock::DirectoryLock;
use crate::disk::{Disk, RealDisk, private_directory, private_file};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::format::{
    self, FORMAT, Format, LOG, RECORDS, unknown_format, wrong_format, wrong_identity,
};
use crate::key::QueueId;
use crate::ledger::Ledger;
use crate::log::{Damage, Log, LogOptions, MANIFEST, Recovered, Target, inspect, verify};
use crate::memory::MemoryStore;
use crate::sled_store::SledStore;
use crate::stream::{FoundStream, StreamOptions, Streams, inspect_streams, verify_streams};

/// The files of the catalogue are called so, and what begins with it.
const CATALOGUE: &str = "catalogue";
const STREAMS: &str = "streams";

/// The file that keeps space for a start on a full disk, and its octets: the catalogue and the
/// manifest are written anew at each start, sled writes, and so do settlements.
const ROOM: &str = "room";
const ROOM_OCTETS: u64 = 8 << 20;

/// With less space than this a disk is full.
const PROBE: &str = "room.probe";
const PROBE_OCTETS: u64 = 2 << 20;

/// A data directory that no other process can open meanwhile. Keep it for as long as what was
/// opened from it.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// What tells its files from those of other directories; 0 if it is not known.
    identity: u64,
    /// What is wrong with the file that tells the format.
    wrong_format: Option<Finding>,
    is_full: bool,
    _lock: DirectoryLock,
}

impl DataDirectory {
    /// Opens a directory, which is made if there is none, and brings it to the present format.
    /// Whoever is not the owner of the process cannot read what is made.
    ///
    /// # Errors
    /// [`Error::Locked`] if it is open elsewhere, [`Error::Format`] if a newer version wrote it,
    /// [`Error::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        private_directory().recursive(true).create(&path)?;
        let lock =
            DirectoryLock::take(&path, private_file().write(true).create(true).truncate(false))?;
        let is_full = make_room(&path)?;
        let (identity, wrong_format) = format::bring_up_to_date(&path)?;
        let (identity, wrong_identity) = identify(&path, identity)?;
        let wrong_format = wrong_format.or(wrong_identity);
        Ok(Self { path, identity, wrong_format, is_full, _lock: lock })
    }

    /// Whether the disk was full when it was opened: it is used with the space that was kept for
    /// that.
    pub fn was_full(&self) -> bool {
        self.is_full
    }

    /// Its records, with what was found. Damage is repaired only if `repair` is set; records that
    /// cannot be opened at all are then kept beside under another name.
    ///
    /// # Errors
    /// [`Error::Catalogue`] if something is damaged and `repair` is not set, those of
    /// [`SledStore::open`].
    pub fn records(&self, repair: bool) -> Result<(Catalogue, CatalogueReport)> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(&self.path)?);
        let records = self.path.join(RECORDS);
        let mut names = disk.list()?.into_iter();
        let is_begun = records.try_exists()? || names.any(|name| name.starts_with(CATALOGUE));
        let format_is_wrong = self.wrong_format.is_some();
        if is_begun && !repair && (format_is_wrong || !Catalogue::is_complete(&*disk)?) {
            // sled changes what it opens, and it may be the only copy.
            self.refuse_damaged()?;
        }
        let mut unreadable = None;
        let store = match SledStore::open(&records) {
            Err(error @ (Error::Records(_) | Error::Io(_))) if is_begun => {
                let (_, findings) = examine(&self.path, self.identity)?;
                if !repair {
                    return Err(if findings.is_empty() {
                        error
                    } else {
                        Error::Catalogue(findings)
                    });
                }
                fs::rename(&records, unused(&self.path, "records.damaged")?)?;
                unreadable = Some(findings);
                SledStore::open(&records)?
            }
            opened => opened?,
        };
        let (catalogue, mut report) =
            Catalogue::open(Arc::new(store), disk, self.identity, repair)?;
        if let Some(findings) = unreadable {
            // Without a ledger beside them it looks as if there had never been any.
            report.is_new = false;
            if report.repaired.is_empty() {
                report.repaired = findings;
            }
        }
        if let Some(finding) = &self.wrong_format {
            Format { number: FORMAT, identity: catalogue.identity() }.write(&self.path)?;
            report.repaired.insert(0, finding.clone());
        }
        Ok((catalogue, report))
    }

    fn refuse_damaged(&self) -> Result<()> {
        let (_, findings) = examine(&self.path, self.identity)?;
        let findings: Vec<_> = self.wrong_format.iter().cloned().chain(findings).collect();
        if findings.is_empty() { Ok(()) } else { Err(Error::Catalogue(findings)) }
    }

    /// Whether nobody but the owner, and the system's administrator, can look into it; true where
    /// the system cannot tell.
    ///
    /// # Errors
    /// If it cannot be looked at.
    pub fn is_private(&self) -> Result<bool> {
        #[cfg(unix)]
        {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&self.path)?.permissions());
            Ok(mode & 0o077 == 0)
        }
        #[cfg(not(unix))]
        Ok(true)
    }

    /// Its log of messages; `found` is called for what is in it.
    ///
    /// # Errors
    /// Those of [`Log::open`].
    pub fn log(
        &self,
        options: LogOptions,
        found: &mut dyn FnMut(Target, u32, &[u8]),
    ) -> Result<(Log, Recovered)> {
        let options = options.identity(self.identity);
        Log::open(Arc::new(RealDisk::new(self.path.join(LOG))?), options, found)
    }

    /// Its streams.
    ///
    /// # Errors
    /// Those of [`Streams::open`].
    pub fn streams(&self, options: StreamOptions) -> Result<Streams> {
        Streams::open(Arc::new(RealDisk::new(self.path.join(STREAMS))?), options)
    }
}

/// A data directory that is only looked at: nothing in it is changed, and no other process can
/// open it meanwhile.
#[derive(Debug)]
pub struct ReadOnlyDirectory {
    path: PathBuf,
    identity: u64,
    wrong_format: Option<Finding>,
    _lock: DirectoryLock,
}

impl ReadOnlyDirectory {
    /// Opens a directory that is there.
    ///
    /// # Errors
    /// [`Error::Io`] with `NotFound` if it is not there or not a data directory,
    /// [`Error::Locked`] if it is open elsewhere, [`Error::Format`] if it has another format than
    /// [`FORMAT`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let lock = DirectoryLock::take(&path, OpenOptions::new().read(true))?;
        let found = Format::read(&path)?;
        let (identity, wrong_format) = match found.as_deref().and_then(Format::parse) {
            Some(Format { number: FORMAT, identity: identity @ 1.. }) => (identity, None),
            _ if Catalogue::is_there(&RealDisk::read_only(&path))? => {
                (0, Some(wrong_format(found.as_deref(), FORMAT)))
            }
            _ => match found {
                Some(found) => return Err(unknown_format(&found, FORMAT)),
                None => return Err(Error::Io(io::ErrorKind::NotFound.into())),
            },
        };
        let (identity, wrong_identity) = identify(&path, identity)?;
        let wrong_format = wrong_format.or(wrong_identity);
        Ok(Self { path, identity, wrong_format, _lock: lock })
    }

    /// A copy of its records as they should be, and what is wrong with them.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn records(&self) -> Result<(MemoryStore, Vec<Finding>)> {
        let (records, findings) = examine(&self.path, self.identity)?;
        Ok((records, self.wrong_format.iter().cloned().chain(findings).collect()))
    }

    /// What is in its log; `found` is called as by [`Log::open`].
    ///
    /// # Errors
    /// Those of [`inspect`].
    pub fn log(&self, found: &mut dyn FnMut(Target, u32, &[u8])) -> Result<Recovered> {
        let log = self.path.join(LOG);
        if log.try_exists()? {
            inspect(&RealDisk::read_only(log), self.identity, found)
        } else {
            Ok(new_log())
        }
    }

    /// What is in its streams.
    ///
    /// # Errors
    /// Those of [`inspect_streams`].
    pub fn streams(&self) -> Result<Vec<FoundStream>> {
        match self.streams_disk()? {
            Some(disk) => inspect_streams(&disk),
            None => Ok(Vec::new()),
        }
    }

    fn streams_disk(&self) -> Result<Option<RealDisk>> {
        let streams = self.path.join(STREAMS);
        Ok(streams.try_exists()?.then(|| RealDisk::read_only(streams)))
    }

    /// Reads all of its log and its streams, but for those that are gone, and reports what is
    /// damaged.
    ///
    /// # Errors
    /// Those of [`verify`] and [`verify_streams`].
    pub fn verify(&self, is_gone: &dyn Fn(QueueId) -> bool) -> Result<Vec<Damage>> {
        let log = self.path.join(LOG);
        let mut found = Vec::new();
        if log.try_exists()? {
            found.extend(verify(&RealDisk::read_only(log), self.identity)?);
        }
        if let Some(disk) = self.streams_disk()? {
            found.extend(verify_streams(&disk, is_gone)?);
        }
        Ok(found)
    }
}

/// Keeps space for the time when the disk is full, so that a broker can be started on it and what
/// it has can be consumed; gives it up if the disk is full now. Tells whether it is.
fn make_room(path: &Path) -> Result<bool> {
    let disk = RealDisk::new(path)?;
    let had_room = disk.list()?.iter().any(|name| name == ROOM);
    let probe = disk.open(PROBE, true)?.allocate(PROBE_OCTETS);
    let is_full = match probe {
        Err(error) if Error::Io(io::Error::from(error.kind())).is_full() => true,
        probe => {
            probe?;
            false
        }
    };
    disk.remove(PROBE)?;
    if is_full && had_room {
        disk.remove(ROOM)?;
    } else if !is_full && !had_room {
        // What is not to be had now may be the next time.
        let kept = disk.open(ROOM, true).and_then(|file| file.allocate(ROOM_OCTETS));
        if kept.is_err() {
            disk.remove(ROOM)?;
        }
    }
    Ok(is_full)
}

/// What tells the files of a directory from those of others, and what is wrong with the file that
/// should say it: the catalogue and the manifest of the log know it too.
fn identify(path: &Path, said: u64) -> Result<(u64, Option<Finding>)> {
    let log = path.join(LOG);
    if said == 0 || !log.try_exists()? {
        return Ok((said, None));
    }
    let catalogue = Ledger::identity_on(&RealDisk::read_only(path), CATALOGUE)?;
    let manifest = Ledger::identity_on(&RealDisk::read_only(log), MANIFEST)?;
    match catalogue.filter(|_| catalogue == manifest) {
        Some(identity) if identity != said => Ok((identity, Some(wrong_identity(said, identity)))),
        _ => Ok((said, None)),
    }
}

/// Compares what a directory has of records, and changes nothing in it.
fn examine(path: &Path, identity: u64) -> Result<(MemoryStore, Vec<Finding>)> {
    let disk = RealDisk::read_only(path);
    let records = path.join(RECORDS);
    if !records.try_exists()? {
        let none = MemoryStore::new();
        return Catalogue::examine(Ok(&none), &disk, identity);
    }
    // sled writes to what it opens.
    let place = Temporary::new()?;
    copy(&records, &place.0)?;
    match SledStore::open(&place.0) {
        Ok(store) => Catalogue::examine(Ok(&store), &disk, identity),
        Err(error) => Catalogue::examine(Err(error.to_string()), &disk, identity),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            private_directory().create(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A path in a directory that nothing has yet.
fn unused(directory: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 1_u32.. {
        let path = directory.join(format!("{name}-{number}"));
        if !path.try_exists()? {
            return Ok(path);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// What is found where no log was begun.
fn new_log() -> Recovered {
    Recovered { clean: true, is_new: true, ..Recovered::default() }
}

/// A directory that is removed when it is not needed any more.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> io::Result<Self> {
        for attempt in 0_u32..1_000 {
            let name = format!("leveret-records-{}-{attempt}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match private_directory().create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is in the directory for temporary files: leaving it there is no failure.
        let _ = fs::remove_dir_all(&self.0);
    }
}
