//! From an exchange to the queues that get a message.

use std::sync::Arc;

use amq_protocol::types::FieldTable;
use leveret_protocol::properties::RawProperties;

use crate::exchange::Routing;
use crate::queue::Queue;
use crate::vhost::VirtualHost;
use crate::vhost::exchange::{Destination, Exchange};

/// The queues that get a message, each once.
#[derive(Clone, Default)]
pub struct Route {
    /// The queues.
    pub queues: Vec<Arc<Queue>>,
    /// Whether every message with the same exchange and routing key goes the same way, for as
    /// long as no binding changes.
    pub repeatable: bool,
}

/// What of a message decides where it goes.
pub(super) struct Subject<'a> {
    /// Its routing key, then those in `CC` and `BCC` `[rabbitmq sender-selected]`.
    pub routing_keys: &'a [&'a [u8]],
    /// Its headers, if they were parsed already.
    pub headers: Option<&'a FieldTable>,
    pub properties: RawProperties<'a>,
}

impl VirtualHost {
    /// Follows the bindings from `exchange`, over bound and alternate exchanges, each of which is
    /// visited once.
    pub(super) fn route(&self, exchange: &Arc<Exchange>, subject: &Subject<'_>) -> Route {
        let mut route = Route { queues: Vec::new(), repeatable: subject.routing_keys.len() == 1 };
        let mut parsed = None;
        let mut seen = vec![Arc::clone(exchange)];
        let mut visited = 0;
        while let Some(exchange) = seen.get(visited).cloned() {
            visited += 1;
            let mut destinations = Vec::new();
            if exchange.is_default() {
                let queues = subject.routing_keys.iter().filter_map(|key| self.queue_by_key(key));
                destinations.extend(queues.map(Destination::Queue));
            } else {
                let repeatable = match_bindings(&exchange, subject, &mut parsed, &mut destinations);
                route.repeatable &= repeatable;
            }
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
                    Destination::Queue(queue) => add(&mut route.queues, queue),
                    Destination::Exchange(exchange) => add(&mut seen, exchange),
                }
            }
        }
        route
    }

    fn queue_by_key(&self, routing_key: &[u8]) -> Option<Arc<Queue>> {
        self.find_queue(std::str::from_utf8(routing_key).ok()?)
    }
}

fn add<T>(list: &mut Vec<Arc<T>>, item: Arc<T>) {
    if !list.iter().any(|other| Arc::ptr_eq(other, &item)) {
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
    let kind = exchange.attributes().kind;
    let by_headers = router.needs_headers();
    if by_headers && subject.headers.is_none() && parsed.is_none() {
        *parsed = subject.properties.headers().and_then(Result::ok);
    }
    let by_properties = router.needs_properties();
    let mut routing = Routing { random: random(), ..Routing::default() };
    if by_headers {
        routing.headers = subject.headers.or(parsed.as_ref());
    }
    if by_properties {
        routing.correlation_id = subject.properties.correlation_id();
        routing.message_id = subject.properties.message_id();
        routing.timestamp = subject.properties.timestamp();
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
