//! Who acts: the user of a connection, what he may do in its virtual host, and what ends with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::access::{
    Access, AccessControl, OpenChannels, PasswordHash, ResourceKind, User, UserTag,
};
use crate::base::ids::ConnectionId;
use crate::base::lock::Mutex;
use crate::base::names::{QueueName, UserName, VirtualHostName};
use crate::base::rank;
use crate::error::{Error, Precondition, Result};

/// Who calls the methods of one connection.
pub(crate) struct Actor {
    /// The connection; 0 if it is the broker itself.
    pub connection: ConnectionId,
    /// Who logged in.
    pub user: Arc<User>,
    virtual_host: VirtualHostName,
    access: Arc<AccessControl>,
    exclusive_queues: Mutex<Vec<QueueName>, rank::ExclusiveQueues>,
    connection_name: OnceLock<String>,
    gone: AtomicBool,
    /// The broker itself: nothing is refused.
    trusted: bool,
}

impl Actor {
    /// The user of a connection to `virtual_host`.
    pub(crate) fn new(
        connection: ConnectionId,
        user: Arc<User>,
        virtual_host: VirtualHostName,
        access: Arc<AccessControl>,
    ) -> Self {
        Self {
            connection,
            user,
            virtual_host,
            access,
            exclusive_queues: Mutex::default(),
            connection_name: OnceLock::new(),
            gone: AtomicBool::new(false),
            trusted: false,
        }
    }

    /// The broker itself, for what it declares on its own account or in the name of a user.
    pub(crate) fn trusted(
        user: Option<&UserName>,
        virtual_host: VirtualHostName,
        access: Arc<AccessControl>,
    ) -> Self {
        let nobody = PasswordHash::new("", [0; 4]);
        let name = user.cloned().unwrap_or_else(|| UserName::from(""));
        let user = Arc::new(User { password_hash: None, ..User::new(name, nobody) });
        Self { trusted: true, ..Self::new(0, user, virtual_host, access) }
    }

    /// The user that the broker itself is on a connection of its own, as RabbitMQ calls it.
    pub(crate) fn nobody() -> Arc<User> {
        let user = User::new(UserName::from("none"), PasswordHash::new("", [0; 4]));
        Arc::new(User { password_hash: None, tags: vec![UserTag::Impersonator], ..user })
    }

    /// As the broker itself, on a connection of its own: nothing is refused.
    pub(crate) fn trusting(self) -> Self {
        Self { trusted: true, ..self }
    }

    /// What the client calls its connection; empty if it does not say.
    pub(crate) fn connection_name(&self) -> &str {
        self.connection_name.get().map_or("", String::as_str)
    }

    /// The client calls the connection by this name. Only the first one counts.
    pub(crate) fn set_connection_name(&self, name: String) {
        // Fails if it has one.
        let _ = self.connection_name.set(name);
    }

    /// Fails with 403 unless the user has the permission.
    pub(crate) fn check(&self, access: Access, kind: ResourceKind, name: &str) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        let (user, host) = (&self.user.name, &self.virtual_host);
        self.access.check_resource(user, host, access, (kind, name)).map_err(Error::from)
    }

    /// Fails with 403 unless the user may use the routing key on a topic exchange.
    pub(crate) fn check_topic(&self, access: Access, exchange: &str, key: &[u8]) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        let (user, host) = (&self.user.name, &self.virtual_host);
        let key = String::from_utf8_lossy(key);
        self.access.check_topic(user, host, access, (exchange, &key)).map_err(Error::from)
    }

    /// Whether it is the broker itself.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// The limits of the user at present: connections, and channels. None of the broker itself, nor
    /// of a user who is removed.
    pub(crate) fn limits(&self) -> (Option<u64>, Option<u64>) {
        let user = (!self.trusted).then(|| self.access.users.get(self.user.name.as_str()));
        let held = |limit: Option<i64>| limit.and_then(|limit| u64::try_from(limit).ok());
        let limits = |user: Arc<User>| (held(user.max_connections), held(user.max_channels));
        user.flatten().map_or((None, None), limits)
    }

    /// The channels that the user has open.
    pub(crate) fn open_channels(&self) -> Arc<OpenChannels> {
        self.access.users.open_channels(self.user.name.as_str())
    }

    /// A number that changes whenever permissions do.
    pub(crate) fn access_generation(&self) -> u64 {
        self.access.generation()
    }

    /// Fails with 406 if the `user_id` property names another user `[rabbitmq validated-user-id]`.
    pub(crate) fn check_user_id(&self, user_id: &[u8]) -> Result<()> {
        let name = self.user.name.as_str();
        if user_id == name.as_bytes() || self.user.has_tag(&UserTag::Impersonator) {
            return Ok(());
        }
        let claimed = String::from_utf8_lossy(user_id);
        Err(Precondition::UserId { claimed: claimed.into_owned(), user: name.into() }.into())
    }

    /// Remembers a queue that ends with the connection. Of those before, the ones that `exists`
    /// does not know any more make room.
    pub(crate) fn own(&self, queue: QueueName, exists: impl Fn(&QueueName) -> bool) {
        let mut owned = self.exclusive_queues.lock();
        if owned.len() == owned.capacity() {
            owned.retain(exists);
            let kept = owned.len();
            owned.reserve(kept + 1);
        }
        owned.push(queue);
    }

    /// Takes the queues that end with the connection.
    pub(crate) fn take_owned(&self) -> Vec<QueueName> {
        std::mem::take(&mut *self.exclusive_queues.lock())
    }

    /// Whether the connection has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The connection ends; tells whether it had not before.
    pub(crate) fn leave(&self) -> bool {
        !self.gone.swap(true, Ordering::AcqRel)
    }
}
