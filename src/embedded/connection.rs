//! A connection without a socket.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::access::User;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::channel::give_back;
use crate::channel::session::Session;
use crate::embedded::channel::{Channel, ChannelInner};
use crate::error::{Error, Result, Scope};
use crate::node::Node;
use crate::node::connections::Closable;
use crate::node::status::ConnectionFacts;
use crate::queue::effects::Effects;
#[cfg(feature = "remote")]
use crate::remote::client::RemoteConnection;

/// A connection to a broker in this process, or to another one: `remote`. Clones are the same
/// connection; it closes when the last of them and of its channels, consumers and deliveries is
/// gone, or by [`Connection::close`].
#[derive(Clone)]
pub struct Connection(Side);

/// Where a connection leads.
#[derive(Clone)]
enum Side {
    Here(Arc<ConnectionInner>),
    #[cfg(feature = "remote")]
    There(Arc<RemoteConnection>),
}

pub(super) struct ConnectionInner {
    broker: Arc<Node>,
    pub(super) session: Arc<Session>,
    channels: Mutex<Vec<Weak<ChannelInner>>, rank::EmbeddedConnection>,
}

/// What the broker keeps of a connection, so that it can end it.
struct Handle(Weak<ConnectionInner>);

impl Closable for Handle {
    fn force_close(&self, _reason: &str) {
        if let Some(connection) = self.0.upgrade() {
            connection.close();
        }
    }

    fn end(&self, error: Error) {
        self.force_close(&error.to_string());
    }
}

impl Connection {
    pub(crate) fn open(broker: &Arc<Node>, user: &Arc<User>, virtual_host: &str) -> Result<Self> {
        let id = broker.connections.next_id();
        let session = broker.open(id, user, virtual_host, true)?;
        let inner = Arc::new(ConnectionInner {
            broker: Arc::clone(broker),
            session,
            channels: Mutex::default(),
        });
        let facts = facts(&inner.session);
        let handle = Arc::new(Handle(Arc::downgrade(&inner)));
        broker.connections.register(&inner.session, handle, facts)?;
        Ok(Self(Side::Here(inner)))
    }

    /// To another broker.
    #[cfg(feature = "remote")]
    pub(super) fn there(connection: RemoteConnection) -> Self {
        Self(Side::There(Arc::new(connection)))
    }

    /// Opens a channel. Errors: 504 when the connection is closed; 530 when the user has as many
    /// channels as it may, or the connection has 65,535.
    pub fn open_channel(&self) -> Result<Channel> {
        match &self.0 {
            Side::Here(inner) => inner.open_channel(),
            #[cfg(feature = "remote")]
            Side::There(connection) => ChannelInner::open_there(connection).map(Channel),
        }
    }

    /// Closes the connection with its channels: consumers end, what was not acknowledged goes
    /// back to its queue, exclusive queues are deleted.
    pub fn close(&self) {
        match &self.0 {
            Side::Here(inner) => inner.close(),
            #[cfg(feature = "remote")]
            Side::There(connection) => connection.close(),
        }
    }
}

impl ConnectionInner {
    fn open_channel(self: &Arc<Self>) -> Result<Channel> {
        if self.session.actor.is_gone() {
            return Err(Error::ChannelClosed);
        }
        let channel = ChannelInner::open(self)?;
        let mut channels = self.channels.lock();
        if channels.len() == channels.capacity() {
            // Those that are gone make room.
            channels.retain(|known| known.strong_count() > 0);
            let kept = channels.len();
            channels.reserve(kept + 1);
        }
        channels.push(Arc::downgrade(&channel));
        drop(channels);
        if self.session.actor.is_gone() {
            // It may have been closed before it knew of this channel.
            channel.close();
            return Err(Error::ChannelClosed);
        }
        Ok(Channel(channel))
    }

    /// Ends what an error ends that a fault has brought.
    pub(super) fn meet(&self, error: &Error) {
        if *error == Error::Crashed {
            self.broker.crash();
        }
        if error.is_loss() || matches!(error, Error::Fault { scope: Scope::Connection, .. }) {
            self.close();
        }
    }

    pub(super) fn close(&self) {
        if !self.session.close() {
            return;
        }
        let channels = std::mem::take(&mut *self.channels.lock());
        let channels: Vec<_> = channels.iter().filter_map(Weak::upgrade).collect();
        channels.iter().for_each(|channel| channel.stop_deliveries());
        let host = &self.session.virtual_host;
        let _acting = host.acting(&self.session.actor);
        let mut effects = Effects::new();
        let remains = channels.iter().filter_map(|channel| channel.end(&mut effects));
        let remains: Vec<_> = remains.collect();
        give_back(&remains, host.now(), &mut effects);
        host.run(&mut effects);
        channels.iter().for_each(|channel| channel.close_mailbox());
        host.delete_owned(&self.session.actor, &mut effects);
        host.run(&mut effects);
        self.broker.connections.unregister(&self.session);
    }
}

/// What there is to be told of a connection without a socket.
fn facts(session: &Session) -> ConnectionFacts {
    let id = session.id();
    ConnectionFacts {
        id,
        name: format!("embedded {id}"),
        peer: None,
        local: None,
        protocol: ConnectionFacts::EMBEDDED,
        tls: None,
        auth_mechanism: Box::default(),
        user: session.actor.user.name.clone(),
        virtual_host: session.virtual_host.name().clone(),
        raw_client_properties: Box::default(),
        user_provided_name: String::new(),
        heartbeat_s: 0,
        frame_max: 0,
        channel_max: 0,
        connected_at: session.virtual_host.now(),
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = f.debug_struct("Connection");
        match &self.0 {
            Side::Here(inner) => told
                .field("user", &inner.session.actor.user.name)
                .field("virtual_host", inner.session.virtual_host.name())
                .field("closed", &inner.session.actor.is_gone()),
            #[cfg(feature = "remote")]
            Side::There(connection) => told
                .field("uri", &format_args!("{connection}"))
                .field("closed", &connection.is_closed()),
        };
        told.finish_non_exhaustive()
    }
}

impl Drop for ConnectionInner {
    fn drop(&mut self) {
        self.close();
    }
}
