//! The segments of a stream, as far as they are known.

use std::collections::VecDeque;

use crate::stream::files::SegmentName;
use crate::stream::index::IndexEntry;

/// How a finished segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Where the records end.
    pub(crate) position: u64,
    /// When the last chunk was appended, in milliseconds since 1970.
    pub(crate) timestamp_ms: i64,
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) name: SegmentName,
    /// How it ends; of the segment that is being written, how far it is committed. `None` if
    /// nobody has looked since the start.
    pub(crate) end: Option<End>,
}

/// All segments of a stream, in order; the last one is being written.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    list: VecDeque<Segment>,
    /// Entries of the last one that its side file does not have yet, and how many it has.
    pub(crate) entries: Vec<IndexEntry>,
    pub(crate) entries_written: u64,
}

impl Segments {
    pub(crate) fn new(list: VecDeque<Segment>, entries_written: u64) -> Self {
        Self { list, entries: Vec::new(), entries_written }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.list.iter()
    }

    pub(crate) fn first(&self) -> Option<&Segment> {
        self.list.front()
    }

    pub(crate) fn last(&self) -> Option<&Segment> {
        self.list.back()
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut Segment> {
        self.list.back_mut()
    }

    /// Another segment is being written from now on. One that has no messages is given back.
    pub(crate) fn begin(
        &mut self,
        name: SegmentName,
        end: End,
        entries: Vec<IndexEntry>,
    ) -> Option<Segment> {
        let is_empty = |last: &Segment| last.name.first_offset == name.first_offset;
        let empty = if self.last().is_some_and(is_empty) { self.list.pop_back() } else { None };
        self.list.push_back(Segment { name, end: Some(end) });
        self.entries = entries;
        self.entries_written = 0;
        empty
    }

    /// How many there are up to the one with this number.
    pub(crate) fn count_up_to(&self, number: u64) -> usize {
        self.list.partition_point(|segment| segment.name.place.segment <= number)
    }

    fn place(&self, number: u64) -> usize {
        self.list.partition_point(|segment| segment.name.place.segment < number)
    }

    /// The segment with this number, or the first one after it.
    pub(crate) fn from(&self, number: u64) -> Option<&Segment> {
        self.list.get(self.place(number))
    }

    /// Whether this is the one that is being written.
    pub(crate) fn is_last(&self, number: u64) -> bool {
        self.last().is_some_and(|last| last.name.place.segment == number)
    }

    /// Somebody has looked how a segment ends.
    pub(crate) fn note_end(&mut self, number: u64, end: End) {
        let at = self.place(number);
        if let Some(segment) = self.list.get_mut(at)
            && segment.name.place.segment == number
            && segment.end.is_none()
        {
            segment.end = Some(end);
        }
    }

    /// The segment in which this offset is, if it is not before all of them.
    pub(crate) fn holding(&self, offset: u64) -> Option<&Segment> {
        let after = self.list.partition_point(|segment| segment.name.first_offset <= offset);
        self.list.get(after.checked_sub(1)?)
    }

    /// The first finished segment whose end nobody knows, and the offset at which it ends.
    pub(crate) fn unknown(&self) -> Option<(Segment, u64)> {
        let next = self.list.iter().skip(1);
        let mut pairs = self.list.iter().zip(next);
        let (segment, next) = pairs.find(|(segment, _)| segment.end.is_none())?;
        Some((*segment, next.name.first_offset))
    }

    /// The offset at which the segment with this number ends, unless it is the last one.
    pub(crate) fn end_offset(&self, number: u64) -> Option<u64> {
        self.list.get(self.place(number) + 1).map(|next| next.name.first_offset)
    }

    /// Takes the first segment out, unless it is the last one, too.
    pub(crate) fn remove_first(&mut self) -> Option<Segment> {
        if self.list.len() > 1 { self.list.pop_front() } else { None }
    }

    /// Takes all of them out.
    pub(crate) fn remove_all(&mut self) -> Vec<Segment> {
        self.entries.clear();
        self.list.drain(..).collect()
    }

    /// Octets of all segments, as far as they are known.
    pub(crate) fn octets(&self) -> u64 {
        self.list.iter().filter_map(|segment| segment.end).map(|end| end.position).sum()
    }
}
