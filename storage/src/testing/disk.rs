//! A disk in memory that fails on command and can lose power.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};

/// Octets that a disk writes all or none.
const SECTOR: usize = 512;

/// Names and octets of all files.
pub type Image = BTreeMap<String, Vec<u8>>;

#[derive(Clone, Debug)]
struct Write {
    offset: usize,
    octets: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    durable: Vec<u8>,
    current: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Write>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    random: u64,
    /// Changes and syncs that still succeed before the power is cut.
    until_cut: Option<u64>,
    image: Option<Image>,
    /// Syncs and writes that fail from now on.
    failing_syncs: u32,
    failing_writes: u32,
    space: Option<usize>,
}

/// A disk in memory. What is written is there for those who read, but survives a power cut in
/// whole only if it was synced: what was not is there, there up to a multiple of 512 octets or in
/// some sectors of as many, or gone, each write for itself. Of the changes of names that were not
/// synced a first part survives.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    /// An empty disk, whose chances come from the seed.
    pub fn new(seed: u64) -> Self {
        Self::from_image(Image::new(), seed)
    }

    /// A disk with these files.
    pub fn from_image(image: Image, seed: u64) -> Self {
        let mut state = State { random: seed | 1, ..State::default() };
        for (name, octets) in image {
            state.names.insert(name, state.inodes.len());
            let durable = octets.clone();
            state.inodes.push(Inode { durable, current: octets, pending: Vec::new() });
        }
        state.durable_names = state.names.clone();
        Self(Arc::new(Mutex::new(state)))
    }

    /// Cuts the power after so many more writes, syncs and changes of names: the one after fails
    /// as does everything later.
    pub fn cut_after(&self, operations: u64) {
        self.0.lock().until_cut = Some(operations);
    }

    /// Cuts the power now, if it is not cut yet.
    pub fn cut(&self) {
        let mut state = self.0.lock();
        if state.image.is_none() {
            state.image = Some(state.crash());
        }
    }

    /// Whether the power was cut.
    pub fn is_cut(&self) -> bool {
        self.0.lock().image.is_some()
    }

    /// Makes so many syncs of files fail. As with real disks what was to be synced may be lost,
    /// and the next sync succeeds.
    pub fn fail_syncs(&self, count: u32) {
        self.0.lock().failing_syncs = count;
    }

    /// Makes so many writes fail, each after a part of it.
    pub fn fail_writes(&self, count: u32) {
        self.0.lock().failing_writes = count;
    }

    /// Limits the octets of all files; none for no limit.
    pub fn limit_space(&self, octets: Option<usize>) {
        self.0.lock().space = octets;
    }

    /// What a power cut leaves: the one that has happened, or one now.
    pub fn after_power_cut(&self) -> Image {
        let mut state = self.0.lock();
        match &state.image {
            Some(image) => image.clone(),
            None => state.crash(),
        }
    }

    /// What the end of the process leaves: everything.
    pub fn after_exit(&self) -> Image {
        let state = self.0.lock();
        let octets = |inode: &usize| state.inodes.get(*inode).map(|inode| inode.current.clone());
        let files = state.names.iter();
        files.filter_map(|(name, inode)| Some((name.clone(), octets(inode)?))).collect()
    }
}

impl State {
    fn random(&mut self) -> u64 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Counts an operation; fails if there is no power for it.
    fn step(&mut self) -> io::Result<()> {
        if self.image.is_some() {
            return Err(io::Error::other("no power"));
        }
        match &mut self.until_cut {
            Some(0) => Err(io::Error::other("the power is cut")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts an operation; at the cut it is begun and the image is taken.
    fn operate(&mut self, begun: impl FnOnce(&mut Self)) -> io::Result<()> {
        let powered = self.image.is_none();
        self.step().inspect_err(|_| {
            if powered {
                begun(self);
                self.image = Some(self.crash());
            }
        })
    }

    fn crash(&mut self) -> Image {
        let kept = (self.random() as usize) % (self.pending_names.len() + 1);
        let mut names = self.durable_names.clone();
        for change in self.pending_names.iter().take(kept).cloned() {
            apply(&mut names, change);
        }
        let mut image = Image::new();
        for (name, inode) in names {
            let Some(inode) = self.inodes.get(inode).cloned() else { continue };
            let mut octets = inode.durable;
            for write in inode.pending {
                self.write_in_part(&mut octets, &write);
            }
            image.insert(name, octets);
        }
        image
    }

    /// What of a write a power cut leaves: all, nothing, a first part, or some of the sectors,
    /// since a disk writes them in the order that it likes.
    fn write_in_part(&mut self, octets: &mut Vec<u8>, write: &Write) {
        let length = write.octets.len();
        match self.random() % 6 {
            0 => {}
            1 => {
                let part = (self.random() as usize % (length / SECTOR + 1)) * SECTOR;
                put(octets, write.offset, write.octets.get(..part).unwrap_or(&write.octets));
            }
            2 => {
                let mut from = 0;
                while from < length {
                    let to =
                        length.min((write.offset + from) / SECTOR * SECTOR + SECTOR - write.offset);
                    let sector = write.octets.get(from..to).unwrap_or_default();
                    if self.random().is_multiple_of(2) {
                        put(octets, write.offset + from, sector);
                    }
                    from = to;
                }
            }
            _ => put(octets, write.offset, &write.octets),
        }
    }

    fn write(&mut self, inode: usize, octets: &[u8], offset: usize) {
        if let Some(inode) = self.inodes.get_mut(inode) {
            put(&mut inode.current, offset, octets);
            inode.pending.push(Write { offset, octets: octets.to_vec() });
        }
    }

    fn used(&self) -> usize {
        let lengths = self.names.values().filter_map(|inode| self.inodes.get(*inode));
        lengths.map(|inode| inode.current.len()).sum()
    }

    fn room_for(&self, inode: usize, end: usize) -> io::Result<()> {
        let length = self.inodes.get(inode).map_or(0, |inode| inode.current.len());
        let grows = end.saturating_sub(length);
        if grows > 0 && self.space.is_some_and(|space| self.used() + grows > space) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        self.operate(|state| state.pending_names.push(change.clone()))?;
        apply(&mut self.names, change.clone());
        self.pending_names.push(change);
        Ok(())
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: NameChange) {
    match change {
        NameChange::Set(name, inode) => {
            names.insert(name, inode);
        }
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(&from) {
                names.insert(to, inode);
            }
        }
        NameChange::Remove(name) => {
            names.remove(&name);
        }
    }
}

fn put(octets: &mut Vec<u8>, offset: usize, part: &[u8]) {
    if !part.is_empty() {
        octets.resize(octets.len().max(offset + part.len()), 0);
        if let Some(to) = octets.get_mut(offset..offset + part.len()) {
            to.copy_from_slice(part);
        }
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        let inode = match state.names.get(name) {
            Some(inode) => *inode,
            None if create => {
                let inode = state.inodes.len();
                state.inodes.push(Inode::default());
                state.change_name(NameChange::Set(name.into(), inode))?;
                inode
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        drop(state);
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Rename(from.into(), to.into()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        if !state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Remove(name.into()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operate(|_| ())?;
        state.durable_names = state.names.clone();
        state.pending_names.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    inode: usize,
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.0.lock();
        Ok(state.inodes.get(self.inode).map_or(0, |inode| inode.current.len() as u64))
    }

    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.0.lock();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let inode = state.inodes.get(self.inode).ok_or(io::ErrorKind::NotFound)?;
        let end = from.saturating_add(octets.len());
        let found = inode.current.get(from..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        octets.copy_from_slice(found);
        Ok(())
    }

    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let offset = offset as usize;
        state.operate(|state| state.write(self.inode, octets, offset))?;
        state.room_for(self.inode, offset + octets.len())?;
        if state.failing_writes > 0 {
            state.failing_writes -= 1;
            let part = octets.get(..octets.len() / 2).unwrap_or_default();
            state.write(self.inode, part, offset);
            return Err(io::Error::other("a write fails on command"));
        }
        state.write(self.inode, octets, offset);
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let length = length as usize;
        state.operate(|_| ())?;
        state.room_for(self.inode, length)?;
        if let Some(inode) = state.inodes.get_mut(self.inode)
            && inode.current.len() < length
        {
            inode.current.resize(length, 0);
            inode.durable.resize(length, 0);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.operate(|_| ())?;
        let fails = state.failing_syncs > 0;
        state.failing_syncs = state.failing_syncs.saturating_sub(1);
        let lost = fails && state.random().is_multiple_of(2);
        let Some(inode) = state.inodes.get_mut(self.inode) else { return Ok(()) };
        // Those who read see what was written, even where the disk has lost it for good.
        for write in std::mem::take(&mut inode.pending) {
            if !lost {
                put(&mut inode.durable, write.offset, &write.octets);
            }
        }
        if fails { Err(io::Error::other("a sync fails on command")) } else { Ok(()) }
    }
}
