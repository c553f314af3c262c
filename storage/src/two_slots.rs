//! A small file that says how far something is: it only helps, so that it is read and written
//! beside what it is about. It has two slots that are written in turn: a crash may tear the one.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};

/// Disks write sectors of so many octets all or none.
const SECTOR: u64 = 512;

/// Slots of a file.
pub(crate) const SLOTS: usize = 2;

/// What can be made of the slots of a file.
///
/// # Errors
/// If the disk fails.
pub(crate) fn read<const OCTETS: usize, T>(
    disk: &dyn Disk,
    name: &str,
    decode: impl Fn(&[u8; OCTETS]) -> Option<T>,
) -> io::Result<Vec<T>> {
    let file = match disk.open(name, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut found = Vec::new();
    for offset in [0, SECTOR] {
        let mut slot = [0; OCTETS];
        match file.read_at(&mut slot, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            read => read?,
        }
        found.extend(decode(&slot));
    }
    Ok(found)
}

/// Writes such a file.
#[derive(Debug)]
pub(crate) struct TwoSlots {
    disk: Arc<dyn Disk>,
    name: String,
    /// Once it is needed.
    file: Option<Arc<dyn DiskFile>>,
}

impl TwoSlots {
    pub(crate) fn new(disk: Arc<dyn Disk>, name: String) -> Self {
        Self { disk, name, file: None }
    }

    /// The file, which is made if there is none.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn open(&mut self) -> io::Result<&Arc<dyn DiskFile>> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(self.disk.open(&self.name, true)?)),
        }
    }

    /// Writes the slot whose turn it is.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn write(&mut self, turn: u64, slot: &[u8]) -> io::Result<()> {
        self.open()?.write_at(slot, if turn.is_multiple_of(2) { 0 } else { SECTOR })
    }

    /// What was written is durable.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.open()?.sync()
    }
}
