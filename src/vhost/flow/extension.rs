//! What exchanges of the extensions' types hold besides bindings.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use amq_protocol::types::FieldTable;

use crate::base::lock::{Mutex, MutexGuard};
use crate::base::rank;
use crate::error::ExchangeArgumentError;
use crate::exchange::{
    DelayLine, DuplicateCache, ExchangeType, History, is_remembered, own_ttl_ms,
};
use crate::message::Message;
use crate::message::duplicate_key::DuplicateKey;
use crate::time::clock::Timestamp;
use crate::vhost::flow::kept::Kept;

/// The messages that a delayed exchange keeps; `None` once it is deleted.
pub(in crate::vhost) struct Delays {
    line: Mutex<Option<DelayLine<Kept>>, rank::Delayed>,
    /// Held while messages are released, so that two threads do not mix up their order.
    pub(in crate::vhost) turn: Mutex<(), rank::DelayedTurn>,
    /// The number that the next message gets in the store.
    next_number: AtomicU64,
}

/// The past of an exchange whose type looks back.
enum Past {
    Ignored,
    History(Mutex<Option<History<Kept>>, rank::History>),
    Duplicates(Mutex<Option<DuplicateCache>, rank::Duplicates>),
}

/// State of an exchange of an extension's type. Everything in it is dropped when the exchange is
/// deleted, and from then on it takes nothing.
pub(in crate::vhost) struct Extension {
    delays: Option<Delays>,
    past: Past,
}

/// What an exchange keeps besides bindings, at one moment.
#[derive(Clone, Default)]
pub(in crate::vhost) struct KeptThings {
    /// Delayed messages, and when they are due, in that order.
    pub delayed: Vec<(Timestamp, Kept)>,
    /// The last messages, oldest first.
    pub history: Vec<Kept>,
    /// Keys of messages that were here, and until when they are remembered.
    pub duplicates: Vec<(DuplicateKey, Timestamp)>,
}

/// The history of an exchange, locked: bindings and messages that come now have to wait, so that
/// a new binding gets every message once.
pub(in crate::vhost) type HistoryGuard<'a> = MutexGuard<'a, Option<History<Kept>>>;

impl Extension {
    /// What an exchange of that type needs, if anything. `routing` is the type that routes.
    pub(crate) fn new(
        kind: ExchangeType,
        routing: ExchangeType,
        arguments: &FieldTable,
    ) -> Result<Option<Box<Self>>, ExchangeArgumentError> {
        let past = match routing {
            ExchangeType::RecentHistory => {
                Past::History(Mutex::new(Some(History::new(arguments)?)))
            }
            ExchangeType::MessageDeduplication => {
                Past::Duplicates(Mutex::new(Some(DuplicateCache::new(arguments)?)))
            }
            _ => Past::Ignored,
        };
        let delays = (kind == ExchangeType::DelayedMessage).then(|| Delays {
            line: Mutex::new(Some(DelayLine::default())),
            turn: Mutex::new(()),
            next_number: AtomicU64::new(1),
        });
        let has_any = delays.is_some() || !matches!(past, Past::Ignored);
        Ok(has_any.then(|| Box::new(Self { delays, past })))
    }

    /// The delayed messages, if the exchange delays.
    pub(crate) fn delays(&self) -> Option<&Delays> {
        self.delays.as_ref()
    }

    /// Whether what was here before matters.
    pub(crate) fn looks_back(&self) -> bool {
        !matches!(self.past, Past::Ignored)
    }

    /// Whether a message with these headers was here before; if not, it was now. Tells also by
    /// how many octets the memory of the past grew.
    pub(crate) fn is_duplicate(&self, headers: &FieldTable, now: Timestamp) -> (bool, isize) {
        let Past::Duplicates(cache) = &self.past else { return (false, 0) };
        let Some(key) = DuplicateKey::in_headers(headers) else { return (false, 0) };
        let mut cache = cache.lock();
        let Some(cache) = cache.as_mut() else { return (false, 0) };
        let before = cache.footprint();
        let fresh = cache.insert(key, own_ttl_ms(headers), now);
        (!fresh, cache.footprint() as isize - before as isize)
    }

    /// The history, locked, if the exchange has one.
    pub(crate) fn history(&self) -> Option<HistoryGuard<'_>> {
        match &self.past {
            Past::History(history) => Some(history.lock()),
            _ => None,
        }
    }

    /// What it holds.
    pub(crate) fn kept(&self) -> KeptThings {
        let mut things = KeptThings::default();
        if let Some(delays) = &self.delays {
            things.delayed = delays.waiting();
        }
        match &self.past {
            Past::Ignored => {}
            Past::History(history) => {
                let history = history.lock();
                things.history = history.iter().flat_map(History::iter).cloned().collect();
            }
            Past::Duplicates(cache) => {
                let cache = cache.lock();
                let entries = cache.iter().flat_map(DuplicateCache::entries);
                things.duplicates = entries.map(|(key, until)| (key.clone(), until)).collect();
            }
        }
        things
    }

    /// Holds these things from now on, in place of those that it has; an exchange that is deleted
    /// takes nothing. Tells by how many octets it grew, and the numbers in the store of messages
    /// that are gone.
    pub(crate) fn replace(&self, things: KeptThings) -> (isize, Vec<u64>) {
        let delays = self.delays.as_ref();
        let (mut grown, gone) =
            delays.map(|delays| delays.replace(things.delayed)).unwrap_or_default();
        match &self.past {
            Past::Ignored => {}
            Past::History(history) => {
                if let Some(history) = history.lock().as_mut() {
                    grown -= octets(&history.drain().collect::<Vec<_>>());
                    grown += octets(&things.history);
                    for kept in things.history {
                        history.push(kept);
                    }
                }
            }
            Past::Duplicates(cache) => {
                if let Some(cache) = cache.lock().as_mut() {
                    grown -= cache.footprint() as isize;
                    cache.replace(things.duplicates);
                    grown += cache.footprint() as isize;
                }
            }
        }
        (grown, gone)
    }

    /// Drops everything; tells how many octets it occupied.
    pub(crate) fn clear(&self) -> usize {
        let delayed = self.delays.as_ref().and_then(|delays| delays.line.lock().take());
        let mut octets = delayed.map_or(0, |line| line.iter().map(Kept::footprint).sum());
        match &self.past {
            Past::Ignored => {}
            Past::History(history) => {
                let history = history.lock().take();
                octets += history.map_or(0, |h| h.iter().map(Kept::footprint).sum::<usize>());
            }
            Past::Duplicates(cache) => {
                octets += cache.lock().take().map_or(0, |cache| cache.footprint());
            }
        }
        octets
    }
}

fn octets(kept: &[Kept]) -> isize {
    kept.iter().map(Kept::footprint).sum::<usize>() as isize
}

/// Adds a message to a history unless its headers forbid it; tells by how many octets it grew.
pub(in crate::vhost) fn remember(
    history: &mut HistoryGuard<'_>,
    kept: impl FnOnce() -> Kept,
    headers: Option<&FieldTable>,
) -> isize {
    let Some(history) = history.as_mut() else { return 0 };
    if !headers.is_none_or(is_remembered) {
        return 0;
    }
    let kept = kept();
    let grown = kept.footprint() as isize;
    grown - history.push(kept).map_or(0, |forgotten| forgotten.footprint() as isize)
}

impl Delays {
    /// Messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.line.lock().as_ref().map_or(0, DelayLine::len)
    }

    /// A number for a message in the store.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Numbers below this one are in use.
    pub(crate) fn continue_from(&self, number: u64) {
        self.next_number.fetch_max(number, Ordering::Relaxed);
    }

    /// Whether the exchange is deleted.
    pub(crate) fn is_over(&self) -> bool {
        self.line.lock().is_none()
    }

    /// Keeps a message until it is due. Tells whether it is kept: the exchange may be gone; and
    /// when the timer is to go off, if that is news.
    pub(crate) fn push(&self, due: Timestamp, kept: Kept) -> (bool, Option<Timestamp>) {
        let mut line = self.line.lock();
        let Some(line) = line.as_mut() else { return (false, None) };
        line.push(due, kept);
        (true, line.new_deadline())
    }

    /// What waits and when it is due, in that order, as if it was not in the store.
    fn waiting(&self) -> Vec<(Timestamp, Kept)> {
        let line = self.line.lock();
        let waiting = line.iter().flat_map(DelayLine::in_order);
        waiting.map(|(due, kept)| (due, kept.unstored())).collect()
    }

    /// Keeps these messages in place of those that it has, unless the exchange is deleted. Tells
    /// by how many octets they are larger, and the numbers in the store of those that are gone.
    fn replace(&self, waiting: Vec<(Timestamp, Kept)>) -> (isize, Vec<u64>) {
        let mut line = self.line.lock();
        let Some(line) = line.as_mut() else { return (0, Vec::new()) };
        let old: Vec<Kept> = line.drain().collect();
        let mut grown = -octets(&old);
        for (due, kept) in waiting {
            grown += kept.footprint() as isize;
            line.push(due, kept);
        }
        (grown, old.iter().filter_map(Kept::stored_number).collect())
    }

    /// The timer has gone off.
    pub(crate) fn woken(&self) {
        if let Some(line) = self.line.lock().as_mut() {
            line.woken();
        }
    }

    /// What waits, when it is due, and its number, in that order.
    pub(crate) fn numbered(&self) -> Vec<(Timestamp, u64, Message)> {
        let line = self.line.lock();
        let waiting = line.iter().flat_map(DelayLine::numbered);
        waiting.map(|(due, number, kept)| (due, number, kept.message().clone())).collect()
    }

    /// Takes messages by their numbers before their time, in order.
    pub(crate) fn take(&self, numbers: &HashSet<u64>) -> Vec<Kept> {
        self.line.lock().as_mut().map_or(Vec::new(), |line| line.take(numbers))
    }

    /// Takes up to `max` messages that are due, in order.
    pub(crate) fn take_due(&self, max: usize, now: Timestamp) -> Vec<Kept> {
        let mut line = self.line.lock();
        let Some(line) = line.as_mut() else { return Vec::new() };
        std::iter::from_fn(|| line.take_due(now)).take(max).collect()
    }

    /// When the timer is to go off, if it does not know.
    pub(crate) fn new_deadline(&self) -> Option<Timestamp> {
        self.line.lock().as_mut().and_then(DelayLine::new_deadline)
    }
}
