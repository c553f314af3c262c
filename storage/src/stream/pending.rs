//! Chunks that are being filled.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::stream::batch::{EntryMark, StreamBatch};
use crate::stream::bloom::Bloom;
use crate::stream::chunk::{Header, Kind};
use crate::stream::record::Draft;
use crate::stream::tracking::{Change, Name, Sequence};

/// A chunk that nobody has written yet.
#[derive(Clone, Debug)]
pub(crate) struct PendingChunk {
    kind: Kind,
    first_offset: u64,
    pub(crate) timestamp_ms: i64,
    entries: u16,
    records: u32,
    data: Vec<u8>,
    filter: Bloom,
    /// How far the publishers are with it.
    publishers: BTreeMap<Name, Sequence>,
    /// Further changes of what is kept by name.
    pub(crate) changes: Vec<Change>,
}

impl PendingChunk {
    pub(crate) fn new(kind: Kind, first_offset: u64, timestamp_ms: i64, filter_octets: u8) -> Self {
        Self {
            kind,
            first_offset,
            timestamp_ms,
            entries: 0,
            records: 0,
            data: Vec::new(),
            filter: Bloom::new(filter_octets),
            publishers: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0 && self.changes.is_empty()
    }

    pub(crate) fn entries(&self) -> u16 {
        self.entries
    }

    /// Octets of data.
    pub(crate) fn octets(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn next_offset(&self) -> u64 {
        self.first_offset + u64::from(self.records)
    }

    /// Whether an entry of so many octets still belongs into it.
    fn takes(&self, octets: usize, octets_max: usize, entries_max: u16) -> bool {
        let is_user = self.kind == Kind::User;
        let fits = self.data.len() + octets <= octets_max || self.entries == 0;
        is_user && fits && self.entries < entries_max && self.records < u32::MAX / 2
    }

    /// Takes entries of a batch as far as they fit, until it holds so many; tells whether it took
    /// any.
    pub(crate) fn fill(&mut self, filling: &mut Filling<'_>, entries_max: u16) -> bool {
        let batch = filling.batch;
        let from = filling.at;
        let mut begin = from.checked_sub(1).and_then(|at| batch.entries.get(at)).map_or(0, end);
        // What is next to each other is copied together.
        let mut run = begin..begin;
        for entry in batch.entries.get(from..).unwrap_or_default() {
            let length = entry.end - begin;
            if filling.is_duplicate(entry) {
                filling.duplicates += 1;
                self.copy(batch, &run);
                run = entry.end..entry.end;
            } else if self.takes(run.len() + length, filling.chunk_octets, entries_max) {
                self.count(entry, filling);
                run.end = entry.end;
            } else {
                break;
            }
            begin = entry.end;
            filling.at += 1;
        }
        self.copy(batch, &run);
        filling.at > from
    }

    fn copy(&mut self, batch: &StreamBatch, range: &Range<usize>) {
        self.data.extend_from_slice(batch.octets.get(range.clone()).unwrap_or_default());
    }

    fn count(&mut self, entry: &EntryMark, filling: &mut Filling<'_>) {
        self.entries += 1;
        self.records += entry.records;
        self.filter.add(entry.filter);
        if let Some(publisher) = &filling.batch.publisher {
            let publishing_id = entry.publishing_id;
            filling.sent = Some(publishing_id);
            let sequence = Sequence { publishing_id, offset: self.next_offset().saturating_sub(1) };
            match self.publishers.get_mut(publisher) {
                Some(known) => *known = sequence,
                None => {
                    self.publishers.insert(publisher.clone(), sequence);
                }
            }
        }
    }

    /// How far a publisher is with it.
    pub(crate) fn sequence(&self, publisher: &Name) -> Option<Sequence> {
        self.publishers.get(publisher).copied()
    }

    /// The chunk as it is written.
    pub(crate) fn into_draft(self) -> Draft {
        let mut trailer = Vec::new();
        let publishers = self.publishers.into_iter();
        publishers.for_each(|(name, at)| Change::Publisher(name, at).encode(&mut trailer));
        self.changes.iter().for_each(|change| change.encode(&mut trailer));
        let header = Header {
            kind: self.kind,
            entries: self.entries,
            records: self.records,
            timestamp_ms: self.timestamp_ms,
            first_offset: self.first_offset,
            checksum: 0,
            data: 0,
            trailer: 0,
            filter: 0,
        };
        Draft::new(header, self.filter.as_octets().to_vec(), trailer, self.data)
    }
}

/// A batch on its way into chunks.
pub(crate) struct Filling<'a> {
    pub(crate) batch: &'a StreamBatch,
    pub(crate) chunk_octets: usize,
    /// The entry that comes next.
    pub(crate) at: usize,
    /// How far its publisher is.
    pub(crate) sent: Option<u64>,
    /// Entries that their publisher had sent before.
    pub(crate) duplicates: usize,
}

impl Filling<'_> {
    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.batch.entries.len()
    }

    fn is_duplicate(&self, entry: &EntryMark) -> bool {
        self.batch.publisher.is_some() && self.sent.is_some_and(|sent| entry.publishing_id <= sent)
    }
}

fn end(entry: &EntryMark) -> usize {
    entry.end
}
