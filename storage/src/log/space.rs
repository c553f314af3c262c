//! Where the next records go: a new segment, an emptied one, or the reserve.
//!
//! The reserve is a small file that is kept for times when the disk is full. Only batches that
//! settle messages get into it, so that acknowledgements still get through and space can come
//! back. It is made before any segment, and again before the next one once it was used.

use crate::error::Result;
use crate::log::engine::{Active, Engine};
use crate::log::manifest::Listed;
use crate::log::segment::{Segment, log_name};

/// The name of the reserve.
const RESERVE: &str = "reserve.log";

/// Octets of the largest reserve: that of segments of 64 MiB.
const RESERVE_MAX: u64 = 4 << 20;

impl Engine {
    /// Ends the segment that is being written, if there is one, and begins one with room for so
    /// many octets.
    pub(crate) fn begin_segment(&mut self, needed: u64) -> Result<()> {
        self.keep_reserve()?;
        let fits = |next: &mut Active| !next.is_reserve && next.capacity >= needed;
        if let Some(next) = self.prepared.take_if(fits) {
            return self.switch(next);
        }
        self.manifest.keep_begun()?;
        if let Some(progress) = &mut self.progress {
            progress.keep_whole(&*self.disk)?;
        }
        let number = self.take_number();
        let name = log_name(number);
        let capacity = self.options.segment_octets.max(needed);
        let spare = if needed <= self.options.segment_octets { self.spares.pop() } else { None };
        if let Some(spare) = spare {
            self.disk.rename(&spare, &name)?;
        }
        let file = self.disk.open(&name, true)?;
        let made = file.allocate(capacity).and_then(|()| file.sync());
        if let Err(error) = made.and_then(|()| self.disk.sync_directory()) {
            // A segment without a record is removed at the next start if it cannot be now.
            let _ = self.disk.remove(&name);
            return Err(error.into());
        }
        self.switch(Active::new(number, file, capacity))
    }

    /// The same with the reserve; tells whether that has room.
    pub(crate) fn begin_reserve(&mut self, needed: u64) -> Result<bool> {
        let capacity = self.reserve_octets();
        let fits = |next: &mut Active| next.is_reserve && next.capacity >= needed;
        if let Some(next) = self.prepared.take_if(fits) {
            self.switch(next)?;
            return Ok(true);
        }
        if !self.has_reserve || needed > capacity {
            return Ok(false);
        }
        let number = self.take_number();
        let name = log_name(number);
        self.has_reserve = false;
        self.disk.rename(RESERVE, &name)?;
        self.disk.sync_directory()?;
        let file = self.disk.open(&name, false)?;
        self.switch(Active { is_reserve: true, ..Active::new(number, file, capacity) })?;
        Ok(true)
    }

    /// A number is used up even if nothing comes of it: the file may be there after a crash.
    fn take_number(&mut self) -> u64 {
        self.next_segment += 1;
        self.next_segment - 1
    }

    fn switch(&mut self, next: Active) -> Result<()> {
        let sealed = self.seal();
        // Before anything is in it, and after its file is there for certain.
        let listed = Listed { capacity: next.capacity, ..Listed::default() };
        self.manifest.list(next.number, listed);
        if let Err(error) = self.manifest.sync() {
            self.prepared = Some(next);
            return Err(error);
        }
        let segment = Segment::new(next.file.clone(), next.capacity);
        self.state.lock().segments.insert(next.number, segment);
        self.active = Some(next);
        sealed
    }

    fn reserve_octets(&self) -> u64 {
        (self.options.segment_octets / 16).clamp(4 << 10, RESERVE_MAX)
    }

    fn keep_reserve(&mut self) -> Result<()> {
        if !self.has_reserve {
            let file = self.disk.open(RESERVE, true)?;
            file.allocate(self.reserve_octets())?;
            file.sync()?;
            self.disk.sync_directory()?;
            self.has_reserve = true;
        }
        Ok(())
    }
}
