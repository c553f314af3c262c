//! What has happened in a broker, in order, for tests to ask about.
//!
//! The journal is off unless [`BrokerBuilder::journal`](crate::BrokerBuilder::journal) asks for
//! it. It keeps the last so many events, with the messages they are about: these stay in memory
//! for as long, and do not count against the broker's memory limit.
//!
//! ```
//! use leveret::{Broker, Publish};
//!
//! let broker = Broker::builder().journal(1000).build();
//! let channel = broker.connect()?.open_channel()?;
//! channel.queue_declare("mail")?;
//! channel.basic_publish(Publish::to_queue("mail").body("welcome"))?;
//! let journal = broker.journal();
//! journal.published().with_key("mail").assert_count(1);
//! journal.delivered().in_queue("mail").assert_none();
//! # Ok::<(), leveret::Error>(())
//! ```

mod assertions;
pub(crate) mod describe;
mod event;
mod events;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

pub use self::event::{DropReason, Event, EventKind, UsedBinding};
pub use self::events::Events;
pub use crate::message::deaths::DeathReason;

use crate::base::lock::Mutex;
use crate::base::names::VirtualHostName;
use crate::base::rank;
use crate::message::Message;
use crate::time::change_signal::ChangeSignal;
use crate::time::clock::Timestamp;

/// The last events of a broker.
pub struct Journal {
    capacity: usize,
    started_at: Timestamp,
    changes: Arc<ChangeSignal>,
    state: Mutex<State, rank::Journal>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Arc<Event>>,
    /// How many there ever were.
    total: u64,
    forgotten: u64,
    /// Of the messages that the events are about, by their addresses, which are theirs for as
    /// long as an event holds them.
    traces: HashMap<usize, Trace>,
    /// Where those of them are that were paged out, and what their addresses were.
    places: HashMap<Place, usize>,
}

struct Trace {
    number: u64,
    message: Message,
    /// Events about the message.
    events: usize,
    /// Where it was paged out.
    places: Vec<Place>,
}

/// A queue's number in the store, and a sequence there.
type Place = (u64, u64);

impl State {
    fn forget_oldest(&mut self) {
        let Some(event) = self.events.pop_front() else { return };
        self.forgotten += 1;
        let Some(message) = &event.message else { return };
        if let Some(trace) = self.traces.get_mut(&message.address()) {
            trace.events -= 1;
            if trace.events == 0
                && let Some(trace) = self.traces.remove(&message.address())
            {
                for place in &trace.places {
                    self.places.remove(place);
                }
            }
        }
    }

    /// The number of the trace of an event about `message`, which came from `origin`.
    fn trace(&mut self, message: &Message, origin: Option<&Message>) -> u64 {
        let known = |message: &Message| self.traces.get(&message.address()).map(|t| t.number);
        let first = origin.and_then(known).unwrap_or(self.total);
        let trace = self.traces.entry(message.address()).or_insert_with(|| Trace {
            number: first,
            message: message.clone(),
            events: 0,
            places: Vec::new(),
        });
        trace.events += 1;
        trace.number
    }
}

impl Journal {
    /// How many events it keeps at most; 0 if it is off.
    #[cfg(feature = "management")]
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// An empty journal that keeps `capacity` events; with 0 it is off.
    pub(crate) fn new(capacity: usize, started_at: Timestamp, changes: Arc<ChangeSignal>) -> Self {
        Self { capacity, started_at, changes, state: Mutex::default() }
    }

    /// Keeps an event. May be called under any lock.
    pub(crate) fn note(
        &self,
        at: Timestamp,
        virtual_host: &VirtualHostName,
        message: Option<&Message>,
        kind: EventKind,
    ) {
        self.note_derived(at, virtual_host, message, None, kind);
    }

    /// As [`Journal::note`], for a message that was made from another.
    pub(crate) fn note_derived(
        &self,
        at: Timestamp,
        virtual_host: &VirtualHostName,
        message: Option<&Message>,
        origin: Option<&Message>,
        kind: EventKind,
    ) {
        let mut state = self.state.lock();
        state.total += 1;
        let event = Event {
            number: state.total,
            at,
            virtual_host: virtual_host.clone(),
            trace: message.map(|message| state.trace(message, origin)),
            message: message.cloned(),
            kind,
        };
        state.events.push_back(Arc::new(event));
        if state.events.len() > self.capacity {
            state.forget_oldest();
        }
        drop(state);
        self.changes.note();
    }

    /// A message is about to leave memory for this place in the store.
    pub(crate) fn note_paged_out(&self, queue: u64, sequence: u64, message: &Message) {
        let (place, address) = ((queue, sequence), message.address());
        let mut state = self.state.lock();
        let State { traces, places, .. } = &mut *state;
        if let Some(trace) = traces.get_mut(&address)
            && places.insert(place, address).is_none()
        {
            trace.places.push(place);
        }
    }

    /// The message that was paged out to this place, if some event is about it: what is read there
    /// is the same, but would not be known as such.
    pub(crate) fn find_paged(&self, queue: u64, sequence: u64) -> Option<Message> {
        let state = self.state.lock();
        let address = state.places.get(&(queue, sequence))?;
        state.traces.get(address).map(|trace| trace.message.clone())
    }

    /// Whether anything is kept.
    pub fn is_on(&self) -> bool {
        self.capacity > 0
    }

    /// How many events were forgotten because there were more than the journal keeps, since it was
    /// last cleared.
    pub fn forgotten(&self) -> u64 {
        self.state.lock().forgotten
    }

    /// Forgets all events, for a test that begins where another part ended. None counts as
    /// forgotten then, and numbers go on.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        state.forgotten = 0;
        state.events.clear();
        state.traces.clear();
        state.places.clear();
    }

    /// All events that are kept, oldest first, as they are now.
    pub fn events(&self) -> Events {
        let state = self.state.lock();
        let all: Vec<_> = state.events.iter().cloned().collect();
        let forgotten = state.forgotten;
        drop(state);
        Events::new(all, self.started_at, self.is_on(), forgotten)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.state.lock().events.len();
        f.debug_struct("Journal")
            .field("capacity", &self.capacity)
            .field("events", &events)
            .finish_non_exhaustive()
    }
}

/// All events in plain English, one line each.
impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events().fmt(f)
    }
}
