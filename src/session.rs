//! Who is at the other end: the user and virtual host of a connection, and what they may do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::access::{
    Access, AccessControl, AccessRefusal, PasswordHash, ResourceKind, User, UserTag,
};
use crate::error::{Error, Result};
use crate::journal::EventKind;
use crate::names::QueueName;
use crate::queue::{ConnectionId, Queue};
use crate::vhost::VirtualHost;

/// One opened connection, of a client or of the embedding program, as its channels see it.
pub struct Session {
    /// Identifies the connection within the broker.
    pub id: ConnectionId,
    /// Who logged in.
    pub user: Arc<User>,
    /// Virtual host that was opened.
    pub virtual_host: Arc<VirtualHost>,
    /// Whether the client wants to hear when a queue cancels its consumers.
    pub consumer_cancel_notify: bool,
    access: Arc<AccessControl>,
    exclusive_queues: Mutex<Vec<QueueName>>,
    name: OnceLock<String>,
    closed: AtomicBool,
    /// The broker itself: nothing is refused.
    trusted: bool,
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
        Arc::new(Self {
            id,
            user,
            virtual_host,
            consumer_cancel_notify,
            access,
            exclusive_queues: Mutex::default(),
            name: OnceLock::new(),
            closed: AtomicBool::new(false),
            trusted: false,
        })
    }

    /// The broker's own session, for what it declares by itself.
    pub fn trusted(virtual_host: Arc<VirtualHost>, access: Arc<AccessControl>) -> Self {
        let nobody = PasswordHash::new("", [0; 4]);
        Self {
            id: 0,
            user: Arc::new(User { password_hash: None, ..User::new("leveret", nobody) }),
            virtual_host,
            consumer_cancel_notify: false,
            access,
            exclusive_queues: Mutex::default(),
            name: OnceLock::new(),
            closed: AtomicBool::new(false),
            trusted: true,
        }
    }

    /// What the client calls the connection; empty if it does not say.
    pub fn name(&self) -> &str {
        self.name.get().map_or("", String::as_str)
    }

    /// The client calls the connection by this name. Only the first one counts.
    pub fn set_name(&self, name: String) {
        // Fails if it has one.
        let _ = self.name.set(name);
    }

    /// Fails with 403 unless the user has the permission.
    pub fn check(&self, access: Access, kind: ResourceKind, name: &str) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        let host = self.virtual_host.name();
        self.access.check_resource(&self.user.name, host, access, (kind, name)).map_err(refused)
    }

    /// Fails with 403 unless the user may use the routing key on a topic exchange.
    pub fn check_topic(&self, access: Access, exchange: &str, key: &[u8]) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        let host = self.virtual_host.name();
        let key = String::from_utf8_lossy(key);
        self.access.check_topic(&self.user.name, host, access, (exchange, &key)).map_err(refused)
    }

    /// Fails with 405 if the queue is exclusive to another connection.
    pub fn check_owner(&self, queue: &Queue) -> Result<()> {
        if self.trusted { Ok(()) } else { queue.check_owner(self.id) }
    }

    /// A number that changes whenever permissions do.
    pub fn access_generation(&self) -> u64 {
        self.access.generation()
    }

    /// Fails with 406 if the `user_id` property names another user `[rabbitmq validated-user-id]`.
    pub fn check_user_id(&self, user_id: &[u8]) -> Result<()> {
        let name = self.user.name.as_str();
        if user_id == name.as_bytes() || self.user.has_tag(&UserTag::Impersonator) {
            return Ok(());
        }
        let claimed = String::from_utf8_lossy(user_id);
        Err(Error::Precondition(format!(
            "user_id property set to '{claimed}' but authenticated user was '{name}'"
        )))
    }

    /// Remembers a queue that ends with the connection.
    pub fn own(&self, queue: QueueName) {
        let mut owned = self.exclusive_queues.lock();
        if owned.len() == owned.capacity() {
            // Those that were deleted in the meantime make room.
            owned.retain(|name| self.virtual_host.queue(name.as_str()).is_ok());
            let kept = owned.len();
            owned.reserve(kept + 1);
        }
        owned.push(queue);
    }

    /// Takes the queues that end with the connection.
    pub fn take_owned(&self) -> Vec<QueueName> {
        std::mem::take(&mut *self.exclusive_queues.lock())
    }

    /// Whether the connection was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Marks the connection as closed; tells whether it was open.
    pub fn close(&self) -> bool {
        let was_open = !self.closed.swap(true, Ordering::AcqRel);
        if was_open {
            self.virtual_host.note(None, || EventKind::ConnectionClosed { connection: self.id });
        }
        was_open
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn refused(refusal: AccessRefusal) -> Error {
    Error::AccessRefused(refusal.to_string())
}
