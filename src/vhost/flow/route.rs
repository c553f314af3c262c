//! From an exchange to the queues that get a message.

use std::collections::HashSet;
use std::sync::Arc;

use amq_protocol::types::FieldTable;
use leveret_protocol::properties::RawProperties;
use smallvec::SmallVec;

use crate::exchange::matching::binding_matches;
use crate::exchange::{Routing, delay_ms};
use crate::insight::journal::{DropReason, EventKind, UsedBinding};
use crate::limits::JOURNAL_BINDINGS_MAX;
use crate::message::Message;
use crate::queue::Queue;
use crate::vhost::VirtualHost;
use crate::vhost::flow::extension::remember;
use crate::vhost::flow::kept::Kept;
use crate::vhost::topology::exchange::{Destination, Exchange};

/// Queues, mostly one.
pub(crate) type Queues = SmallVec<[Arc<Queue>; 1]>;

/// The queues that get a message, each once. What every message needs comes first.
#[derive(Clone, Default)]
#[repr(C)]
pub(crate) struct Route {
    /// The queues.
    pub queues: Queues,
    /// Whether every message with the same exchange and routing key goes the same way, for as
    /// long as no binding changes.
    pub repeatable: bool,
    /// Whether an exchange has kept the message for later, or dropped it as a duplicate: then it
    /// is not unroutable, even if there is no queue.
    pub taken: bool,
    /// Of a transaction: where the message will be routed, when it is committed.
    pub(crate) deferred: Option<Box<Deferred>>,
    /// What the journal is told of each message that goes along, if there is one.
    pub(crate) noted: Option<EventKind>,
}

/// A message that is routed later.
#[derive(Clone)]
pub(crate) struct Deferred {
    pub exchange: Arc<Exchange>,
    pub kept: Kept,
}

/// On what occasion a message is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It is published, or dead-lettered.
    Publish,
    /// It is published in a transaction: if an exchange would keep it or remember it, that has to
    /// wait for the commit.
    Transaction,
    /// The exchange that it starts from has kept it, and now it is due.
    Due,
}

/// What of a message decides where it goes.
pub(in crate::vhost) struct Subject<'a> {
    /// Its routing key, then those in `CC` and `BCC` `[rabbitmq sender-selected]`.
    pub routing_keys: &'a [&'a [u8]],
    /// Its headers, if they were parsed already.
    pub headers: Option<&'a FieldTable>,
    pub message: &'a Message,
}

impl Subject<'_> {
    fn properties(&self) -> RawProperties<'_> {
        self.message.raw_properties()
    }

    /// The headers; `parsed` remembers them.
    pub(in crate::vhost) fn headers<'a>(
        &'a self,
        parsed: &'a mut Option<FieldTable>,
    ) -> Option<&'a FieldTable> {
        if self.headers.is_none() && parsed.is_none() {
            *parsed = self.properties().headers().and_then(Result::ok);
        }
        self.headers.or(parsed.as_ref())
    }
}

impl VirtualHost {
    /// Follows the bindings from `exchange`, over bound and alternate exchanges, each of which is
    /// visited once.
    pub(in crate::vhost) fn route(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        subject: &Subject<'_>,
        pass: Pass,
    ) -> Route {
        let mut route = Route { repeatable: subject.routing_keys.len() == 1, ..Route::default() };
        let mut parsed = None;
        let mut seen = SmallVec::<[_; 1]>::from([Arc::clone(exchange)]);
        let (mut known, mut known_queues) = (HashSet::new(), HashSet::new());
        let mut visited = 0;
        let mut used = Vec::new();
        while let Some(exchange) = seen.get(visited).cloned() {
            visited += 1;
            let mut destinations = Vec::new();
            let mut history = None;
            if let Some(extension) = &exchange.extension {
                if pass == Pass::Transaction {
                    return Route { deferred: defer(&seen, subject), ..Route::default() };
                }
                let is_due = pass == Pass::Due && visited == 1;
                route.repeatable &= is_due && !extension.looks_back();
                let headers = subject.headers(&mut parsed);
                if !self.admits(&exchange, is_due, subject, headers) {
                    route.taken = true;
                    continue;
                }
                history = extension.history();
                if let Some(history) = &mut history {
                    let kept = || Kept::new(subject.message.clone(), subject.routing_keys);
                    self.shared.memory.add(remember(history, kept, headers));
                }
            }
            // As an alternate exchange it leads nowhere: no binding of it is in the tables.
            if exchange.is_default() && visited == 1 {
                let queues = subject.routing_keys.iter().filter_map(|key| self.queue_by_key(key));
                destinations.extend(queues.map(Destination::Queue));
            } else {
                let repeatable = match_bindings(&exchange, subject, &mut parsed, &mut destinations);
                route.repeatable &= repeatable;
                if self.journal().is_some() {
                    used_bindings(&exchange, subject, &destinations, &mut used);
                }
            }
            drop(history);
            if destinations.is_empty() {
                destinations.extend(
                    exchange
                        .alternate()
                        .and_then(|name| self.find_exchange(name.as_str()))
                        .map(Destination::Exchange),
                );
            }
            for destination in destinations {
                match destination {
                    Destination::Queue(queue) => {
                        add(&mut route.queues, &mut known_queues, queue);
                    }
                    Destination::Exchange(exchange) => add(&mut seen, &mut known, exchange),
                }
            }
        }
        self.note_route(&mut route, used);
        route
    }

    /// Whether a message goes on to the bindings of an extension's exchange, and not into its
    /// delays or nowhere.
    fn admits(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        is_due: bool,
        subject: &Subject<'_>,
        headers: Option<&FieldTable>,
    ) -> bool {
        let (Some(extension), Some(headers)) = (&exchange.extension, headers) else { return true };
        if !is_due
            && let Some(delays) = extension.delays()
            && let Some(ms) = delay_ms(headers)
        {
            self.delay(exchange, delays, subject, headers, ms);
            return false;
        }
        let (is_duplicate, grown) = extension.is_duplicate(headers, self.now());
        self.shared.memory.add(grown);
        if is_duplicate {
            self.note(Some(subject.message), || EventKind::Dropped {
                from: exchange.name().to_string(),
                because: DropReason::Duplicate,
            });
        }
        !is_duplicate
    }

    fn queue_by_key(&self, routing_key: &[u8]) -> Option<Arc<Queue>> {
        self.find_queue(std::str::from_utf8(routing_key).ok()?)
    }
}

fn defer(seen: &[Arc<Exchange>], subject: &Subject<'_>) -> Option<Box<Deferred>> {
    let exchange = Arc::clone(seen.first()?);
    let kept = Kept::new(subject.message.clone(), subject.routing_keys);
    Some(Box::new(Deferred { exchange, kept }))
}

/// Up to so many a list is searched from front to back; above, what is in it is known by its
/// address.
const SCANNED_MAX: usize = 16;

/// Adds what is not in the list yet. `known` is what it holds, once that is much.
fn add<T>(list: &mut SmallVec<[Arc<T>; 1]>, known: &mut HashSet<usize>, item: Arc<T>) {
    let address = |item: &Arc<T>| Arc::as_ptr(item).addr();
    let is_new = if list.len() < SCANNED_MAX {
        !list.iter().any(|other| Arc::ptr_eq(other, &item))
    } else {
        if known.is_empty() {
            known.extend(list.iter().map(address));
        }
        known.insert(address(&item))
    };
    if is_new {
        list.push(item);
    }
}

/// Adds what the bindings of one exchange lead to. Tells whether the routing key alone decided.
fn match_bindings(
    exchange: &Exchange,
    subject: &Subject<'_>,
    parsed: &mut Option<FieldTable>,
    destinations: &mut Vec<Destination>,
) -> bool {
    let router = exchange.router.read();
    let kind = router.kind();
    let by_headers = router.needs_headers();
    let by_properties = router.needs_properties();
    let mut routing = Routing { random: random(), ..Routing::default() };
    if by_headers {
        routing.headers = subject.headers(parsed);
    }
    if by_properties {
        let properties = subject.properties();
        routing.correlation_id = properties.correlation_id();
        routing.message_id = properties.message_id();
        routing.timestamp = properties.timestamp();
    }
    let keys =
        if kind.routes_each_key() { subject.routing_keys } else { &subject.routing_keys[..1] };
    for key in keys {
        routing.routing_key = key;
        router.route(&routing, destinations);
    }
    !by_headers && !by_properties && !kind.is_random()
}

/// A number that differs from message to message; nothing depends on its being unpredictable.
fn random() -> u64 {
    use std::cell::Cell;
    use std::hash::{BuildHasher, RandomState};
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0));
    }
    STATE.with(|state| {
        // splitmix64
        let next = state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        state.set(next);
        let mut z = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// The bindings of an exchange that led a message to these destinations.
fn used_bindings(
    exchange: &Exchange,
    subject: &Subject<'_>,
    destinations: &[Destination],
    used: &mut Vec<UsedBinding>,
) {
    let router = exchange.router.read();
    if router.len() > JOURNAL_BINDINGS_MAX {
        return;
    }
    let mut parsed = None;
    let headers = subject.headers(&mut parsed);
    let keys = subject.routing_keys;
    let matching = router.bindings().filter(|binding| {
        destinations.contains(binding.destination)
            && binding_matches(router.kind(), binding.binding_key, binding.arguments, keys, headers)
    });
    let from = used.len();
    used.extend(matching.map(|binding| UsedBinding {
        source: exchange.name().clone(),
        destination: binding.destination.name().to_owned(),
        binding_key: binding.binding_key.to_vec(),
    }));
    // Bindings have no order of their own; a text that is the same each time is easier to read.
    if let Some(own) = used.get_mut(from..) {
        own.sort_by(|a, b| (&a.destination, &a.binding_key).cmp(&(&b.destination, &b.binding_key)));
    }
}
