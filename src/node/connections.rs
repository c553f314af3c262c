//! The connections that are open: who may come in, and how to reach those who are in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::base::ids::ConnectionId;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::channel::session::Session;
use crate::error::{Error, Result};
use crate::faults;

/// A connection that the broker can close.
pub(crate) trait Closable: Send + Sync {
    /// Asks the connection to end with 320 and this reason.
    fn force_close(&self, reason: &str);

    /// Ends the connection for this error.
    fn end(&self, error: Error);
}

/// A connection that is open.
struct Open {
    connection: Arc<dyn Closable>,
    session: Weak<Session>,
}

/// The open connections of a broker.
pub(crate) struct Connections {
    open: Mutex<HashMap<ConnectionId, Open>, rank::Connections>,
    next: AtomicU64,
    /// Most connections that clients from outside may have.
    clients_max: usize,
    closed: AtomicBool,
}

impl Connections {
    /// None yet.
    pub fn new(clients_max: usize) -> Self {
        Self {
            open: Mutex::default(),
            next: AtomicU64::new(1),
            clients_max,
            closed: AtomicBool::new(false),
        }
    }

    /// A number for a new connection.
    pub fn next_id(&self) -> ConnectionId {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Registers an open connection. Errors: 320 when the broker is closed.
    pub fn register(&self, session: &Arc<Session>, connection: Arc<dyn Closable>) -> Result<()> {
        self.register_within(usize::MAX, session, connection)
    }

    /// As [`Connections::register`], for a client from outside. Errors: 320, 530 when there are
    /// too many connections.
    pub fn register_client(
        &self,
        session: &Arc<Session>,
        connection: Arc<dyn Closable>,
    ) -> Result<()> {
        self.register_within(self.clients_max, session, connection)
    }

    fn register_within(
        &self,
        limit: usize,
        session: &Arc<Session>,
        connection: Arc<dyn Closable>,
    ) -> Result<()> {
        let mut open = self.open.lock();
        if self.is_closed() {
            return Err(Error::ConnectionForced("broker was closed".into()));
        }
        if open.len() >= limit {
            return Err(too_many(limit));
        }
        open.insert(session.id(), Open { connection, session: Arc::downgrade(session) });
        if session.virtual_host.is_closed() {
            // It was deleted while the connection was opened; who deleted it may not have seen it.
            open.remove(&session.id());
            let name = session.virtual_host.name();
            return Err(Error::NotAllowed(format!("vhost {name} not found")));
        }
        Ok(())
    }

    /// Fails with 530 when no further client is let in.
    pub fn check_limit(&self) -> Result<()> {
        let limit = self.clients_max;
        if self.count() < limit { Ok(()) } else { Err(too_many(limit)) }
    }

    /// The connection has ended.
    pub fn unregister(&self, id: ConnectionId) {
        self.open.lock().remove(&id);
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// What the client calls an open connection, if it gave it a name.
    pub fn name_of(&self, id: ConnectionId) -> Option<String> {
        let session = self.open.lock().get(&id)?.session.upgrade()?;
        Some(session.actor.connection_name().to_owned()).filter(|name| !name.is_empty())
    }

    /// The open connections that their clients call by this name.
    pub fn named(&self, name: &str) -> Vec<ConnectionId> {
        let open = self.open.lock();
        let sessions = open.values().filter_map(|open| open.session.upgrade());
        sessions
            .filter(|session| session.actor.connection_name() == name)
            .map(|session| session.id())
            .collect()
    }

    /// Asks the connections to end of which this holds.
    pub fn close_where(&self, reason: &str, is_meant: impl Fn(&Session) -> bool) {
        let open = self.open.lock();
        let meant: Vec<_> = open
            .values()
            .filter(|open| open.session.upgrade().is_some_and(|session| is_meant(&session)))
            .map(|open| Arc::clone(&open.connection))
            .collect();
        drop(open);
        meant.iter().for_each(|connection| connection.force_close(reason));
    }

    /// Whether nobody is let in any more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Lets nobody in any more; returns those who are in.
    pub fn close_to_all(&self) -> Vec<Arc<dyn Closable>> {
        let open = self.open.lock();
        self.closed.store(true, Ordering::Release);
        open.values().map(|open| Arc::clone(&open.connection)).collect()
    }

    /// Asks every connection to end; returns them, to see when they are gone.
    pub fn close_all(&self, reason: &str) -> Vec<Weak<dyn Closable>> {
        let connections = self.close_to_all();
        let mut closing = Vec::with_capacity(connections.len());
        for connection in connections {
            connection.force_close(reason);
            closing.push(Arc::downgrade(&connection));
        }
        closing
    }
}

impl faults::Connections for Connections {
    fn end_all(&self, error: &Error) -> usize {
        let open = self.open.lock();
        let connections: Vec<_> = open.values().map(|open| Arc::clone(&open.connection)).collect();
        drop(open);
        connections.iter().for_each(|connection| connection.end(error.clone()));
        connections.len()
    }
}

fn too_many(limit: usize) -> Error {
    let text = format!("connection refused: node connection limit ({limit}) is reached");
    Error::NotAllowed(text)
}
