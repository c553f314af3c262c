//! Keeps the disk bounded: empties files that nothing needs, and moves what is live out of
//! segments that hold little else.
//!
//! A settlement has to stay for as long as a file holds a record of the message that it is about.
//! Since it comes after the message, only earlier segments matter to it.

use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::Result;
use crate::log::batch::LogBatch;
use crate::log::content::Target;
use crate::log::engine::Engine;
use crate::log::frame::Header;
use crate::log::index::{self, Entry, EntryContent, Index, IndexBuilder, Position};
use crate::log::scan::scan;
use crate::log::segment::{index_name, log_name, spare_name};
use crate::log::settled::SettledSet;

/// Segments that are freed at a time.
const FREED_MAX: usize = 8;

/// A segment that is being emptied.
#[derive(Debug)]
pub(crate) struct Compaction {
    number: u64,
    file: Arc<dyn DiskFile>,
    index: Index,
    position: Position,
    /// What the segment says is settled and has to be said again.
    settlements: Option<LogBatch>,
    damaged: bool,
}

/// Whether a file was there to be renamed or removed: it is not if this was done before an
/// attempt failed.
fn is_there(done: io::Result<()>) -> Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Engine {
    /// Does a bounded part of what there is to do; tells whether there may be more.
    ///
    /// # Errors
    /// If the disk fails. Nothing is lost by it.
    pub(crate) fn maintain(&mut self) -> Result<bool> {
        if let Some(mut compaction) = self.compaction.take() {
            match self.copy(&mut compaction) {
                Ok(true) => self.compaction = Some(compaction),
                Ok(false) => {}
                Err(error) => {
                    self.look_for_space = true;
                    return Err(error);
                }
            }
            return Ok(true);
        }
        let changed = self.state.lock().take_changed();
        if !std::mem::take(&mut self.look_for_space) && !changed {
            return Ok(false);
        }
        let done = self.free_segments().and_then(|()| self.choose());
        if done.is_err() {
            self.look_for_space = true;
        }
        done
    }

    /// Empties segments that nothing needs, until there are none.
    fn free_segments(&mut self) -> Result<()> {
        loop {
            let state = self.state.lock();
            let active = self.active_number();
            let free: Vec<(u64, u64)> = state
                .segments
                .iter()
                .filter(|(number, segment)| Some(**number) != active && segment.live == 0)
                .filter(|(number, _)| !state.settlements_matter(**number))
                .map(|(number, segment)| (*number, segment.capacity))
                // Noting it takes space, of which there may be little.
                .take(FREED_MAX)
                .collect();
            drop(state);
            if free.is_empty() {
                return Ok(());
            }
            free.iter().for_each(|(number, _)| self.manifest.free(*number));
            self.manifest.sync()?;
            let mut spares = Vec::new();
            for &(number, capacity) in &free {
                self.remove_index(number)?;
                let wanted = self.spares.len() + spares.len() < self.options.spares;
                let (name, spare) = (log_name(number), spare_name(number));
                if wanted && capacity == self.options.segment_octets {
                    if is_there(self.disk.rename(&name, &spare))? {
                        spares.push(spare);
                    }
                } else {
                    is_there(self.disk.remove(&name))?;
                }
            }
            // Only once the files are gone for good do settlements of later ones matter less.
            self.disk.sync_directory()?;
            self.spares.append(&mut spares);
            let mut state = self.state.lock();
            free.iter().for_each(|(number, _)| {
                self.manifest.is_gone(*number);
                state.segments.remove(number);
            });
        }
    }

    fn remove_index(&self, number: u64) -> Result<()> {
        is_there(self.disk.remove(&index_name(number))).map(|_| ())
    }

    /// Begins to empty the segment with the least in it, if more than half of all that is on disk
    /// is dead, and more than two segments.
    fn choose(&mut self) -> Result<bool> {
        let state = self.state.lock();
        let active = self.active_number();
        let closed = || state.segments.iter().filter(|(number, _)| Some(**number) != active);
        let (mut used, mut live) = (0, 0);
        for (_, segment) in closed() {
            used += segment.used;
            live += segment.live_octets();
        }
        let dead: u64 = used.saturating_sub(live);
        if dead <= live.max(2 * self.options.segment_octets) {
            return Ok(false);
        }
        let sparse = closed().filter(|(_, segment)| !segment.damaged && segment.used > 0);
        let Some((&number, segment)) = sparse.min_by_key(|(_, segment)| segment.live_octets())
        else {
            return Ok(false);
        };
        if segment.live_octets() * 2 > segment.used {
            return Ok(false);
        }
        let file = segment.file.clone();
        drop(state);
        self.begin(number, file)?;
        Ok(true)
    }

    fn begin(&mut self, number: u64, file: Arc<dyn DiskFile>) -> Result<()> {
        let index = match self.disk.open(&index_name(number), false) {
            Ok(file) => index::read(&*file, number)?,
            Err(_) => None,
        };
        let index = match index {
            Some(index) => index,
            None => {
                let scanned = scan(&*file, number)?;
                let mut index = IndexBuilder::new();
                scanned.records.iter().for_each(|record| index.record(record));
                index.finish(number, scanned.used(), scanned.last_group())
            }
        };
        let settlements = self.settlements_of(number, &index);
        let position = Position::default();
        let compaction = Compaction { number, file, index, position, settlements, damaged: false };
        self.compaction = Some(compaction);
        Ok(())
    }

    /// What a segment says is settled and has to be said again elsewhere.
    fn settlements_of(&self, number: u64, index: &Index) -> Option<LogBatch> {
        let mut settled = SettledSet::default();
        index.settlements().for_each(|range| settled.insert(range));
        let state = self.state.lock();
        let ranges: Vec<_> =
            settled.ranges().filter(|range| state.range_matters(number, *range)).collect();
        drop(state);
        let mut batch = LogBatch::new();
        batch.settled(&ranges);
        (!batch.is_empty()).then_some(batch)
    }

    /// Copies a part of what is live; tells whether there is more. After a failure the segment is
    /// begun anew later: what is live may be another by then.
    fn copy(&mut self, compaction: &mut Compaction) -> Result<bool> {
        if let Some(batch) = compaction.settlements.take() {
            let octets = batch.octets() as u64;
            self.commit(&mut [batch])?;
            let number = self.active_number();
            let mut state = self.state.lock();
            if let Some(segment) = number.and_then(|number| state.segments.get_mut(&number)) {
                segment.forwarded += octets;
            }
        }
        let mut batch = LogBatch::new();
        while batch.octets() < self.options.compaction_octets {
            let Some(entry) = compaction.index.next(&mut compaction.position) else { break };
            let copied = self.copy_entry(compaction.number, &*compaction.file, &entry, &mut batch);
            compaction.damaged |= !copied?;
        }
        if batch.is_empty() {
            self.end(compaction);
            return Ok(false);
        }
        self.commit(&mut [batch])?;
        Ok(true)
    }

    /// Copies a record as far as it is live; tells whether that went well.
    fn copy_entry(
        &self,
        number: u64,
        file: &dyn DiskFile,
        entry: &Entry<'_>,
        batch: &mut LogBatch,
    ) -> Result<bool> {
        let EntryContent::Message { targets, meta } = &entry.content else { return Ok(true) };
        let state = self.state.lock();
        let is_here = |target: &Target| state.is_at(*target, number, entry.offset);
        let targets: Vec<Target> = targets.clone().filter(is_here).collect();
        drop(state);
        if targets.is_empty() {
            return Ok(true);
        }
        let mut octets = vec![0; entry.span as usize];
        file.read_at(&mut octets, entry.offset)?;
        let header = Header::parse(&octets, number)
            .filter(|header| header.head_is_sound(&octets, number, entry.offset))
            .filter(|header| header.body_is_sound(&octets));
        let Some(body) = header.and_then(|header| header.body_of(&octets)) else {
            return Ok(false);
        };
        batch.message(&targets, meta, &[body])?;
        Ok(true)
    }

    fn end(&mut self, compaction: &Compaction) {
        let mut state = self.state.lock();
        if let Some(segment) = state.segments.get_mut(&compaction.number) {
            if compaction.damaged {
                segment.damaged = true;
            } else {
                segment.settled.clear();
            }
        }
        self.look_for_space = true;
    }
}
