//! A disk in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::disk::{Disk, DiskFile};

/// Octets of a piece of a file. Files grow without being copied.
const PIECE: usize = 64 << 10;

/// Files that are there for as long as somebody has them open, or their name leads to them. They
/// take no more space than was written; syncs do nothing.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk(Mutex<BTreeMap<String, Arc<MemoryFile>>>);

impl Disk for MemoryDisk {
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.0.lock();
        if let Some(file) = files.get(name) {
            return Ok(file.clone());
        }
        if !create {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = Arc::new(MemoryFile::default());
        files.insert(name.into(), file.clone());
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.0.lock();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.into(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let file = self.0.lock().remove(name);
        file.map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().keys().cloned().collect())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Content {
    /// All of them are full but the last.
    pieces: Vec<Vec<u8>>,
    length: usize,
}

#[derive(Debug, Default)]
struct MemoryFile(RwLock<Content>);

impl Content {
    /// Octets from an offset on, up to the end of their piece.
    fn at(&mut self, offset: usize) -> Option<&mut [u8]> {
        self.pieces.get_mut(offset / PIECE)?.get_mut(offset % PIECE..)
    }

    fn grow(&mut self, length: usize) {
        while self.length < length {
            if self.length.is_multiple_of(PIECE) {
                self.pieces.push(Vec::new());
            }
            let Some(piece) = self.pieces.last_mut() else { return };
            let added = (length - self.length).min(PIECE - piece.len());
            piece.resize(piece.len() + added, 0);
            self.length += added;
        }
    }

    fn write(&mut self, octets: &[u8], offset: usize) {
        self.grow(offset + octets.len());
        let mut written = 0;
        while let Some(rest) = octets.get(written..).filter(|rest| !rest.is_empty())
            && let Some(to) = self.at(offset + written)
        {
            let count = rest.len().min(to.len());
            to.iter_mut().zip(rest).for_each(|(to, octet)| *to = *octet);
            written += count;
        }
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.read().length as u64)
    }

    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<()> {
        let content = self.0.read();
        let mut offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset.checked_add(octets.len()).is_none_or(|end| end > content.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = octets;
        while !rest.is_empty() {
            let piece = content.pieces.get(offset / PIECE);
            let from = piece.and_then(|piece| piece.get(offset % PIECE..)).unwrap_or_default();
            let count = rest.len().min(from.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(from.get(..count).unwrap_or_default());
            rest = later;
            offset += count;
        }
        Ok(())
    }

    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.0.write().write(octets, offset);
        Ok(())
    }

    fn write_parts_at(&self, parts: &mut [io::IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut content = self.0.write();
        for part in parts {
            content.write(part, offset);
            offset += part.len();
        }
        Ok(())
    }

    /// Space is taken when it is needed.
    fn allocate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_across_pieces() {
        let disk = MemoryDisk::default();
        assert!(disk.open("a", false).is_err());
        let file = disk.open("a", true).unwrap();
        let octets: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        file.write_at(&octets[..70_000], 10).unwrap();
        file.write_parts_at(
            &mut [io::IoSlice::new(&octets[70_000..70_001]), io::IoSlice::new(&octets[70_001..])],
            70_010,
        )
        .unwrap();
        assert_eq!(file.len().unwrap(), 200_010);
        let mut read = vec![0; 200_000];
        file.read_at(&mut read, 10).unwrap();
        assert_eq!(read, octets);
        assert!(file.read_at(&mut read, 11).is_err());
        file.write_at(&[9; 3], 65_535).unwrap();
        file.read_at(&mut read[..5], 65_534).unwrap();
        assert_eq!(read[..5], [octets[65_524], 9, 9, 9, octets[65_528]]);
        disk.rename("a", "b").unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        disk.remove("b").unwrap();
        assert!(disk.remove("b").is_err());
        file.read_at(&mut read[..1], 10).unwrap();
        assert_eq!(read[0], octets[0]);
    }
}
