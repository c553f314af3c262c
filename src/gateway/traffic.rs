//! What comes and goes on a connection, and whether it is held back, for others to see.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::insight::statistics::tally::Tally;
use crate::insight::statistics::totals::ConnectionTotals;
use crate::node::status::ConnectionState;

/// The counters of a connection, which its task alone writes.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    recv_oct: Tally,
    recv_cnt: Tally,
    send_oct: Tally,
    send_cnt: Tally,
    /// A [`ConnectionState`].
    state: AtomicU8,
}

impl Traffic {
    /// Octets have come.
    pub(super) fn count_received(&self, octets: usize) {
        self.recv_oct.add(octets as u64);
        self.recv_cnt.add(1);
    }

    /// Octets were sent.
    pub(super) fn count_sent(&self, octets: usize) {
        self.send_oct.add(octets as u64);
        self.send_cnt.add(1);
    }

    /// What came and went.
    pub(super) fn totals(&self) -> ConnectionTotals {
        ConnectionTotals {
            recv_oct: self.recv_oct.get(),
            recv_cnt: self.recv_cnt.get(),
            send_oct: self.send_oct.get(),
            send_cnt: self.send_cnt.get(),
        }
    }

    /// Whether the client is held back from now on.
    pub(super) fn set_state(&self, state: ConnectionState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Whether the client is held back.
    pub(super) fn state(&self) -> ConnectionState {
        let known = [ConnectionState::Blocked, ConnectionState::Flow];
        let state = self.state.load(Ordering::Relaxed);
        known.into_iter().find(|known| *known as u8 == state).unwrap_or_default()
    }
}
