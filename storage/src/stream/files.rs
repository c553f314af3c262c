//! Names of the files of streams, and those of them that are open for reading.

use std::collections::VecDeque;
use std::sync::Arc;
use std::{fmt, io};

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};
use crate::key::QueueId;
use crate::stream::record::Place;

/// The highest number of a segment, and offset of a message, that a file may speak of: none comes
/// near it, and there is always one behind it.
pub(crate) const NUMBER_MAX: u64 = i64::MAX as u64;

/// What the files of a segment are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    pub(crate) place: Place,
    /// The offset of its first message.
    pub(crate) first_offset: u64,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileName {
    /// The chunks of a segment.
    Chunks(SegmentName),
    /// Where they are.
    Index(SegmentName),
    /// How far a stream is.
    Progress(QueueId),
}

impl FileName {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("stream-")?;
        if let Some(stream) = rest.strip_suffix(".progress") {
            return number(stream).map(Self::Progress);
        }
        let (numbers, kind): (_, fn(SegmentName) -> Self) = match rest.strip_suffix(".chunks") {
            Some(numbers) => (numbers, Self::Chunks),
            None => (rest.strip_suffix(".index")?, Self::Index),
        };
        let mut numbers = numbers.split('-').map(number);
        let place = Place { stream: numbers.next()??, segment: numbers.next()?? };
        let first_offset = numbers.next()??;
        let can_be = place.segment <= NUMBER_MAX && first_offset <= NUMBER_MAX;
        (numbers.next().is_none() && can_be).then_some(kind(SegmentName { place, first_offset }))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunks(name) => formatter.write_str(&name.chunks()),
            Self::Index(name) => formatter.write_str(&name.index()),
            Self::Progress(stream) => write!(formatter, "stream-{stream:016x}.progress"),
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    let digits = Some(digits).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

impl SegmentName {
    pub(crate) fn chunks(self) -> String {
        format!("{}.chunks", self.stem())
    }

    pub(crate) fn index(self) -> String {
        format!("{}.index", self.stem())
    }

    fn stem(self) -> String {
        let Self { place: Place { stream, segment }, first_offset } = self;
        format!("stream-{stream:016x}-{segment:016x}-{first_offset:016x}")
    }
}

/// Files that are open for reading: those that were asked for last. Readers hold none, so that a
/// file that was removed takes no space, whoever has stopped in it.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) disk: Arc<dyn Disk>,
    max: usize,
    open: Mutex<VecDeque<(Place, Arc<dyn DiskFile>)>>,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>, max: usize) -> Self {
        Self { disk, max: max.max(1), open: Mutex::default() }
    }

    /// The chunks of a segment.
    ///
    /// # Errors
    /// `NotFound` if it was removed, and whatever the medium reports.
    pub(crate) fn chunks(&self, name: SegmentName) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open.lock();
        if let Some(at) = open.iter().position(|(place, _)| *place == name.place)
            && let Some((place, file)) = open.remove(at)
        {
            open.push_back((place, file.clone()));
            return Ok(file);
        }
        drop(open);
        let file = self.disk.open(&name.chunks(), false)?;
        let mut open = self.open.lock();
        if open.len() >= self.max {
            open.pop_front();
        }
        open.push_back((name.place, file.clone()));
        Ok(file)
    }

    /// Removes what tells how far a stream is that is gone.
    pub(crate) fn remove_progress(&self, stream: QueueId) {
        let _ = self.disk.remove(&FileName::Progress(stream).to_string());
    }

    /// Removes a segment. What cannot be removed now is at the next start.
    pub(crate) fn remove(&self, name: SegmentName) {
        self.open.lock().retain(|(place, _)| *place != name.place);
        let _ = self.disk.remove(&name.index());
        let _ = self.disk.remove(&name.chunks());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = SegmentName { place: Place { stream: 0x1F, segment: 2 }, first_offset: 300 };
        assert_eq!(FileName::parse(&name.chunks()), Some(FileName::Chunks(name)));
        let name = SegmentName { first_offset: NUMBER_MAX, ..name };
        assert_eq!(FileName::parse(&name.index()), Some(FileName::Index(name)));
        let beyond = SegmentName { first_offset: NUMBER_MAX + 1, ..name };
        assert_eq!(FileName::parse(&beyond.index()), None);
        let place = Place { segment: u64::MAX, ..name.place };
        assert_eq!(FileName::parse(&SegmentName { place, ..name }.chunks()), None);
        let progress = FileName::Progress(0x1F);
        assert_eq!(FileName::parse(&progress.to_string()), Some(progress));
        for other in ["segment-0000000000000001.log", "stream-1-2-3.chunks", "stream-.index"] {
            assert_eq!(FileName::parse(other), None);
        }
    }
}
