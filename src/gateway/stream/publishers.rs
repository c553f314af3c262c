//! The publishers of a connection, and how much of theirs waits to be confirmed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::gateway::stream::stream_use::StreamUse;
use crate::limits::{UNCONFIRMED_FREE_MIN, UNCONFIRMED_MAX};
use crate::node::stream_clients::StreamPublisher;

/// A publisher.
pub(super) struct Publisher {
    /// Tells it from earlier ones of the same id.
    pub generation: u64,
    pub stream: Arc<StreamUse>,
    /// Its name, and what it has done.
    pub seen: Arc<StreamPublisher>,
}

/// The publishers of a connection.
#[derive(Default)]
pub(super) struct Publishers {
    pub by_id: BTreeMap<u8, Publisher>,
    pub next_generation: u64,
    /// Messages that were taken and not confirmed.
    pub unconfirmed: usize,
    is_full: bool,
}

impl Publishers {
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Whether one of them publishes to a stream.
    pub(super) fn use_stream(&self, stream: &str) -> bool {
        self.by_id.values().any(|publisher| publisher.stream.name() == stream)
    }

    pub(super) fn remove_stream(&mut self, stream: &str) {
        self.by_id.retain(|_, publisher| publisher.stream.name() != stream);
    }

    /// Whether so much waits to be confirmed that the client is not read.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Looks how much waits to be confirmed: when it is too much, it has to become a good deal less
    /// before the client is read again.
    pub(super) fn look(&mut self) {
        let room = if self.is_full { UNCONFIRMED_FREE_MIN } else { 1 };
        self.is_full = self.unconfirmed + room > UNCONFIRMED_MAX;
    }

    pub(super) fn has_reference(&self, reference: &str, stream: &str) -> bool {
        let same = |it: &Publisher| it.seen.reference == reference && it.stream.name() == stream;
        !reference.is_empty() && self.by_id.values().any(same)
    }

    /// A publisher, if it is there as it was when it published.
    pub(super) fn get(&self, (id, generation): (u8, u64)) -> Option<&Publisher> {
        self.by_id.get(&id).filter(|publisher| publisher.generation == generation)
    }
}
