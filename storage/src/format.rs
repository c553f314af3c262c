//! The format of a data directory: the file that tells it, and bringing a directory to the present
//! one.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::disk::{RealDisk, private_file, sync_directory};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::log::adopt;
use crate::sled_store::SledStore;

/// Folders of a data directory.
pub(crate) const RECORDS: &str = "records";
pub(crate) const LOG: &str = "log";

/// The format that this version writes.
pub const FORMAT: u32 = 2;

const FORMAT_FILE: &str = "format";

/// Brings the data of one format to the next. It may be interrupted, and is then begun anew.
/// It is told the identity of the directory.
type Migration = fn(&Path, u64) -> Result<()>;

/// Migrations from format 1, 2, … on.
const MIGRATIONS: &[Migration] = &[begin_catalogue];

/// From format 1 to 2: records are also in a ledger, and segments in a manifest.
fn begin_catalogue(path: &Path, identity: u64) -> Result<()> {
    if path.join(RECORDS).try_exists()? {
        let store = SledStore::open(path.join(RECORDS))?;
        Catalogue::begin(Arc::new(store), Arc::new(RealDisk::new(path)?), identity)?;
    }
    if path.join(LOG).try_exists()? {
        adopt(Arc::new(RealDisk::new(path.join(LOG))?), identity)?;
    }
    Ok(())
}

/// What the file `format` says: the number of the format, and since format 2 the identity of the
/// directory, by which its files are told from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) number: u32,
    /// 0 if it does not say.
    pub(crate) identity: u64,
}

impl Format {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let number = lines.next()?.trim().parse().ok()?;
        let identity = match lines.next() {
            None => 0,
            Some(line) => u64::from_str_radix(line.trim(), 16).ok()?,
        };
        Some(Self { number, identity })
    }

    /// The text of the file, if there is one.
    pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
        match fs::read(path.join(FORMAT_FILE)) {
            Ok(found) => Ok(Some(String::from_utf8_lossy(&found).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write(self, path: &Path) -> Result<()> {
        let new = path.join("format.new");
        let mut file = private_file().write(true).create(true).truncate(true).open(&new)?;
        writeln!(file, "{}", self.number)?;
        if self.identity != 0 {
            writeln!(file, "{:016x}", self.identity)?;
        }
        file.sync_all()?;
        fs::rename(new, path.join(FORMAT_FILE))?;
        sync_directory(path)?;
        Ok(())
    }
}

pub(crate) fn wrong_format(found: Option<&str>, known: u32) -> Finding {
    let what = match found {
        Some(found) => {
            format!("it says {:?}, which is not so: the format is {known}", found.trim())
        }
        None => format!("the file is missing; the format is {known}"),
    };
    Finding::new(FORMAT_FILE, what)
}

pub(crate) fn wrong_identity(found: u64, known: u64) -> Finding {
    let what = format!("it says that this is directory {found:016x}, and it is {known:016x}");
    Finding::new(FORMAT_FILE, what)
}

pub(crate) fn unknown_format(found: &str, known: u32) -> Error {
    let found = found.lines().next().unwrap_or_default();
    Error::Format { found: found.trim().chars().take(40).collect(), known }
}

/// Brings a directory to the present format. Returns its identity, and what is wrong with the file
/// that tells the format, if the catalogue shows that it is wrong.
fn migrate(path: &Path, known: u32, migrations: &[Migration]) -> Result<(u64, Option<Finding>)> {
    let found = Format::read(path)?;
    let format = found.as_deref().and_then(Format::parse);
    if let Some(Format { number, identity }) = format
        && number == known
        && identity != 0
    {
        return Ok((identity, None));
    }
    // Before there was a catalogue directories had no identity: such a one was on its way here.
    let is_older = format.is_some_and(|format| format.number < known && format.identity == 0);
    if !is_older && Catalogue::is_there(&RealDisk::read_only(path))? {
        return Ok((0, Some(wrong_format(found.as_deref(), known))));
    }
    match (format, &found) {
        (Some(Format { number: number @ 1.., .. }), _) if number < known => {
            let identity = random();
            for (from, migration) in (1..).zip(migrations).skip(number as usize - 1) {
                migration(path, identity)?;
                Format { number: from + 1, identity }.write(path)?;
            }
            Ok((identity, None))
        }
        (None, None) if !path.join(RECORDS).try_exists()? && !path.join(LOG).try_exists()? => {
            let format = Format { number: known, identity: random() };
            format.write(path)?;
            Ok((format.identity, None))
        }
        (_, found) => {
            let found = found.as_deref().unwrap_or("unknown: the file 'format' is missing");
            Err(unknown_format(found, known))
        }
    }
}

/// Brings a directory to the present format: see [`migrate`].
pub(crate) fn bring_up_to_date(path: &Path) -> Result<(u64, Option<Finding>)> {
    migrate(path, FORMAT, MIGRATIONS)
}

/// An identity for a directory.
fn random() -> u64 {
    // Without the system's randomness directories are not told from each other.
    getrandom::u64().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_migration_is_done_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        migrate(path, 1, &[]).unwrap();
        let second: Migration = |path, _| Ok(fs::write(path.join("second"), "")?);
        let third: Migration = |path, _| Ok(fs::write(path.join("third"), "")?);
        migrate(path, 2, &[second]).unwrap();
        assert!(path.join("second").exists());
        fs::remove_file(path.join("second")).unwrap();
        migrate(path, 3, &[second, third]).unwrap();
        assert!(!path.join("second").exists() && path.join("third").exists());
        assert!(matches!(migrate(path, 2, &[second]), Err(Error::Format { .. })));
        fs::write(path.join("format"), b"\xFF").unwrap();
        assert!(migrate(path, 3, &[]).is_err());
    }
}
