//! The connections that are open: who may come in, and how to reach those who are in.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::base::ids::ConnectionId;
use crate::base::lock::Mutex;
use crate::base::names::{UserName, VirtualHostName};
use crate::base::rank;
use crate::channel::session::Session;
use crate::error::{Error, NotAllowed, Result};
use crate::faults;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::recent::Recent;
use crate::insight::statistics::totals::ConnectionTotals;
use crate::node::status::{ConnectionFacts, ConnectionState, ConnectionStatus};
use crate::node::stream_clients::StreamClients;
use crate::time::clock::Timestamp;
use crate::vhost::VirtualHost;

/// A connection that the broker can close and look at.
pub(crate) trait Closable: Send + Sync {
    /// Ends the connection for this reason: over AMQP with 320, a stream connection without a word.
    fn force_close(&self, reason: &str);

    /// Ends the connection for this error.
    fn end(&self, error: Error);

    /// What came and went. Nothing without a wire.
    fn totals(&self) -> ConnectionTotals {
        ConnectionTotals::default()
    }

    /// Whether it is held back.
    fn state(&self) -> ConnectionState {
        ConnectionState::Running
    }

    /// The publishers and consumers of the stream protocol; `None` for another.
    fn stream_clients(&self) -> Option<&StreamClients> {
        None
    }

    /// Octets that wait to be written.
    fn send_pend(&self) -> usize {
        0
    }
}

/// A connection that is open.
struct Open {
    connection: Arc<dyn Closable>,
    session: Weak<Session>,
    facts: Arc<ConnectionFacts>,
    recent: Recent<ConnectionTotals>,
}

#[derive(Default)]
struct Registry {
    by_id: HashMap<ConnectionId, Open>,
    by_host: HashMap<VirtualHostName, HashSet<ConnectionId>>,
    /// How many each user has.
    by_user: HashMap<UserName, u32>,
}

impl Registry {
    /// Errors: 530 when the virtual host or the user has as many connections as it may.
    fn check_limits(&self, session: &Session) -> Result<()> {
        let (host, user) = (&session.virtual_host, &session.actor.user.name);
        let of_host = self.by_host.get(host.name()).map_or(0, |ids| ids.len() as u64);
        if let Some(limit) = host.limits().connections().filter(|limit| of_host >= *limit) {
            let (virtual_host, user) = (host.name().clone(), user.clone());
            return Err(NotAllowed::VirtualHostConnections { virtual_host, user, limit }.into());
        }
        let of_user = self.by_user.get(user).copied().unwrap_or_default();
        let (limit, _) = session.actor.limits();
        match limit.filter(|limit| u64::from(of_user) >= *limit) {
            Some(limit) => Err(NotAllowed::UserConnections(user.clone(), limit).into()),
            None => Ok(()),
        }
    }
}

/// The open connections of a broker.
pub(crate) struct Connections {
    open: Mutex<Registry, rank::Connections>,
    next: AtomicU64,
    /// Most connections that clients from outside may have.
    clients_max: usize,
    closed: AtomicBool,
}

impl Connections {
    /// None yet.
    pub(crate) fn new(clients_max: usize) -> Self {
        Self {
            open: Mutex::default(),
            next: AtomicU64::new(1),
            clients_max,
            closed: AtomicBool::new(false),
        }
    }

    /// A number for a new connection.
    pub(crate) fn next_id(&self) -> ConnectionId {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Registers an open connection. Errors: 320 when the broker is closed, 530 when its virtual
    /// host or its user has as many connections as it may.
    pub(crate) fn register(
        &self,
        session: &Arc<Session>,
        connection: Arc<dyn Closable>,
        facts: ConnectionFacts,
    ) -> Result<()> {
        self.register_within(usize::MAX, session, connection, facts)
    }

    /// As [`Connections::register`], for a client from outside. Errors: the same, 530 also when the
    /// broker has too many connections.
    pub(crate) fn register_client(
        &self,
        session: &Arc<Session>,
        connection: Arc<dyn Closable>,
        facts: ConnectionFacts,
    ) -> Result<()> {
        self.register_within(self.clients_max, session, connection, facts)
    }

    fn register_within(
        &self,
        limit: usize,
        session: &Arc<Session>,
        connection: Arc<dyn Closable>,
        facts: ConnectionFacts,
    ) -> Result<()> {
        let mut open = self.open.lock();
        if self.is_closed() {
            return Err(Error::BrokerClosed);
        }
        if open.by_id.len() >= limit {
            return Err(too_many(limit));
        }
        let host = &session.virtual_host;
        if host.is_closed() {
            // It was deleted while the connection was opened; who deleted it may not have seen it.
            return Err(NotAllowed::NoVirtualHost(host.name().clone()).into());
        }
        open.check_limits(session)?;
        *open.by_user.entry(session.actor.user.name.clone()).or_default() += 1;
        let (facts, session_of) = (Arc::new(facts), Arc::downgrade(session));
        let recent = Recent::default();
        facts.tell_created(host);
        open.by_id.insert(session.id(), Open { connection, session: session_of, facts, recent });
        open.by_host.entry(host.name().clone()).or_default().insert(session.id());
        host.statistics.churn.connection_created.add_shared(1);
        Ok(())
    }

    /// Fails with 530 when no further client is let in.
    pub(crate) fn check_limit(&self) -> Result<()> {
        let limit = self.clients_max;
        if self.count() < limit { Ok(()) } else { Err(too_many(limit)) }
    }

    /// A connection has ended: what it has counted is not forgotten.
    pub(crate) fn unregister(&self, session: &Session) {
        let host = &session.virtual_host;
        let mut gone = host.statistics.gone.lock();
        let mut open = self.open.lock();
        let Some(ended) = open.by_id.remove(&session.id()) else { return };
        if let Some(others) = open.by_host.get_mut(host.name()) {
            others.remove(&session.id());
            if others.is_empty() {
                open.by_host.remove(host.name());
            }
        }
        if let Entry::Occupied(mut count) = open.by_user.entry(session.actor.user.name.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        gone.connections += ended.connection.totals();
        host.statistics.churn.connection_closed.add_shared(1);
        ended.facts.tell_closed(host);
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().by_id.len()
    }

    /// What the client calls an open connection, if it gave it a name.
    pub(crate) fn name_of(&self, id: ConnectionId) -> Option<String> {
        let open = self.open.lock();
        let name = &open.by_id.get(&id)?.facts.user_provided_name;
        Some(name.clone()).filter(|name| !name.is_empty())
    }

    /// The open connections that their clients call by this name.
    pub(crate) fn named(&self, name: &str) -> Vec<ConnectionId> {
        let open = self.open.lock();
        let named = open.by_id.iter().filter(|(_, open)| open.facts.user_provided_name == name);
        named.map(|(id, _)| *id).collect()
    }

    /// Asks the connections to end of which this holds.
    pub(crate) fn close_where(&self, reason: &str, is_meant: impl Fn(&Session) -> bool) {
        let open = self.open.lock();
        let meant: Vec<_> = open
            .by_id
            .values()
            .filter(|open| open.session.upgrade().is_some_and(|session| is_meant(&session)))
            .map(|open| Arc::clone(&open.connection))
            .collect();
        drop(open);
        meant.iter().for_each(|connection| connection.force_close(reason));
    }

    /// Whether nobody is let in any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Lets nobody in any more; returns those who are in.
    pub(crate) fn close_to_all(&self) -> Vec<Arc<dyn Closable>> {
        let open = self.open.lock();
        self.closed.store(true, Ordering::Release);
        open.by_id.values().map(|open| Arc::clone(&open.connection)).collect()
    }

    /// Asks every connection to end; returns them, to see when they are gone.
    pub(crate) fn close_all(&self, reason: &str) -> Vec<Weak<dyn Closable>> {
        let connections = self.close_to_all();
        let mut closing = Vec::with_capacity(connections.len());
        for connection in connections {
            connection.force_close(reason);
            closing.push(Arc::downgrade(&connection));
        }
        closing
    }

    /// Asks a connection to end; tells whether it is open.
    pub(crate) fn close(&self, id: ConnectionId, reason: &str) -> bool {
        let connection = self.open.lock().by_id.get(&id).map(|open| Arc::clone(&open.connection));
        connection.map(|connection| connection.force_close(reason)).is_some()
    }
}

/// Looking at them.
impl Connections {
    /// All of them, by number. `alarm`: publishers are to be blocked at present.
    pub(crate) fn list(&self, alarm: bool) -> Vec<ConnectionStatus> {
        let open = self.open.lock();
        let known = open.by_id.values();
        let all = known.filter_map(|open| Some((open.session.upgrade()?, open.status(alarm))));
        let all: Vec<_> = all.collect();
        drop(open);
        let with_channels = all.into_iter().map(|(session, status)| ConnectionStatus {
            channels: session.channel_count(),
            ..status
        });
        let mut all: Vec<_> = with_channels.collect();
        all.sort_unstable_by_key(|connection| connection.facts.id);
        all
    }

    /// What does not change about a connection.
    pub(crate) fn facts(&self, id: ConnectionId) -> Option<Arc<ConnectionFacts>> {
        self.open.lock().by_id.get(&id).map(|open| Arc::clone(&open.facts))
    }

    /// A connection, as its channels see it.
    pub(crate) fn session(&self, id: ConnectionId) -> Option<Arc<Session>> {
        self.open.lock().by_id.get(&id)?.session.upgrade()
    }

    /// The connections of the stream protocol of which this holds.
    pub(crate) fn of_streams(
        &self,
        is_meant: impl Fn(&ConnectionFacts) -> bool,
    ) -> Vec<(Arc<ConnectionFacts>, Arc<dyn Closable>)> {
        let open = self.open.lock();
        let of_streams = open.by_id.values().filter(|open| is_meant(&open.facts));
        let of_streams = of_streams.filter(|open| open.connection.stream_clients().is_some());
        let both = |open: &Open| (Arc::clone(&open.facts), Arc::clone(&open.connection));
        let mut all: Vec<_> = of_streams.map(both).collect();
        drop(open);
        all.sort_unstable_by_key(|(facts, _)| facts.id);
        all
    }

    /// All connections, as their channels see them, by number.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        let open = self.open.lock();
        let mut all: Vec<_> = open.by_id.values().filter_map(|o| o.session.upgrade()).collect();
        drop(open);
        all.sort_unstable_by_key(|session| session.id());
        all
    }

    /// Calls back for each connection to a virtual host, with what came and went, and the octets
    /// that wait to be written.
    pub(crate) fn each_of(
        &self,
        host: &VirtualHost,
        mut each: impl FnMut(&Session, ConnectionTotals, usize),
    ) {
        let open = self.open.lock();
        let ids = open.by_host.get(host.name()).into_iter().flatten();
        let known = ids.filter_map(|id| open.by_id.get(id));
        let all = known.filter_map(|open| {
            let (connection, session) = (&open.connection, open.session.upgrade()?);
            // Another of that name may have been there before.
            std::ptr::eq(&raw const *session.virtual_host, host).then_some(())?;
            Some((session, connection.totals(), connection.send_pend()))
        });
        let all: Vec<_> = all.collect();
        drop(open);
        all.iter().for_each(|(session, totals, pending)| each(session, *totals, *pending));
    }

    /// Remembers what was counted, for rates.
    pub(crate) fn record(&self, now: Timestamp, is_first: bool) {
        for open in self.open.lock().by_id.values_mut() {
            open.recent.record(now, open.connection.totals(), is_first);
        }
        self.sessions().iter().for_each(|session| session.record(now, is_first));
    }

    /// What came and went on a connection in a span of time.
    pub(crate) fn samples(
        &self,
        id: ConnectionId,
        now: Timestamp,
        span: Span,
    ) -> Vec<Sample<ConnectionTotals>> {
        let mut open = self.open.lock();
        open.by_id.get_mut(&id).map_or(Vec::new(), |open| open.recent.samples(now, span))
    }
}

impl Open {
    /// The connection at this moment, but for its channels.
    fn status(&self, alarm: bool) -> ConnectionStatus {
        ConnectionStatus {
            facts: Arc::clone(&self.facts),
            state: match self.connection.state() {
                // Those of the embedding program are never held back.
                ConnectionState::Running if alarm && !self.facts.is_embedded() => {
                    ConnectionState::Blocking
                }
                state => state,
            },
            channels: 0,
            send_pend: self.connection.send_pend(),
            octets: self.recent.measured(self.connection.totals()),
        }
    }
}

impl faults::Connections for Connections {
    fn end_all(&self, error: &Error) -> usize {
        let open = self.open.lock();
        let connections: Vec<_> =
            open.by_id.values().map(|open| Arc::clone(&open.connection)).collect();
        drop(open);
        connections.iter().for_each(|connection| connection.end(error.clone()));
        connections.len()
    }
}

fn too_many(limit: usize) -> Error {
    NotAllowed::TooManyConnections(limit).into()
}
