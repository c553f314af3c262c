//! What others tell a connection, from any thread. Its task is woken, and reads it.

use std::sync::Arc;
use std::task::Waker;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::Wake;
use crate::error::Error;
use crate::gateway::traffic::Traffic;
use crate::insight::statistics::totals::ConnectionTotals;
use crate::node::connections::Closable;
use crate::node::status::ConnectionState;
use crate::queue::stream::groups::Member;

/// Messages that a publisher need not wait for any more.
pub(super) struct Settled {
    /// Its id, and which of the publishers of that id it is.
    pub publisher: (u8, u64),
    pub publishing_ids: Vec<u64>,
    /// Whether they are safe; else they are lost.
    pub is_safe: bool,
}

/// What there is to read.
#[derive(Default)]
pub(super) struct News {
    pub settled: Vec<Settled>,
    /// Subscriptions, by number, that become active, or are no longer to be.
    pub groups: Vec<(u32, bool)>,
    /// The store is done with what was asked for, or fails.
    pub stored: Option<bool>,
    /// The broker wants the connection to end.
    pub close_reason: Option<String>,
    /// The connection is to be lost.
    pub is_lost: bool,
}

/// The inbox of a connection.
#[derive(Default)]
pub(super) struct Inbox {
    news: Mutex<News, rank::StreamNews>,
    waker: Mutex<Option<Waker>, rank::StreamWaker>,
    /// What comes and goes, and whether the client is held back.
    pub traffic: Traffic,
}

impl Inbox {
    /// Who is to be woken.
    pub(super) fn set_waker(&self, waker: &Waker) {
        let mut known = self.waker.lock();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Everything that is new.
    pub(super) fn take(&self) -> News {
        std::mem::take(&mut *self.news.lock())
    }

    fn tell(&self, tell: impl FnOnce(&mut News)) {
        tell(&mut self.news.lock());
        self.wake();
    }

    pub(super) fn note_settled(&self, settled: Settled) {
        self.tell(|news| news.settled.push(settled));
    }

    pub(super) fn note_stored(&self, is_durable: bool) {
        self.tell(|news| news.stored = Some(is_durable));
    }
}

impl Wake for Inbox {
    fn wake(&self) {
        let waker = self.waker.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Member for Inbox {
    fn set_active(&self, number: u32, active: bool) {
        self.tell(|news| news.groups.push((number, active)));
    }
}

impl Closable for Inbox {
    fn force_close(&self, reason: &str) {
        self.tell(|news| news.close_reason = Some(reason.to_owned()));
    }

    fn end(&self, error: Error) {
        tracing::debug!("a connection is ended: {error}");
        self.tell(|news| news.is_lost = true);
    }

    fn totals(&self) -> ConnectionTotals {
        self.traffic.totals()
    }

    fn state(&self) -> ConnectionState {
        self.traffic.state()
    }
}

/// As a sleeper that others hold on to.
pub(super) fn sleeper(inbox: &Arc<Inbox>) -> Arc<dyn Wake> {
    Arc::clone(inbox) as _
}
