//! Connections that have just come: what they start with, and how long they may take for their
//! handshake.

use std::sync::Arc;
use std::task::Waker;

use tokio::sync::OwnedSemaphorePermit;

use crate::gateway::handshakes::Admission;
use crate::gateway::line::Line;
use crate::gateway::peer::Peer;
use crate::limits::Limits;
use crate::node::Node;
use crate::time::clock::Clock;

/// What a connection task starts with. `C` is what its protocol offers.
pub(super) struct Start<C> {
    pub broker: Arc<Node>,
    pub config: Arc<C>,
    /// What heartbeats and timeouts go by: the broker's clock, or real time.
    pub clock: Clock,
    pub peer: Peer,
    /// Given back when the handshake is over.
    pub unfinished: Unfinished,
    /// Where it stands if it moves much.
    pub line: Line,
    /// Held for as long as the task lives.
    pub alive: Arc<()>,
}

/// That a connection may be there before its handshake is over.
pub(super) enum Unfinished {
    /// From outside: it may have to make room for others.
    Admission(Admission),
    /// Within this process.
    Permit { _permit: OwnedSemaphorePermit },
}

/// A connection until its handshake is over.
pub(super) struct Newcomer {
    unfinished: Option<Unfinished>,
    /// When a client that has said nothing yet has to go, in milliseconds.
    silent_until_ms: u64,
    /// It has to make room for others, unless something of it was not read yet.
    is_leaving: bool,
}

impl Newcomer {
    pub(super) fn new(unfinished: Unfinished, clock: &Clock, limits: &Limits, now_ms: u64) -> Self {
        let silent_until_ms = match (clock, &unfinished) {
            (Clock::System(_), Unfinished::Admission(_)) => {
                now_ms.saturating_add(limits.first_octets_timeout_ms)
            }
            _ => u64::MAX,
        };
        Self { unfinished: Some(unfinished), silent_until_ms, is_leaving: false }
    }

    /// The client has said something.
    pub(super) fn has_spoken(&mut self) {
        if let Some(Unfinished::Admission(admission)) = &self.unfinished {
            admission.has_spoken();
        }
        self.silent_until_ms = u64::MAX;
    }

    /// The handshake is over.
    pub(super) fn is_settled(&mut self) {
        self.unfinished = None;
    }

    /// Whether it has to make room for others, or has said nothing for too long. `waker` is woken
    /// when others need the room, and once more so that what has come by then is read before.
    pub(super) fn has_to_go(&mut self, waker: &Waker, now_ms: u64) -> bool {
        let is_evicted = match &self.unfinished {
            Some(Unfinished::Admission(admission)) => admission.is_evicted(waker),
            _ => false,
        };
        let is_told = is_evicted && !std::mem::replace(&mut self.is_leaving, is_evicted);
        if is_told {
            waker.wake_by_ref();
        }
        (is_evicted && !is_told) || now_ms >= self.silent_until_ms
    }

    /// When it has to have said something, in milliseconds; `u64::MAX` for no such time.
    pub(super) fn silent_until_ms(&self) -> u64 {
        self.silent_until_ms
    }
}
