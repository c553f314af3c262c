//! Writes groups of batches to segments: the part of the log that knows no threads.

use std::io::IoSlice;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::Result;
use crate::log::batch::LogBatch;
use crate::log::compaction::Compaction;
use crate::log::content;
use crate::log::frame::Kind;
use crate::log::index::{EntryContent, IndexBuilder, Position};
use crate::log::live::Location;
use crate::log::manifest::{Extent, Manifest};
use crate::log::options::{Durability, LogOptions};
use crate::log::progress::{Progress, ProgressFile};
use crate::log::state::SharedState;

/// Octets and batches that are written with one call, unless one batch has more.
const WRITE_OCTETS: usize = 1 << 20;
const WRITE_BATCHES: usize = 512;

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) used: u64,
    pub(crate) capacity: u64,
    /// What was written, and how much of that is noted in the state.
    pub(crate) index: IndexBuilder,
    pub(crate) noted: Position,
    /// It is there for batches that only settle messages.
    pub(crate) is_reserve: bool,
    /// What was written, and what of it is durable.
    pub(crate) written: Extent,
    pub(crate) synced: Extent,
}

impl Active {
    pub(crate) fn new(number: u64, file: Arc<dyn DiskFile>, capacity: u64) -> Self {
        let (index, noted) = (IndexBuilder::new(), Position::default());
        let (written, synced) = Default::default();
        let is_reserve = false;
        Self { number, file, used: 0, capacity, index, noted, is_reserve, written, synced }
    }

    fn has_room(&self, octets: u64) -> bool {
        self.capacity - self.used >= octets
    }
}

/// What a log begins to write with.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) manifest: Manifest,
    pub(crate) progress: ProgressFile,
    /// Names of emptied files.
    pub(crate) spares: Vec<String>,
}

/// The writing side of a log. All calls come from one thread.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: LogOptions,
    pub(crate) state: SharedState,
    pub(crate) active: Option<Active>,
    pub(crate) next_segment: u64,
    /// What the next sync makes durable.
    group: u64,
    /// Something of the group was written, but not synced: only when buffered.
    unsynced: bool,
    pub(crate) manifest: Manifest,
    /// None while nothing is to be noted.
    pub(crate) progress: Option<ProgressFile>,
    /// A segment whose file is there, and which is not in the manifest for certain.
    pub(crate) prepared: Option<Active>,
    /// Names of emptied files.
    pub(crate) spares: Vec<String>,
    /// The file that is kept for a full disk is there.
    pub(crate) has_reserve: bool,
    pub(crate) compaction: Option<Compaction>,
    /// Something may have become free since the last look.
    pub(crate) look_for_space: bool,
}

impl Engine {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        state: SharedState,
        next_segment: u64,
        group: u64,
        writing: Writing,
    ) -> Self {
        let Writing { manifest, progress, spares } = writing;
        Self {
            manifest,
            progress: Some(progress),
            prepared: None,
            disk,
            options,
            state,
            active: None,
            next_segment,
            group,
            unsynced: false,
            spares,
            has_reserve: false,
            compaction: None,
            look_for_space: true,
        }
    }

    pub(crate) fn active_number(&self) -> Option<u64> {
        self.active.as_ref().map(|active| active.number)
    }

    /// Writes as many of the batches as fit in one segment, syncs them, and tells how many that
    /// were: at least one. For batches without records there is nothing to do.
    ///
    /// # Errors
    /// If nothing of it is durable as far as anyone knows. The same batches can be given again:
    /// they are then written to another segment.
    pub(crate) fn commit(&mut self, batches: &mut [LogBatch]) -> Result<usize> {
        let barriers = batches.iter().take_while(|batch| batch.is_empty()).count();
        if barriers > 0 {
            return Ok(barriers);
        }
        let Some(first) = batches.first() else { return Ok(0) };
        let needed = first.octets() as u64;
        let active = self.active.as_ref();
        if !active.is_some_and(|active| active.has_room(needed) && !active.is_reserve) {
            self.begin_segment(needed)?;
        }
        self.append(batches)
    }

    /// The same for batches that only settle messages, which get the last room there is: none is
    /// written if that does not do.
    ///
    /// # Errors
    /// Those of [`Engine::commit`].
    pub(crate) fn commit_settlements(&mut self, batches: &mut [LogBatch]) -> Result<usize> {
        let Some(first) = batches.first() else { return Ok(0) };
        let needed = first.octets() as u64;
        let has_room = self.active.as_ref().is_some_and(|active| active.has_room(needed));
        if !has_room && !self.begin_reserve(needed)? {
            return Ok(0);
        }
        self.append(batches)
    }

    /// Writes those that fit in the segment.
    fn append(&mut self, batches: &mut [LogBatch]) -> Result<usize> {
        let Some(active) = &mut self.active else { return Ok(0) };
        let mut end = active.used;
        let fitting = batches.iter().take_while(|batch| {
            end += batch.octets() as u64;
            end <= active.capacity
        });
        let count = fitting.count();
        let batches = batches.get_mut(..count).unwrap_or_default();
        let began_us = self.options.now_us();
        if let Err(error) = write(active, batches, self.group) {
            self.give_up_segment(batches);
            return Err(error);
        }
        let took_us = self.options.now_us().saturating_sub(began_us);
        self.unsynced = true;
        if self.options.durability == Durability::Fsync
            && let Err(error) = self.sync()
        {
            self.give_up_segment(batches);
            return Err(error);
        }
        self.note(batches.iter().map(|batch| batch.octets() as u64).sum(), took_us);
        Ok(count)
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if let Some(active) = self.active.as_mut().filter(|_| self.unsynced) {
            let began_us = self.options.now_us();
            active.file.sync()?;
            let took_us = self.options.now_us().saturating_sub(began_us);
            let mut state = self.state.lock();
            (state.syncs, state.sync_us) = (state.syncs + 1, state.sync_us + took_us);
            drop(state);
            self.unsynced = false;
            active.synced = active.written;
            if let Some(progress) = &mut self.progress {
                let (segment, group, extent) = (active.number, self.group, active.synced);
                progress.note(&Progress { segment, group, extent });
            }
            self.group += 1;
        }
        Ok(())
    }

    /// Nobody knows what the segment holds behind the last sync. It may hold all of these batches,
    /// so that what settles their messages has to be kept for as long as the file.
    fn give_up_segment(&mut self, batches: &[LogBatch]) {
        self.unsynced = false;
        let Some(active) = self.active.take() else { return };
        // What was written without a sync is read on, and may be there after a crash.
        let is_synced = self.options.durability == Durability::Fsync;
        self.manifest.finish(active.number, is_synced.then_some(active.synced), 0);
        let mut state = self.state.lock();
        let Some(segment) = state.segments.get_mut(&active.number) else { return };
        segment.used = active.capacity;
        for (_, header, head) in batches.iter().flat_map(|batch| batch.records(active.number)) {
            match header.kind {
                Kind::Message => {
                    if let Some((targets, _)) = content::targets_and_meta(head) {
                        segment.note_message(targets, header.span() as u64);
                    }
                }
                Kind::Settled => {
                    content::ranges(head).into_iter().flatten().for_each(|range| {
                        segment.note_settled(range);
                    });
                }
                Kind::CleanStop => {}
            }
        }
        self.look_for_space = true;
    }

    /// Notes where the messages of these octets are now and which are gone.
    fn note(&mut self, octets: u64, took_us: u64) {
        let Some(active) = &mut self.active else { return };
        active.used += octets;
        let mut state = self.state.lock();
        state.writes.add(octets, took_us);
        while let Some(entry) = active.index.next(&mut active.noted) {
            match entry.content {
                EntryContent::Message { targets, .. } => {
                    let (segment, offset, span) = (active.number, entry.offset, entry.span);
                    state.message(Location { segment, offset, span }, targets);
                }
                EntryContent::Settled(ranges) => {
                    ranges.for_each(|range| state.settled(active.number, range));
                }
                EntryContent::CleanStop => {}
            }
        }
        if let Some(segment) = state.segments.get_mut(&active.number) {
            segment.used = active.used;
        }
    }

    /// Ends the segment that is being written.
    pub(crate) fn seal(&mut self) -> Result<()> {
        if let Err(error) = self.sync() {
            // Only a buffered log gets here: what it wrote is still where it can be read, and was
            // promised no more.
            self.give_up_segment(&[]);
            return Err(error);
        }
        if let Some(active) = self.active.take() {
            // Without its side file the segment is read at the next start.
            let last_group = self.group.saturating_sub(1);
            let index = active.index.finish(active.number, active.used, last_group);
            let written = index.write(&*self.disk, active.number);
            let checksum = written.map_or(0, |()| index.checksum());
            self.manifest.finish(active.number, Some(active.synced), checksum);
            self.look_for_space = true;
        }
        Ok(())
    }

    /// Marks the log as stopped in order.
    ///
    /// # Errors
    /// If the disk fails: the next start then takes it for a crash.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.sync()?;
        // The next start takes the mark away.
        self.progress = None;
        // A log without a segment has nothing that could be in doubt.
        if !self.state.lock().segments.is_empty() {
            self.commit(&mut [LogBatch::clean_stop()])?;
        }
        self.sync()
    }
}

fn write(active: &mut Active, batches: &mut [LogBatch], group: u64) -> Result<()> {
    let mut offset = active.used;
    let mut rest = batches;
    while !rest.is_empty() {
        let mut octets = 0;
        let more = |batch: &&LogBatch| {
            octets += batch.octets();
            octets <= WRITE_OCTETS
        };
        let count = rest.iter().take(WRITE_BATCHES).take_while(more).count().max(1);
        let (part, later) = rest.split_at_mut(count.min(rest.len()));
        let begin = offset;
        for batch in part.iter_mut() {
            let index = &mut active.index;
            batch.stamp_each(active.number, offset, group, |kind, offset, span, head| {
                index.head(kind, offset, span, head);
            });
            offset += batch.octets() as u64;
        }
        let mut parts: Vec<_> = part.iter().map(|batch| IoSlice::new(batch.as_octets())).collect();
        active.file.write_parts_at(&mut parts, begin)?;
        let mut at = begin;
        for batch in part.iter() {
            if let Some((first, last)) = batch.marks(at) {
                at += batch.octets() as u64;
                let is_first = active.written.used == 0;
                let first = if is_first { first } else { active.written.first };
                active.written = Extent { used: at, first, last };
            }
        }
        rest = later;
    }
    Ok(())
}
