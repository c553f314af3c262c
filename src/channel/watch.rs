//! How a channel and its connection ask whether a fault was declared for what they do.

use std::sync::{Arc, Weak};

use crate::channel::session::Session;
use crate::faults::{Hit, Registry, Subject, Trigger};
use crate::vhost::VirtualHost;

/// The faults, as one channel asks for them.
pub(crate) struct Watch {
    registry: Arc<Registry>,
    /// Queues hold channels, and sessions hold queues.
    session: Weak<Session>,
    channel: u16,
}

impl Watch {
    /// Of a channel with this number; 0 for the connection.
    pub(crate) fn new(session: &Arc<Session>, channel: u16) -> Self {
        let registry = Arc::clone(session.virtual_host.faults());
        Self { registry, session: Arc::downgrade(session), channel }
    }

    /// Whether there are rules about any of these.
    #[inline]
    pub(crate) fn watches(&self, bits: u32) -> bool {
        self.registry.watches(bits)
    }

    /// Something happens on this channel: the rule that is to act, if there is one.
    pub(crate) fn meet(&self, trigger: Trigger, subject: Subject<'_>) -> Option<Hit> {
        let session = self.session.upgrade()?;
        let subject = Subject {
            connection: session.actor.connection_name(),
            virtual_host: session.virtual_host.name().as_str(),
            channel: self.channel,
            ..subject
        };
        self.registry.meet(trigger, &subject)
    }

    /// The virtual host that was opened.
    pub(crate) fn virtual_host(&self) -> Option<Arc<VirtualHost>> {
        Some(Arc::clone(&self.session.upgrade()?.virtual_host))
    }
}
