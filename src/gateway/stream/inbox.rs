//! What others tell a connection, from any thread. Its task is woken, and reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use leveret_stream_protocol::ResponseCode;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::Wake;
use crate::error::Error;
use crate::faults::Hit;
use crate::gateway::stream::codes::response_code;
use crate::gateway::traffic::Traffic;
use crate::insight::statistics::totals::ConnectionTotals;
use crate::node::connections::Closable;
use crate::node::status::ConnectionState;
use crate::node::stream_clients::StreamClients;
use crate::queue::stream::groups::Member;
use crate::time::timers::Sleeper;
use crate::vhost::VirtualHost;

/// Messages that a publisher need not wait for any more.
pub(super) struct Settled {
    /// Its id, and which of the publishers of that id it is.
    pub publisher: (u8, u64),
    pub publishing_ids: Vec<u64>,
    pub outcome: Outcome,
}

/// What has become of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// They are safe.
    Safe,
    /// They are lost.
    Lost,
    /// The client is not to hear of it.
    Unheard,
}

/// What there is to read.
#[derive(Default)]
pub(super) struct News {
    pub settled: Vec<Settled>,
    /// Subscriptions, by number, that become active, or are no longer to be.
    pub groups: Vec<(u32, bool)>,
    /// The store is done with what was asked for, or fails.
    pub stored: Option<bool>,
    /// The broker wants the connection to end, for this reason.
    pub close: Option<(ResponseCode, String)>,
    /// The connection is to be lost.
    pub is_lost: bool,
}

/// The inbox of a connection.
#[derive(Default)]
pub(super) struct Inbox {
    news: Mutex<News, rank::StreamNews>,
    waker: Mutex<Option<Waker>, rank::StreamWaker>,
    /// How many faults have it that the client is not read.
    stops: AtomicUsize,
    /// What comes and goes, and whether the client is held back.
    pub traffic: Traffic,
    /// What the connection does, for others to see.
    pub clients: StreamClients,
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

    /// Everything that publishers can be told by now.
    pub(super) fn take_settled(&self) -> Vec<Settled> {
        std::mem::take(&mut self.news.lock().settled)
    }

    /// The client is not read before the rule of the hit lets go of it.
    pub(super) fn stop_reading(self: &Arc<Self>, hit: &Hit) {
        self.stops.fetch_add(1, Ordering::SeqCst);
        let inbox = Arc::downgrade(self);
        let go_on = Box::new(move || {
            if let Some(inbox) = inbox.upgrade() {
                inbox.stops.fetch_sub(1, Ordering::SeqCst);
                Wake::wake(&*inbox);
            }
        });
        if let Err(go_on) = hit.hold(go_on) {
            go_on();
        }
    }

    /// Whether a fault has it that the client is not read.
    pub(super) fn is_stopped(&self) -> bool {
        self.stops.load(Ordering::Relaxed) > 0
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

/// Something that was kept back for the client is due.
impl Sleeper for Inbox {
    type Host = VirtualHost;

    fn wake(self: Arc<Self>, _: &Arc<VirtualHost>) {
        Wake::wake(&*self);
    }
}

impl Member for Inbox {
    fn set_active(&self, number: u32, active: bool) {
        self.tell(|news| news.groups.push((number, active)));
    }
}

impl Closable for Inbox {
    /// Without a word, as RabbitMQ does it: there are clients that know no Close of a server.
    fn force_close(&self, reason: &str) {
        tracing::debug!("a stream connection is closed: {reason}");
        self.tell(|news| news.is_lost = true);
    }

    fn end(&self, error: Error) {
        tracing::debug!("a connection is ended: {error}");
        self.tell(|news| match error {
            Error::Fault { code, text, .. } => news.close = Some((response_code(code), text)),
            _ => news.is_lost = true,
        });
    }

    fn totals(&self) -> ConnectionTotals {
        self.traffic.totals()
    }

    fn state(&self) -> ConnectionState {
        self.traffic.state()
    }

    fn stream_clients(&self) -> Option<&StreamClients> {
        Some(&self.clients)
    }
}

/// As a sleeper that others hold on to.
pub(super) fn sleeper(inbox: &Arc<Inbox>) -> Arc<dyn Wake> {
    Arc::clone(inbox) as _
}
