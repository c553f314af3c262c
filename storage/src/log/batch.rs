//! What is written all or none.

use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::content::{self, Range, Target};
use crate::log::frame::{self, BODY_MAX, HEAD_MAX, HEADER, Header, Kind};
use crate::log::manifest::Mark;

/// Messages and settlements that are written to the log all or none, in order, encoded as they
/// are added: whoever adds them pays for that, not the log's writer.
#[derive(Clone, Debug, Default)]
pub struct LogBatch {
    octets: Vec<u8>,
    records: u32,
    last_at: usize,
    has_message: bool,
    may_overtake: bool,
    may_wait: bool,
}

impl LogBatch {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// No records, with room for so many octets.
    pub fn with_capacity(octets: usize) -> Self {
        Self { octets: Vec::with_capacity(octets), ..Self::default() }
    }

    /// Makes room for records of so many octets more.
    pub fn reserve(&mut self, octets: usize) {
        self.octets.reserve(octets);
    }

    /// Adds a message, stored once for all its targets. `meta` is kept beside the targets and
    /// comes back from recovery without the payload being read; the payload is given in parts.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a payload over 1 GiB, or targets and meta over 16 MiB.
    pub fn message(&mut self, targets: &[Target], meta: &[u8], payload: &[&[u8]]) -> Result<()> {
        let octets: usize = payload.iter().map(|part| part.len()).sum();
        if octets > BODY_MAX || targets.len() * 16 + meta.len() + 4 > HEAD_MAX {
            return Err(Error::TooLarge);
        }
        let head = |octets: &mut Vec<u8>| content::encode_message(octets, targets, meta);
        self.append(Kind::Message, head, payload);
        self.has_message = true;
        Ok(())
    }

    /// Adds that messages are gone. They have to have been submitted before, and do not come back.
    pub fn settled(&mut self, ranges: &[Range]) {
        const RANGES_MAX: usize = 1 << 16;
        for ranges in ranges.chunks(RANGES_MAX) {
            self.append(Kind::Settled, |octets| content::encode_ranges(octets, ranges), &[]);
        }
    }

    /// Adds that a queue's messages up to this sequence are gone.
    pub fn purged(&mut self, queue: QueueId, last: u64) {
        self.settled(&[Range { queue, first: 0, last }]);
    }

    /// Adds that a queue is gone with all its messages. Its number must not be used again.
    pub fn deleted(&mut self, queue: QueueId) {
        self.purged(queue, u64::MAX);
    }

    /// Allows the batch to be written before batches that were submitted earlier, if it only
    /// settles messages and while the disk is too full for those, so that space can come back.
    /// A crash may then leave it there without them: do not allow it for what must not be settled
    /// before other messages are there. No message of an earlier batch is settled before it is
    /// written, and batches are completed in order all the same.
    pub fn may_overtake(&mut self) {
        self.may_overtake = true;
    }

    /// Nobody waits for it: it is written with the next batch that somebody waits for, or after
    /// [`LogOptions::wait_at_most`](crate::LogOptions::wait_at_most). Batches after it are not
    /// written before it.
    pub fn may_wait(&mut self) {
        self.may_wait = true;
    }

    /// Whether it may wait.
    pub(crate) fn waits(&self) -> bool {
        self.may_wait
    }

    /// Takes the records out, which are written already; tells how many octets they took.
    pub(crate) fn empty(&mut self) -> usize {
        let may_wait = self.may_wait;
        std::mem::replace(self, Self { may_wait, ..Self::default() }).octets()
    }

    /// Whether it may overtake.
    pub(crate) fn overtakes(&self) -> bool {
        self.may_overtake && !self.has_message
    }

    pub(crate) fn clean_stop() -> Self {
        let mut batch = Self::new();
        batch.append(Kind::CleanStop, |_| (), &[]);
        batch
    }

    fn append(&mut self, kind: Kind, head: impl FnOnce(&mut Vec<u8>), body: &[&[u8]]) {
        self.last_at = self.octets.len();
        frame::append(&mut self.octets, kind, self.records, head, body);
        self.records += 1;
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records as usize
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Octets it takes in the log.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Makes it ready to be written to this place. Can be done anew for another place.
    pub(crate) fn stamp(&mut self, segment: u64, offset: u64, group: u64) {
        self.stamp_each(segment, offset, group, |_, _, _, _| ());
    }

    /// The same, and calls `each` with the kind, the offset, the span and the head of each record.
    pub(crate) fn stamp_each(
        &mut self,
        segment: u64,
        offset: u64,
        group: u64,
        mut each: impl FnMut(Kind, u64, usize, &[u8]),
    ) {
        if let Some(last) = self.octets.get_mut(self.last_at..) {
            frame::mark_last(last);
        }
        let mut at = 0;
        while let Some(record) = self.octets.get_mut(at..).filter(|rest| rest.len() >= HEADER) {
            let Some((head, span)) = lengths(record) else { break };
            let offset = offset + at as u64;
            frame::stamp(record, head, segment, offset, group);
            let kind = record.get(24).and_then(|kind| Kind::from_number(*kind));
            if let (Some(kind), Some(head)) = (kind, record.get(HEADER..HEADER + head)) {
                each(kind, offset, span, head);
            }
            at += span;
        }
    }

    /// The first and the last of its records once it was stamped for this place.
    pub(crate) fn marks(&self, offset: u64) -> Option<(Mark, Mark)> {
        let mark = |at: usize| {
            let checksum = u32::from_le_bytes(*self.octets.get(at..)?.first_chunk()?);
            Some(Mark { offset: offset + at as u64, checksum })
        };
        mark(0).zip(mark(self.last_at))
    }

    /// What is written.
    pub(crate) fn as_octets(&self) -> &[u8] {
        &self.octets
    }

    /// The kinds and heads of its records, stamped or not.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let octets = self.octets.get(at..)?;
            let (head, span) = lengths(octets)?;
            at += span;
            let kind = Kind::from_number(*octets.get(24)?)?;
            Some((kind, octets.get(HEADER..HEADER + head)?))
        })
    }

    /// The payload of a record that begins here.
    pub(crate) fn body_at(&self, at: usize, header: &Header) -> Option<&[u8]> {
        header.body_of(self.octets.get(at..)?)
    }

    /// Its records once it was stamped: where each begins in the batch, its header and its head.
    pub(crate) fn records(&self, segment: u64) -> impl Iterator<Item = (usize, Header, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let octets = self.octets.get(at..)?;
            let header = Header::parse(octets, segment)?;
            let begin = at;
            at += header.span();
            Some((begin, header, header.head_of(octets)?))
        })
    }
}

/// The length of the head of a record that was not stamped yet, and its span.
fn lengths(record: &[u8]) -> Option<(usize, usize)> {
    let head = u32::from_le_bytes(*record.get(8..)?.first_chunk()?) as usize;
    let body = u32::from_le_bytes(*record.get(12..)?.first_chunk()?) as usize;
    Some((head, (HEADER + head + body).next_multiple_of(frame::ALIGN)))
}
