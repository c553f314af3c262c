//! One opened connection, as its channels see it.

use std::sync::Arc;

use crate::access::{AccessControl, Actor, User};
use crate::base::ids::ConnectionId;
use crate::insight::journal::EventKind;
use crate::vhost::VirtualHost;

/// One opened connection, of a client or of the embedding program: who acts, and where.
pub struct Session {
    /// Who acts.
    pub actor: Actor,
    /// Virtual host that was opened.
    pub virtual_host: Arc<VirtualHost>,
    /// Whether the client wants to hear when a queue cancels its consumers.
    pub consumer_cancel_notify: bool,
}

impl Session {
    /// Opens `virtual_host` for `user`.
    pub fn new(
        id: ConnectionId,
        user: Arc<User>,
        virtual_host: Arc<VirtualHost>,
        access: Arc<AccessControl>,
        consumer_cancel_notify: bool,
    ) -> Arc<Self> {
        virtual_host
            .note(None, || EventKind::ConnectionOpened { connection: id, user: user.name.clone() });
        let actor = Actor::new(id, user, virtual_host.name().clone(), access);
        Arc::new(Self { actor, virtual_host, consumer_cancel_notify })
    }

    /// Number of the connection.
    pub fn id(&self) -> ConnectionId {
        self.actor.connection
    }

    /// Marks the connection as closed; tells whether it was open.
    pub fn close(&self) -> bool {
        let was_open = self.actor.leave();
        if was_open {
            let connection = self.id();
            self.virtual_host.note(None, || EventKind::ConnectionClosed { connection });
        }
        was_open
    }
}
