//! What a virtual host tells the journal, if there is one.

use std::sync::Arc;

use crate::base::names::VirtualHostName;
use crate::insight::journal::{EventKind, Journal, UsedBinding};
use crate::message::Message;
use crate::time::clock::Clock;
use crate::vhost::VirtualHost;
use crate::vhost::flow::route::Route;

/// Tells the journal from any thread, for as long as it likes: it keeps no virtual host alive.
pub(crate) struct Noter {
    journal: Arc<Journal>,
    clock: Clock,
    virtual_host: VirtualHostName,
}

impl Noter {
    /// Something has happened to a message, now.
    pub(crate) fn note(&self, message: &Message, kind: EventKind) {
        self.journal.note(self.clock.now(), &self.virtual_host, Some(message), kind);
    }
}

impl VirtualHost {
    /// The journal, if it is on.
    #[inline]
    pub(crate) fn journal(&self) -> Option<&Arc<Journal>> {
        self.shared.journal.as_ref()
    }

    /// What tells the journal without the virtual host, if the journal is on.
    pub(crate) fn noter(&self) -> Option<Noter> {
        let (clock, virtual_host) = (self.shared.clock.clone(), self.name.clone());
        self.journal().map(|journal| Noter { journal: Arc::clone(journal), clock, virtual_host })
    }

    /// Tells the journal what has happened, perhaps to a message.
    pub(crate) fn note(&self, message: Option<&Message>, kind: impl FnOnce() -> EventKind) {
        if let Some(journal) = self.journal() {
            journal.note(self.now(), &self.name, message, kind());
        }
    }

    /// As [`VirtualHost::note`], for a message that was made from another.
    pub(crate) fn note_derived(
        &self,
        message: &Message,
        origin: &Message,
        kind: impl FnOnce() -> EventKind,
    ) {
        if let Some(journal) = self.journal() {
            journal.note_derived(self.now(), &self.name, Some(message), Some(origin), kind());
        }
    }

    /// A message goes along a route that leads to some queue.
    pub(crate) fn note_routed(&self, message: &Message, route: &Route) {
        if let Some(kind) = &route.noted {
            self.note(Some(message), || kind.clone());
        }
    }

    /// A message that an exchange has kept goes along a route, which may lead nowhere.
    pub(in crate::vhost) fn note_sent(&self, message: &Message, route: &Route) {
        if route.queues.is_empty() && !route.taken {
            self.note(Some(message), || EventKind::Unroutable { returned: false });
        } else {
            self.note_routed(message, route);
        }
    }

    /// The route as the journal will tell it of every message that goes along.
    pub(in crate::vhost) fn note_route(&self, route: &mut Route, bindings: Vec<UsedBinding>) {
        if self.journal().is_some() && !route.queues.is_empty() {
            let queues = route.queues.iter().map(|queue| queue.name().clone()).collect();
            route.noted = Some(EventKind::Routed { queues, bindings: bindings.into() });
        }
    }
}
