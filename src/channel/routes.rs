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

/// Where publishes with one exchange and routing key go, and what they become. What every message
/// needs comes first.
#[repr(C)]
pub(super) struct KnownRoute {
    /// That of the last publish that went this way, from which the mould is; else 0.
    number: u64,
    /// Where the route is kept that was taken next, the last time that one was.
    followed_by: usize,
    /// Makes the messages that go this way.
    pub(super) mould: Mould,
    pub(super) from: Arc<Exchange>,
    pub(super) route: Route,
}

impl KnownRoute {
    /// Whether the publish goes this way. Then the mould is the one for it.
    #[inline]
    fn is_for(&mut self, publish: &Publish<'_>) -> bool {
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

/// The routes that a channel knows. What every message needs comes first.
#[derive(Default)]
#[repr(C)]
pub(super) struct Routes {
    /// Those at the time at which all of them were looked up.
    generations: Generations,
    /// Which is that of the last publish, if it led to some queue, and the next one may go the same
    /// way.
    last: Option<usize>,
    /// All of them. If the last one is not kept yet, it is at the end.
    known: Vec<KnownRoute>,
    /// Where those are that are kept, by their names.
    kept: HashMap<Box<[u8]>, usize>,
    /// Octets of all names and moulds, about.
    octets: usize,
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
    /// That of the last publish, if the next one may go the same way.
    #[inline]
    pub(super) fn last(&self) -> Option<&KnownRoute> {
        self.known.get(self.last?)
    }

    /// The same, to make messages of it.
    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<&mut KnownRoute> {
        self.known.get_mut(self.last?)
    }

    /// What makes messages of publishes with this number, if the last one went this way and the
    /// next may go the same.
    #[inline]
    pub(super) fn mould_of(&mut self, number: u64, generations: Generations) -> Option<&mut Mould> {
        let is_known = self.generations == generations;
        let last = self.last_mut().filter(|last| is_known && last.number == number)?;
        Some(&mut last.mould)
    }

    /// Octets of memory that those take that are kept, about.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// A publish with this number, made of these parts, goes this way, as it was at the generations
    /// of [`Routes::set_last_aside`]. None is the last one now.
    pub(super) fn set_last(
        &mut self,
        (number, parts): (u64, &Parts<'_>),
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
        self.last = Some(self.known.len());
        self.known.push(KnownRoute { number, followed_by: 0, from, route, mould });
    }

    /// The next publish may not go the way of the last one, which is not kept.
    pub(super) fn forget_last(&mut self) {
        if self.last.take().is_some() {
            self.spare = self.known.pop().map(|last| last.mould);
        }
    }

    /// Whether the publish goes the way of the last one, and that leads to some queue.
    #[inline]
    pub(super) fn repeats_last(&mut self, publish: &Publish<'_>, generations: Generations) -> bool {
        self.generations == generations && self.last_mut().is_some_and(|last| last.is_for(publish))
    }

    /// Takes up the way of an earlier publish if this one goes there. Nothing may be on the last
    /// way any more, which is set aside.
    pub(super) fn turn_to(&mut self, publish: &Publish<'_>, generations: Generations) -> bool {
        let last = self.last;
        self.set_last_aside(generations);
        if self.kept.is_empty() {
            return false;
        }
        if let Some(at) = self.follows(last, publish) {
            self.used_again += 1;
            self.last = Some(at);
            return true;
        }
        write_key(&mut self.key, publish.exchange, publish.routing_key);
        let Some(&at) = self.kept.get(&*self.key) else { return false };
        if !self.known.get_mut(at).is_some_and(|known| known.is_for(publish)) {
            return false;
        }
        if let Some(before) = last.and_then(|last| self.known.get_mut(last)) {
            before.followed_by = at;
        }
        self.used_again += 1;
        self.last = Some(at);
        true
    }

    /// Where the publish goes, if that is where one went the last time after one like the last.
    fn follows(&mut self, last: Option<usize>, publish: &Publish<'_>) -> Option<usize> {
        let at = self.known.get(last?)?.followed_by;
        let is_next = at < self.kept.len() && self.known.get_mut(at)?.is_for(publish);
        is_next.then_some(at)
    }

    /// The next publish goes another way: the last one's is kept for later. None is known any more
    /// if the generations are others than before.
    pub(super) fn set_last_aside(&mut self, generations: Generations) {
        if self.generations != generations {
            self.forget();
            self.generations = generations;
        }
        let Some(at) = self.last.take() else { return };
        if at < self.kept.len() {
            return; // it is kept
        }
        if self.kept.len() >= ROUTES_KEPT_MAX {
            self.is_futile = std::mem::take(&mut self.used_again) < ROUTES_KEPT_MAX / 4;
            let last = self.known.pop();
            (self.known, self.kept, self.octets) = (last.into_iter().collect(), HashMap::new(), 0);
        }
        if self.is_futile {
            self.spare = self.known.pop().map(|last| last.mould);
            return;
        }
        self.keep_newest();
    }

    /// Keeps the route at the end, in the place of one that has its names if there is one.
    fn keep_newest(&mut self) {
        let Some(newest) = self.known.pop() else { return };
        let (exchange, routing_key) = newest.mould.names();
        write_key(&mut self.key, exchange, routing_key);
        match self.kept.get(&*self.key).and_then(|&at| self.known.get_mut(at)) {
            Some(earlier) => *earlier = newest,
            None => {
                self.octets += size_of::<KnownRoute>() + newest.mould.octets() + self.key.len();
                self.kept.insert(self.key.as_slice().into(), self.known.len());
                self.known.push(newest);
            }
        }
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
