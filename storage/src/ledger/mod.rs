//! A ledger: a file of numbered entries that tells for itself whether any is missing.
//!
//! It is for small and precious things. Every frame is in it twice, so that damage to either is
//! noticed and made good from the other; entries are numbered, so that none is missing unnoticed;
//! each says which ones were durable before it, so that what a crash has torn is told from what
//! was lost later; and it has an identity, so that the file of another directory is not taken for
//! it.
//!
//! A ledger begins with everything that was entered before, and is begun anew, under the same
//! name and in one step, at every start and when it has grown long.

mod frame;
mod reading;

use std::io;
use std::sync::Arc;

pub(crate) use self::reading::Reading;

use self::frame::{Frame, Kind, reserved};
use crate::disk::{Disk, DiskFile};

/// How a ledger's file grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// Octets by which it grows at a time: a sync of octets alone is cheaper than one that also
    /// notes a new length.
    pub(crate) step: u64,
    /// Octets from which on it is long.
    pub(crate) long: u64,
}

impl Growth {
    /// For all but small disks.
    pub(crate) const COMMON: Self = Self { step: 64 << 10, long: 1 << 20 };

    /// Octets by which any grows at least.
    pub(crate) const LEAST: u64 = 4 << 10;
}

/// A ledger that is written.
#[derive(Debug)]
pub(crate) struct Ledger {
    disk: Arc<dyn Disk>,
    name: String,
    file: Arc<dyn DiskFile>,
    identity: u64,
    end: u64,
    length: u64,
    growth: Growth,
    /// Octets that it began with.
    begun: u64,
    last: u64,
    durable: u64,
    /// Frames that are not written yet, once each.
    pending: Vec<u8>,
}

impl Ledger {
    /// Reads a ledger that grows by steps of `step` octets at least; `None` if there is no such
    /// file.
    ///
    /// # Errors
    /// If the medium fails.
    pub(crate) fn read(disk: &dyn Disk, name: &str, step: u64) -> io::Result<Option<Reading>> {
        let file = match disk.open(name, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
        let mut octets = vec![0; length];
        file.read_at(&mut octets, 0)?;
        Ok(Some(reading::read(&octets, step)))
    }

    /// The identity of a ledger, if there is one that has any.
    ///
    /// # Errors
    /// If the medium fails.
    #[cfg(feature = "sled")]
    pub(crate) fn identity_on(disk: &dyn Disk, name: &str) -> io::Result<Option<u64>> {
        let reading = Self::read(disk, name, 0)?;
        Ok(reading.map(|reading| reading.identity).filter(|identity| *identity != 0))
    }

    /// Begins a ledger in place of the one that has this name, if there is one: `everything` was
    /// entered up to the entry with this number. It is durable when this returns.    ///
    /// # Errors
    /// If the medium fails; the one before is there then.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        name: &str,
        identity: u64,
        number: u64,
        everything: &[u8],
        growth: Growth,
    ) -> io::Result<Self> {
        let kind = Kind::Beginning;
        let frame = Frame { identity, number, durable: number, kind, payload: everything };
        let mut octets = Vec::with_capacity(2 * Frame::span(everything.len()));
        frame.encode(&mut octets);
        octets.extend_from_within(..);
        let new = format!("{name}.new");
        // What an earlier attempt has left may be longer.
        match disk.remove(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open(&new, true)?;
        let begun = octets.len() as u64;
        let length = reserved(begun, growth.step);
        file.allocate(length)?;
        file.write_at(&octets, 0)?;
        file.sync()?;
        disk.rename(&new, name)?;
        disk.sync_directory()?;
        Ok(Self {
            disk,
            name: name.to_owned(),
            file,
            identity,
            end: begun,
            length,
            growth,
            begun,
            last: number,
            durable: number,
            pending: Vec::new(),
        })
    }

    /// Number of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Number of the last entry that is durable.
    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// What tells it from other ledgers.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    /// Whether it has grown so long that it had better be begun anew.
    pub(crate) fn is_long(&self) -> bool {
        self.end > self.growth.long && self.end > 8 * self.begun
    }

    /// Adds an entry, and returns its number; it is durable after [`Ledger::sync`].
    pub(crate) fn enter(&mut self, payload: &[u8]) -> u64 {
        self.last += 1;
        self.put(Kind::Entry, payload);
        self.last
    }

    fn put(&mut self, kind: Kind, payload: &[u8]) {
        let (identity, number, durable) = (self.identity, self.last, self.durable);
        Frame { identity, number, durable, kind, payload }.encode(&mut self.pending);
    }

    /// Takes what is not written yet; `None` if that is nothing.
    pub(crate) fn take_pending(&mut self) -> io::Result<Option<Writing>> {
        if self.pending.is_empty() {
            return Ok(None);
        }
        let mut octets = std::mem::take(&mut self.pending);
        octets.extend_from_within(..);
        let at = self.end;
        self.end += octets.len() as u64;
        let grown = (self.end > self.length).then(|| self.next_length());
        self.length = grown.unwrap_or(self.length);
        Ok(Some(Writing { file: Arc::clone(&self.file), octets, at, grown, last: self.last }))
    }

    fn next_length(&self) -> u64 {
        reserved(self.end, self.growth.step)
    }

    /// Sees to it that the next entries find space, if there is some.
    pub(crate) fn keep_room(&mut self) {
        if self.length - self.end < self.growth.step / 2 {
            let length = self.next_length();
            if self.file.allocate(length).is_ok() {
                self.length = length;
            }
        }
    }

    /// What was written is durable.
    pub(crate) fn written(&mut self, last: u64) {
        self.durable = self.durable.max(last);
    }

    /// Makes every entry durable.
    ///
    /// # Errors
    /// If the medium fails; the ledger is of no more use then.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let Some(writing) = self.take_pending()? {
            let last = writing.last;
            writing.write()?;
            self.written(last);
        }
        Ok(())
    }

    /// Says at its end that it was closed in order.
    ///
    /// # Errors
    /// If the medium fails.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.sync()?;
        self.put(Kind::Clean, &[]);
        self.sync()
    }

    /// Begins it anew with everything that was entered up to its last entry.
    ///
    /// # Errors
    /// If the medium fails; it goes on as it was then.
    pub(crate) fn begin_anew(&mut self, everything: &[u8]) -> io::Result<()> {
        let disk = Arc::clone(&self.disk);
        *self = {
            let (identity, last, growth) = (self.identity, self.last, self.growth);
            Self::begin(disk, &self.name, identity, last, everything, growth)?
        };
        Ok(())
    }
}

/// Octets on their way to the file.
#[derive(Debug)]
pub(crate) struct Writing {
    file: Arc<dyn DiskFile>,
    octets: Vec<u8>,
    at: u64,
    grown: Option<u64>,
    pub(crate) last: u64,
}

impl Writing {
    /// Writes them and makes them durable.
    pub(crate) fn write(self) -> io::Result<()> {
        if let Some(length) = self.grown {
            self.file.allocate(length)?;
        }
        self.file.write_at(&self.octets, self.at)?;
        self.file.sync()
    }
}
