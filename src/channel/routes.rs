//! Where the publishes of a channel went: who publishes to a few exchanges and keys by turns has
//! each of them looked up once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::limits::ROUTES_KEPT_MAX;
use crate::message::Parts;
use crate::message::mould::Mould;
use crate::vhost::{Exchange, Publish, Route};

/// The virtual host's generation, and that of the permissions.
pub(super) type Generations = (u64, u64);

/// Where publishes with one exchange and routing key go, and what they become.
pub(super) struct KnownRoute {
    /// That of the last publish that went this way, from which the mould is; else 0.
    number: u64,
    /// Those at the time at which it was looked up.
    generations: Generations,
    pub(super) from: Arc<Exchange>,
    pub(super) route: Route,
    /// Makes the messages that go this way.
    pub(super) mould: Mould,
    /// By which it is kept with others; made when it is for the first time.
    key: Vec<u8>,
}

impl KnownRoute {
    /// Whether the publish goes this way. Then the mould is the one for it.
    #[inline]
    fn is_for(&mut self, publish: &Publish<'_>, generations: Generations) -> bool {
        if self.generations != generations {
            return false;
        }
        if publish.number != 0 && publish.number == self.number {
            return true;
        }
        if !self.mould.has_names(publish.exchange, publish.routing_key) {
            return false;
        }
        if !self.mould.has_properties(publish.properties) {
            if !publish.is_plain() {
                return false;
            }
            self.mould.set(&publish.parts());
        }
        self.number = publish.number;
        true
    }
}

/// The routes that a channel knows.
#[derive(Default)]
pub(super) struct Routes {
    /// That of the last publish, if it led to some queue, and the next one may go the same way.
    pub(super) last: Option<KnownRoute>,
    /// Those of other names before it.
    others: HashMap<Vec<u8>, KnownRoute>,
    /// How many of them were used again since they were none.
    used_again: usize,
    /// They were so many different ones, and so few of them came again, that keeping them is in
    /// vain.
    is_futile: bool,
    /// Room for a key.
    key: Vec<u8>,
    /// A mould that is not needed any more, for its room.
    spare: Option<Mould>,
}

impl Routes {
    /// A publish with this number, made of these parts, goes this way. None is the last one now.
    pub(super) fn set_last(
        &mut self,
        (number, parts): (u64, &Parts<'_>),
        generations: Generations,
        from: Arc<Exchange>,
        route: Route,
    ) {
        let mould = match self.spare.take() {
            None => Mould::of(parts),
            Some(mut mould) => {
                mould.set(parts);
                mould
            }
        };
        let key = Vec::new();
        self.last = Some(KnownRoute { number, generations, from, route, mould, key });
    }

    /// The next publish may not go the way of the last one.
    pub(super) fn forget_last(&mut self) {
        self.spare = self.last.take().map(|last| last.mould);
    }

    /// Whether the publish goes the way of the last one, and that leads to some queue.
    #[inline]
    pub(super) fn repeats_last(&mut self, publish: &Publish<'_>, generations: Generations) -> bool {
        self.last.as_mut().is_some_and(|last| last.is_for(publish, generations))
    }

    /// Takes up the way of an earlier publish if this one goes there. Nothing may be on the last
    /// way any more.
    pub(super) fn turn_to(&mut self, publish: &Publish<'_>, generations: Generations) -> bool {
        if self.others.is_empty() {
            return false;
        }
        write_key(&mut self.key, publish.exchange, publish.routing_key);
        let Some((key, mut known)) = self.others.remove_entry(&self.key) else { return false };
        if !known.is_for(publish, generations) {
            return false;
        }
        known.key = key;
        self.set_last_aside(generations);
        self.used_again += 1;
        self.last = Some(known);
        true
    }

    /// The next publish goes another way: the last one's is kept for later.
    pub(super) fn set_last_aside(&mut self, generations: Generations) {
        let Some(mut last) = self.last.take() else { return };
        if last.generations != generations {
            // So are all before it.
            return self.forget();
        }
        if self.others.len() >= ROUTES_KEPT_MAX {
            self.is_futile = std::mem::take(&mut self.used_again) < ROUTES_KEPT_MAX / 4;
            self.others.clear();
        }
        if self.is_futile {
            self.spare = Some(last.mould);
            return;
        }
        let mut key = std::mem::take(&mut last.key);
        if key.is_empty() {
            let (exchange, routing_key) = last.mould.names();
            write_key(&mut key, exchange, routing_key);
        }
        self.others.insert(key, last);
    }

    /// Knows none any more.
    pub(super) fn forget(&mut self) {
        *self = Self { key: std::mem::take(&mut self.key), ..Self::default() };
    }
}

/// Both names as one: the length of the first, which has 255 octets at most, then both.
fn write_key(key: &mut Vec<u8>, exchange: &[u8], routing_key: &[u8]) {
    key.clear();
    key.push(u8::try_from(exchange.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(exchange);
    key.extend_from_slice(routing_key);
}
