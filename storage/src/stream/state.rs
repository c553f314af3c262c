//! What is known of a stream while it is open, under one lock.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::log::{Damage, Done};
use crate::stream::batch::StreamBatch;
use crate::stream::chunk::Kind;
use crate::stream::engine::Written;
use crate::stream::gates::Gates;
use crate::stream::index::{EntryKind, IndexEntry};
use crate::stream::options::StreamSettings;
use crate::stream::pending::{Filling, PendingChunk};
use crate::stream::record::Draft;
use crate::stream::segments::Segments;
use crate::stream::sizing::Sizing;
use crate::stream::tracking::{Change, Name, Tracking};

/// Called when the committed offset has moved, or the stream is deleted.
pub(crate) type Watching = Arc<dyn Fn() + Send + Sync>;

/// Damaged places that are remembered, so that each is reported once.
const REPORTED_MAX: usize = 256;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The offset of its first message, or if there is none that of the next one to come.
    pub first_offset: u64,
    /// The offset behind its last message.
    pub next_offset: u64,
    /// Entries that were appended.
    pub entries: usize,
    /// Entries that their publisher had sent before.
    pub duplicates: usize,
}

/// Where a chunk of messages is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub(crate) segment: u64,
    pub(crate) position: u64,
    pub(crate) first_offset: u64,
}

/// A callback that waits for the chunk with this number.
struct Waiting {
    chunk: u64,
    done: Done,
}

pub(crate) struct State {
    pub(crate) settings: StreamSettings,
    pub(crate) segments: Segments,
    /// The offset of the next message.
    pub(crate) next_offset: u64,
    /// The offset behind the last message that is committed.
    pub(crate) committed: u64,
    pub(crate) last_timestamp_ms: i64,
    /// The last chunk of messages; `None` if nobody has looked, or there is none.
    pub(crate) last_chunk: Option<ChunkPlace>,
    /// What is kept by name, with everything that was appended.
    pub(crate) tracking: Tracking,
    /// Changes that nobody waits for.
    changes: BTreeMap<Name, Option<u64>>,
    pending: VecDeque<PendingChunk>,
    sizing: Sizing,
    pub(crate) gates: Gates,
    /// Chunks that were ever filled, and those of them that are committed.
    filled: u64,
    done: u64,
    waiting: VecDeque<Waiting>,
    /// Callbacks that are due, in order, and whether a thread is calling.
    due: VecDeque<(Done, Result<()>)>,
    calling: bool,
    pub(crate) watchers: Arc<Vec<(u64, Watching)>>,
    /// It has ended: nothing more is written.
    pub(crate) deleted: bool,
    /// And its files may go.
    pub(crate) forgotten: bool,
    pub(crate) closed: bool,
    /// What is not written by now never will be.
    given_up: bool,
    /// Chunks wait that were not taken from here.
    has_drafts: bool,
    /// It is in the line of those that are to be written.
    pub(crate) queued: bool,
    pub(crate) queued_lazily: bool,
    reported: Vec<(u64, u64)>,
}

impl State {
    pub(crate) fn new(
        settings: StreamSettings,
        segments: Segments,
        next_offset: u64,
        last_timestamp_ms: i64,
        tracking: Tracking,
    ) -> Self {
        Self {
            settings,
            segments,
            next_offset,
            committed: next_offset,
            last_timestamp_ms,
            last_chunk: None,
            tracking,
            changes: BTreeMap::new(),
            pending: VecDeque::new(),
            sizing: Sizing::new(),
            gates: Gates::default(),
            filled: 0,
            done: 0,
            waiting: VecDeque::new(),
            due: VecDeque::new(),
            calling: false,
            watchers: Arc::default(),
            deleted: false,
            forgotten: false,
            closed: false,
            given_up: false,
            has_drafts: false,
            queued: false,
            queued_lazily: false,
            reported: Vec::new(),
        }
    }

    /// The first offset that is retained.
    pub(crate) fn first_offset(&self) -> u64 {
        self.segments.first().map_or(self.committed, |segment| segment.name.first_offset)
    }

    /// Appends a batch; also tells how many octets are new.
    pub(crate) fn append(
        &mut self,
        batch: &StreamBatch,
        now_ms: i64,
        chunk_octets: usize,
    ) -> (Appended, usize) {
        self.last_timestamp_ms = self.last_timestamp_ms.max(now_ms);
        let first_offset = self.next_offset;
        let publisher = batch.publisher.as_ref();
        let sent = publisher.and_then(|name| self.tracking.publishing_id(name));
        let mut filling = Filling { batch, chunk_octets, at: 0, sent, duplicates: 0 };
        let mut octets = 0;
        while !filling.is_done() {
            let before = self.pending.back().map_or(0, PendingChunk::octets);
            if !self.fill(&mut filling) {
                self.begin_chunk(Kind::User);
                continue;
            }
            octets += self.pending.back().map_or(0, PendingChunk::octets) - before;
        }
        self.drop_empty();
        let next_offset = self.next_offset;
        let Filling { duplicates, .. } = filling;
        let entries = batch.entries.len() - duplicates;
        (Appended { first_offset, next_offset, entries, duplicates }, octets)
    }

    /// Puts entries into the last chunk; tells whether it took any.
    fn fill(&mut self, filling: &mut Filling<'_>) -> bool {
        let may_fill = self.gates.may_fill(self.filled);
        let Some(chunk) = self.pending.back_mut().filter(|_| may_fill) else { return false };
        if !chunk.fill(filling, self.sizing.entries_max()) {
            return false;
        }
        chunk.timestamp_ms = self.last_timestamp_ms;
        self.next_offset = chunk.next_offset();
        if let Some(publisher) = &filling.batch.publisher
            && let Some(sequence) = chunk.sequence(publisher)
        {
            self.tracking.apply(Change::Publisher(publisher.clone(), sequence));
        }
        true
    }

    fn begin_chunk(&mut self, kind: Kind) {
        self.drop_empty();
        self.sizing.begin_behind(self.pending.back());
        let filter_octets = self.settings.filter_octets;
        let chunk =
            PendingChunk::new(kind, self.next_offset, self.last_timestamp_ms, filter_octets);
        self.pending.push_back(chunk);
        self.filled += 1;
    }

    /// A chunk that would have held nothing but duplicates is none.
    fn drop_empty(&mut self) {
        if self.pending.back().is_some_and(|chunk| chunk.is_empty()) {
            self.pending.pop_back();
            self.filled -= 1;
        }
    }

    /// Changes an offset that is kept by name; `None` forgets it. With `waits` it is written as
    /// soon as what was appended before, else with the next chunk.
    pub(crate) fn change(&mut self, name: Name, offset: Option<u64>, waits: bool) {
        let change = change(name.clone(), offset);
        self.tracking.apply(change.clone());
        if waits {
            self.changes.remove(&name);
            self.begin_chunk(Kind::Changes);
            self.pending
                .back_mut()
                .into_iter()
                .for_each(|chunk| chunk.changes.push(change.clone()));
        } else {
            self.changes.insert(name, offset);
        }
    }

    /// It begins with what another stream held.
    pub(crate) fn begin_with(
        &mut self,
        first_offset: u64,
        next_offset: u64,
        tracking: &Tracking,
        timestamp_ms: i64,
    ) {
        (self.committed, self.next_offset) = (first_offset, next_offset);
        self.tracking = tracking.clone();
        self.last_timestamp_ms = timestamp_ms;
    }

    /// Chunks are on their way that nobody filled here.
    pub(crate) fn note_drafts(&mut self, count: usize) {
        self.filled += count as u64;
        self.has_drafts = count > 0;
    }

    /// Has `done` called once everything that was appended is committed.
    pub(crate) fn wait(&mut self, done: Done) {
        self.waiting.push_back(Waiting { chunk: self.filled, done });
        self.make_due(self.given_up);
    }

    /// Closes a gate before what is appended next; tells its number.
    pub(crate) fn close_gate(&mut self) -> u64 {
        self.gates.close(self.filled)
    }

    /// Opens a gate.
    pub(crate) fn open_gate(&mut self, number: u64) {
        self.gates.open(number, self.filled);
    }

    /// A gate is never opened: who waits for what is behind it does so in vain.
    pub(crate) fn lose_gate(&mut self, number: u64) {
        if self.gates.lose(number) {
            self.closed = true;
            self.make_due(false);
        }
    }

    /// Chunks that may be written: those before the first closed gate.
    fn writable(&self) -> usize {
        let all = self.pending.len();
        let taken = self.filled - all as u64;
        let gated = self.gates.first_chunk().map(|chunk| (chunk - 1).saturating_sub(taken));
        gated.and_then(|chunks| usize::try_from(chunks).ok()).map_or(all, |chunks| chunks.min(all))
    }

    /// Whether something waits behind a closed gate.
    pub(crate) fn is_gated(&self) -> bool {
        self.gates.first_chunk().is_some()
    }

    /// Callbacks are due whose chunks are committed, or never will be; with `all` those of the
    /// others fail.
    fn make_due(&mut self, all: bool) {
        while let Some(first) = self.waiting.front()
            && (all || first.chunk <= self.done || self.gates.is_lost(first.chunk))
        {
            let is_done = first.chunk <= self.done;
            let Some(Waiting { done, .. }) = self.waiting.pop_front() else { break };
            self.due.push_back((done, if is_done { Ok(()) } else { Err(Error::Failed) }));
        }
    }

    /// Takes chunks to write, up to about so many octets.
    pub(crate) fn take(&mut self, octets_max: usize) -> Vec<PendingChunk> {
        let mut writable = self.writable();
        if writable > 0 || !self.is_gated() {
            self.take_changes();
            writable = self.writable();
        }
        let (mut octets, mut taken) = (0, Vec::new());
        while octets < octets_max
            && taken.len() < writable
            && let Some(chunk) = self.pending.pop_front()
        {
            octets += chunk.octets();
            taken.push(chunk);
        }
        self.sizing.note_taken(taken.last().filter(|_| self.pending.is_empty()));
        taken
    }

    /// Changes that nobody waits for go along with the last chunk.
    fn take_changes(&mut self) {
        let changes = mem::take(&mut self.changes);
        if !changes.is_empty() {
            if self.pending.is_empty() {
                self.begin_chunk(Kind::Changes);
            }
            if let Some(last) = self.pending.back_mut() {
                last.changes.extend(changes.into_iter().map(|(name, at)| change(name, at)));
            }
        }
    }

    /// Whether there is something that can be written.
    pub(crate) fn has_work(&self) -> bool {
        let has_changes = !self.changes.is_empty() && !self.is_gated();
        self.writable() > 0 || has_changes || self.has_drafts
    }

    /// Chunks are in the segment that is being written, as durable as they get.
    pub(crate) fn commit(&mut self, written: &Written, drafts: &[Draft]) {
        let segment = written.segment.place.segment;
        for (draft, position) in drafts.iter().zip(&written.positions) {
            if draft.header.kind == Kind::User {
                let first_offset = draft.header.first_offset;
                self.last_chunk = Some(ChunkPlace { segment, position: *position, first_offset });
                self.committed = draft.header.next_offset();
            }
        }
        if let Some(last) = self.segments.last_mut() {
            last.end = Some(written.end);
        }
        self.segments.entries.extend(written.entries.iter().copied());
        self.done += written.positions.len() as u64;
        self.has_drafts = false;
        self.make_due(false);
    }

    /// Nothing more is written: what waits fails, or if the stream is gone for good succeeds, since
    /// a message to a queue that is gone counts as delivered.
    pub(crate) fn give_up(&mut self) -> usize {
        if self.forgotten {
            self.done = self.filled;
        }
        self.given_up = true;
        self.make_due(true);
        self.changes.clear();
        self.gates.clear();
        mem::take(&mut self.pending).iter().map(PendingChunk::octets).sum()
    }

    /// The next callback that is due, if no other thread is calling. Whoever gets one asks again.
    pub(crate) fn next_due(&mut self, is_calling: bool) -> Option<(Done, Result<()>)> {
        if self.calling && !is_calling {
            return None;
        }
        let due = self.due.pop_front();
        self.calling = due.is_some();
        due
    }

    /// Whether this damage is news.
    pub(crate) fn is_news(&mut self, segment: u64, damage: &Damage) -> bool {
        let place = (segment, damage.offset);
        if self.reported.contains(&place) {
            return false;
        }
        if self.reported.len() >= REPORTED_MAX {
            self.reported.remove(0);
        }
        self.reported.push(place);
        true
    }

    /// The last entry of the index before which everything is `before`, of those that are in
    /// memory.
    pub(crate) fn search_entries(
        &self,
        before: impl Fn(&IndexEntry) -> bool,
    ) -> Option<IndexEntry> {
        let entries = self.segments.entries.iter().rev();
        entries.filter(|entry| entry.kind != EntryKind::End).find(|entry| before(entry)).copied()
    }
}

fn change(name: Name, offset: Option<u64>) -> Change {
    match offset {
        Some(offset) => Change::Offset(name, offset),
        None => Change::Forgotten(name),
    }
}
