//! The broker: virtual hosts, users and connections, in one value.

mod builder;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::Mutex;

pub use self::builder::BrokerBuilder;

use crate::access::{AccessControl, Permissions, User};
use crate::changes::Changes;
use crate::clock::{Clock, Timestamp};
use crate::data_directory::{Durability, LogUsage, Recovery};
use crate::definitions::{Definitions, ImportError, import};
use crate::embedded::Connection;
use crate::error::{Error, Result};
use crate::faults::{Faults, Registry};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::lint::{Lint, Lints};
use crate::machine::Power;
use crate::memory::Memory;
use crate::names::{UserName, VirtualHostName};
use crate::persist::Persistence;
use crate::queue::ConnectionId;
use crate::queue::effects::Wake;
use crate::session::Session;
use crate::sleep::Sleep;
use crate::sleepers::Sleepers;
use crate::timers::Timers;
use crate::vhost::{Shared, VirtualHost};

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

/// What everything that belongs to a broker holds on to.
pub(crate) struct Inner {
    pub limits: Limits,
    pub access: Arc<AccessControl>,
    shared: Shared,
    pub(crate) default_user: Option<UserName>,
    default_virtual_host: VirtualHostName,
    virtual_hosts: DashMap<VirtualHostName, Arc<VirtualHost>>,
    connections: Mutex<HashMap<ConnectionId, Open>>,
    next_connection: AtomicU64,
    closed: AtomicBool,
    disk_alarm: DiskAlarm,
    power: OnceLock<Power>,
}

/// The disk alarm of a broker, raised by hand whether it has a disk or not.
#[derive(Default)]
struct DiskAlarm {
    forced: AtomicBool,
    blocked: Sleepers,
}

impl Inner {
    /// A number for a new connection.
    pub fn next_connection_id(&self) -> ConnectionId {
        self.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    /// Registers an open connection. Errors: 320 when the broker is closed.
    pub fn register(&self, session: &Arc<Session>, connection: Arc<dyn Closable>) -> Result<()> {
        self.register_within(usize::MAX, session, connection)
    }

    /// As [`Inner::register`], for a client from outside. Errors: 320, 530 when there are too
    /// many connections.
    pub fn register_client(
        &self,
        session: &Arc<Session>,
        connection: Arc<dyn Closable>,
    ) -> Result<()> {
        self.register_within(self.limits.connections_max, session, connection)
    }

    fn register_within(
        &self,
        limit: usize,
        session: &Arc<Session>,
        connection: Arc<dyn Closable>,
    ) -> Result<()> {
        let mut connections = self.connections.lock();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::ConnectionForced("broker was closed".into()));
        }
        if connections.len() >= limit {
            return Err(too_many_connections(limit));
        }
        connections.insert(session.id, Open { connection, session: Arc::downgrade(session) });
        Ok(())
    }

    /// Fails with 530 when no further client is let in.
    pub fn check_connection_limit(&self) -> Result<()> {
        let limit = self.limits.connections_max;
        if self.connection_count() < limit { Ok(()) } else { Err(too_many_connections(limit)) }
    }

    pub fn unregister(&self, id: ConnectionId) {
        self.connections.lock().remove(&id);
    }

    pub fn connection_count(&self) -> usize {
        self.connections.lock().len()
    }

    /// What the client calls an open connection, if it gave it a name.
    pub fn connection_name(&self, id: ConnectionId) -> Option<String> {
        let session = self.connections.lock().get(&id)?.session.upgrade()?;
        Some(session.name().to_owned()).filter(|name| !name.is_empty())
    }

    /// The open connections that their clients call by this name.
    pub fn connections_named(&self, name: &str) -> Vec<ConnectionId> {
        let connections = self.connections.lock();
        let sessions = connections.values().filter_map(|open| open.session.upgrade());
        sessions.filter(|session| session.name() == name).map(|session| session.id).collect()
    }

    pub fn virtual_host(&self, name: &str) -> Option<Arc<VirtualHost>> {
        self.virtual_hosts.get(name).map(|host| Arc::clone(&host))
    }

    pub fn memory(&self) -> &Arc<Memory> {
        &self.shared.memory
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub fn faults(&self) -> &Arc<Registry> {
        &self.shared.faults
    }

    pub fn open_connections(&self) -> Vec<Arc<dyn Closable>> {
        self.connections.lock().values().map(|open| Arc::clone(&open.connection)).collect()
    }

    pub fn timers(&self) -> &Arc<Timers> {
        &self.shared.timers
    }

    pub fn changes(&self) -> &Changes {
        &self.shared.changes
    }

    pub fn all_virtual_hosts(&self) -> Vec<Arc<VirtualHost>> {
        self.virtual_hosts.iter().map(|host| Arc::clone(&host)).collect()
    }

    /// The user that connections without credentials act as.
    pub fn default_user(&self) -> Option<Arc<User>> {
        self.default_user.as_ref().and_then(|name| self.access.users.get(name.as_str()))
    }

    /// Opens a virtual host for a user who logged in. Errors: 530.
    pub fn open(
        &self,
        id: ConnectionId,
        user: &Arc<User>,
        virtual_host: &str,
        consumer_cancel_notify: bool,
    ) -> Result<Arc<Session>> {
        let host = self
            .virtual_host(virtual_host)
            .ok_or_else(|| Error::NotAllowed(format!("vhost {virtual_host} not found")))?;
        self.access
            .check_vhost(&user.name, host.name())
            .map_err(|refusal| Error::NotAllowed(refusal.to_string()))?;
        let access = Arc::clone(&self.access);
        Ok(Session::new(id, Arc::clone(user), host, access, consumer_cancel_notify))
    }

    pub fn add_virtual_host(&self, name: VirtualHostName) -> Arc<VirtualHost> {
        let host = self.virtual_hosts.entry(name.clone()).or_insert_with(|| {
            if let Some(store) = &self.shared.persistence {
                store.put_virtual_host(name.as_str());
            }
            VirtualHost::new(name, self.shared.clone())
        });
        Arc::clone(&host)
    }

    /// The store, if there is one.
    pub fn persistence(&self) -> Option<&Arc<Persistence>> {
        self.shared.persistence.as_ref()
    }

    /// Why publishers are to be blocked at present, if they are, as connection.blocked says it.
    pub fn alarm(&self) -> Option<&'static str> {
        let disk = self.disk_alarm.forced.load(Ordering::SeqCst)
            || self.persistence().is_some_and(|store| store.is_alarmed());
        match (self.memory().is_alarmed(), disk) {
            (false, false) => None,
            (true, false) => Some("low on memory"),
            (false, true) => Some("low on disk"),
            (true, true) => Some("low on memory & disk"),
        }
    }

    /// Whether publishers are to wait, without being told: the disk does not keep up.
    pub fn is_behind(&self) -> bool {
        self.persistence().is_some_and(|store| store.is_behind())
    }

    /// Wakes `sleeper` when [`Inner::alarm`] or [`Inner::is_behind`] may say something else.
    pub fn wake_when_calmer(&self, sleeper: &Arc<dyn Wake>) {
        if self.memory().is_alarmed() {
            self.memory().wake_when_over(sleeper);
        }
        if self.disk_alarm.forced.load(Ordering::SeqCst) {
            self.disk_alarm.blocked.add(sleeper);
            if !self.disk_alarm.forced.load(Ordering::SeqCst) {
                sleeper.wake(); // it was cleared before it knew of the sleeper
            }
        }
        if let Some(store) = self.persistence().filter(|s| s.is_behind() || s.is_alarmed()) {
            store.wake_when_changed(sleeper);
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The machine in memory that the broker is on, if it is on one.
    pub fn power(&self) -> Option<&Power> {
        self.power.get()
    }

    /// Says what machine the broker is on.
    pub fn set_power(&self, power: Power) {
        // Nobody else says so.
        let _ = self.power.set(power);
    }

    /// Lets nobody in any more; returns those who are in.
    pub fn close_to_all(&self) -> Vec<Arc<dyn Closable>> {
        let connections = self.connections.lock();
        self.closed.store(true, Ordering::Release);
        connections.values().map(|open| Arc::clone(&open.connection)).collect()
    }

    /// Asks every connection to end; returns them, to see when they are gone.
    pub fn close_connections(&self, reason: &str) -> Vec<Weak<dyn Closable>> {
        let connections = self.close_to_all();
        let mut closing = Vec::with_capacity(connections.len());
        for connection in connections {
            connection.force_close(reason);
            closing.push(Arc::downgrade(&connection));
        }
        closing
    }
}

fn too_many_connections(limit: usize) -> Error {
    let text = format!("connection refused: node connection limit ({limit}) is reached");
    Error::NotAllowed(text)
}

/// A message broker in this process.
///
/// Connect to it with [`Broker::connect`]; let others connect over AMQP 0-9-1 with
/// [`Broker::listen`]. Several brokers live in one process side by side. When a broker is dropped
/// its connections end with `320 CONNECTION_FORCED` and everything it holds is released.
///
/// ```
/// use leveret::{Broker, Publish};
///
/// let broker = Broker::new();
/// let connection = broker.connect()?;
/// let channel = connection.open_channel()?;
/// channel.queue_declare("greetings")?;
/// channel.basic_publish(Publish::to_queue("greetings").body("hello"))?;
/// let message = channel.basic_get("greetings")?.expect("a message");
/// assert_eq!(message.body(), b"hello");
/// message.ack()?;
/// # Ok::<(), leveret::Error>(())
/// ```
pub struct Broker {
    inner: Arc<Inner>,
    journal: Arc<Journal>,
    lints: Arc<Lints>,
    recovery: Recovery,
    /// Keeps the data directory locked.
    #[cfg(feature = "durable")]
    directory: Option<Arc<leveret_storage::DataDirectory>>,
    #[cfg(feature = "gateway")]
    gateway: Mutex<Option<crate::gateway::Gateway>>,
    #[cfg(feature = "gateway")]
    in_memory: Arc<crate::gateway::InMemory>,
    #[cfg(feature = "gateway")]
    threads: usize,
    #[cfg(feature = "gateway")]
    manual_clock_on_sockets: bool,
}

impl Broker {
    /// A broker with default settings: virtual host `/`, user `guest` with password `guest`.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Settings for a broker.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    /// Connects to the default virtual host as the default user, without a socket. Errors: 320
    /// when the broker is closed, 530.
    pub fn connect(&self) -> Result<Connection> {
        self.connect_to(self.inner.default_virtual_host.as_str())
    }

    /// As [`Broker::connect`], to another virtual host. Errors: 320, 530 also when it does not
    /// exist or the default user may not use it.
    pub fn connect_to(&self, virtual_host: &str) -> Result<Connection> {
        let user = self.inner.default_user().ok_or_else(|| {
            Error::NotAllowed("the broker has no default user; use connect_as".into())
        })?;
        Connection::open(&self.inner, &user, virtual_host)
    }

    /// Connects as a user, whose password is not asked for: the embedding program is trusted.
    /// Errors: 320 when the broker is closed, 530 when there is no such user or virtual host, or
    /// the user may not use it.
    pub fn connect_as(&self, user: &str, virtual_host: &str) -> Result<Connection> {
        let known = self.inner.access.users.get(user);
        let user = known.ok_or_else(|| Error::NotAllowed(format!("user '{user}' not found")))?;
        Connection::open(&self.inner, &user, virtual_host)
    }

    /// Adds a virtual host in which the default user may do everything, and waits until that
    /// survives a restart if anything does; if the disk fails, the log says so. One that exists
    /// stays.
    pub fn add_virtual_host(&self, name: &str) {
        let host = self.inner.add_virtual_host(VirtualHostName::from(name));
        if let Some(user) = &self.inner.default_user {
            let full = Permissions::full();
            self.inner.access.permissions.set(user.clone(), host.name().clone(), full);
        }
        if let Some(store) = self.inner.persistence() {
            // The store has logged the error.
            let _ = store.wait_until_durable();
        }
    }

    /// Creates the virtual hosts, policies, exchanges, queues and bindings of RabbitMQ's
    /// definitions; what exists already must be the same. Users and permissions are added to the
    /// broker's. Parameters other than operator policies are left out, with a line in the log.
    /// Waits until what is durable survives a restart.
    ///
    /// # Errors
    /// The first object that is refused; those before it stay. Or the disk fails.
    pub fn import(&self, definitions: &Definitions) -> Result<(), ImportError> {
        import(definitions, &self.inner)?;
        if let Some(store) = self.inner.persistence() {
            store.wait_until_durable()?;
        }
        Ok(())
    }

    /// The virtual host of that name.
    pub fn virtual_host(&self, name: &str) -> Option<Arc<VirtualHost>> {
        self.inner.virtual_host(name)
    }

    /// All virtual hosts, in no order.
    pub fn virtual_hosts(&self) -> Vec<Arc<VirtualHost>> {
        self.inner.virtual_hosts.iter().map(|host| Arc::clone(&host)).collect()
    }

    /// Whether time is moved by [`Broker::advance`] alone.
    pub fn has_manual_clock(&self) -> bool {
        matches!(self.inner.shared.clock, Clock::Manual(_))
    }

    /// Whether it was closed, or has crashed: nobody can connect any more.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Users and permissions.
    pub fn access(&self) -> &AccessControl {
        &self.inner.access
    }

    /// What has happened in the broker; nothing unless [`BrokerBuilder::journal`] asked for it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is to go wrong: faults that a test declares. There are none unless it does.
    pub fn faults(&self) -> Faults {
        Faults::new(&self.inner)
    }

    /// What was found that is allowed but seldom meant, each once for what it is about; nothing
    /// unless [`BrokerBuilder::lint`] asked for it. At most
    /// [`LINTS_MAX`](crate::limits::LINTS_MAX).
    pub fn lints(&self) -> Vec<Lint> {
        self.lints.found()
    }

    /// Number of open connections, embedded ones included.
    pub fn connection_count(&self) -> usize {
        self.inner.connection_count()
    }

    /// The broker's time.
    pub fn now(&self) -> Timestamp {
        self.inner.shared.clock.now()
    }

    /// Moves a [manual clock](crate::ManualClock) on, stopping at every deadline on the way:
    /// messages and queues expire, heartbeats of connections on this clock are sent or missed, and
    /// what follows from it has happened when this returns. What clients on in-memory streams had
    /// written before is taken first. On the system's clock this does nothing.
    pub fn advance(&self, duration: Duration) {
        if let Clock::Manual(clock) = &self.inner.shared.clock {
            self.inner.shared.timers.advance_to(clock, clock.now() + duration);
        }
    }

    /// Moves a [manual clock](crate::ManualClock) to the next deadline, as [`Broker::advance`]
    /// does; returns the time that it shows then. `None`, and the clock stands still, if nobody
    /// waits for anything, or the broker runs on the system's clock.
    pub fn advance_to_next_event(&self) -> Option<Timestamp> {
        let Clock::Manual(clock) = &self.inner.shared.clock else { return None };
        let deadline = self.next_deadline()?;
        self.inner.shared.timers.advance_to(clock, deadline);
        Some(clock.now())
    }

    /// When something will be due by itself: a message or queue that expires, a delayed message, a
    /// heartbeat of a connection on the broker's clock, a [`Sleep`]. It may be a time at which it
    /// turns out that nothing has to be done, such as that of a message that was consumed before.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        // What clients on in-memory streams have sent may bring a deadline with it.
        self.advance(Duration::ZERO);
        self.inner.shared.timers.next_deadline()
    }

    /// Waits until the broker's clock has moved on by `duration`, whatever clock that is; also
    /// ends when the broker is closed. A program under test that takes its timers from here needs
    /// no waiting in its tests.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::until(&self.inner.shared.timers, self.now() + duration)
    }

    /// Raises or clears the memory alarm by hand: while it is raised AMQP connections that
    /// publish are blocked `[rabbitmq connection-blocked]`.
    pub fn set_memory_alarm(&self, on: bool) {
        self.inner.memory().force_alarm(on);
    }

    /// Octets of memory that messages take.
    pub fn memory_used(&self) -> usize {
        self.inner.memory().used()
    }

    /// Serves AMQP 0-9-1 on `address`, such as `127.0.0.1:0`; returns the address that was bound.
    /// May be called several times.
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads cannot be started.
    #[cfg(feature = "gateway")]
    pub fn listen(
        &self,
        address: impl std::net::ToSocketAddrs,
    ) -> std::io::Result<std::net::SocketAddr> {
        let mut gateway = self.gateway.lock();
        let gateway = match &mut *gateway {
            Some(gateway) => gateway,
            none => {
                let broker = &self.inner.shared.clock;
                let clock =
                    if self.manual_clock_on_sockets { broker.clone() } else { Clock::system() };
                none.insert(crate::gateway::Gateway::start(self.threads, clock)?)
            }
        };
        gateway.listen(&self.inner, address)
    }

    /// Opens a connection as [`Broker::listen`] serves them, but in memory and without a port:
    /// the stream is what a client would have after it connected its socket, and the next thing
    /// that the broker expects on it is the protocol header. The client counts as one on this
    /// machine.
    ///
    /// Unlike those of sockets, heartbeats and timeouts of this connection go by the broker's
    /// clock: on a [manual clock](crate::ManualClock) they are due when [`Broker::advance`] says
    /// so.
    ///
    /// All brokers of a process serve such streams from the same few threads, which start with
    /// the first stream. The caller may be in a runtime of its own, or in none.
    ///
    /// # Errors
    /// `ConnectionRefused` when the broker is closed; others if the threads cannot be started.
    #[cfg(feature = "gateway")]
    pub fn connect_amqp(&self) -> std::io::Result<crate::gateway::MemoryStream> {
        self.in_memory.connect(None)
    }

    #[cfg(feature = "lapin")]
    pub(crate) fn clock(&self) -> &Clock {
        self.inner.clock()
    }

    #[cfg(feature = "lapin")]
    pub(crate) fn timers(&self) -> &Arc<Timers> {
        self.inner.timers()
    }

    /// What opens in-memory streams for as long as the broker lives.
    #[cfg(feature = "lapin")]
    pub(crate) fn in_memory(&self) -> &Arc<crate::gateway::InMemory> {
        &self.in_memory
    }

    /// Ends all connections with `320 CONNECTION_FORCED - reason`, waits up to `patience` for the
    /// clients to agree, then stops serving. Dropping the broker does the same without patience.
    pub fn close(&self, reason: &str, patience: Duration) {
        let closing = self.inner.close_connections(reason);
        #[cfg(feature = "gateway")]
        {
            let gateway = self.gateway.lock().take();
            if gateway.is_some() || self.in_memory.is_serving() {
                crate::gateway::see_off(&self.inner, &closing, patience);
            }
            if let Some(gateway) = gateway {
                gateway.stop();
            }
            self.in_memory.stop();
        }
        #[cfg(not(feature = "gateway"))]
        let _ = (closing, patience); // embedded connections end at once
        self.inner.shared.timers.stop();
        let hosts = self.inner.all_virtual_hosts();
        if let Some(store) = self.inner.persistence() {
            hosts.iter().for_each(|host| host.remember_histories());
            store.close();
        }
        if let Some(power) = self.inner.power() {
            power.leave();
        }
        hosts.iter().for_each(|host| host.close());
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// What was found in the data directory when the broker was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub(crate) fn set_recovery(&mut self, recovery: Recovery) {
        self.recovery = recovery;
    }

    #[cfg(feature = "durable")]
    pub(crate) fn keep_locked(&mut self, directory: Arc<leveret_storage::DataDirectory>) {
        self.directory = Some(directory);
    }

    /// What a confirm of a persistent message in a durable queue promises:
    /// [`Durability::Memory`] unless the broker was opened on a data directory.
    pub fn durability(&self) -> Durability {
        self.inner.persistence().map_or(Durability::Memory, |store| store.durability())
    }

    /// Raises or clears the disk alarm by hand: while it is raised AMQP connections that publish
    /// are blocked `[rabbitmq disk-alarms]`. A broker in memory has no other disk alarm than this.
    pub fn set_disk_alarm(&self, on: bool) {
        let alarm = &self.inner.disk_alarm;
        alarm.forced.store(on, Ordering::SeqCst);
        if !on {
            alarm.blocked.wake_all();
        }
    }

    /// Why nothing can be stored at present, if that is so: what the disk says. Nothing is
    /// confirmed meanwhile; what was published is tried again every second.
    pub fn storage_failure(&self) -> Option<String> {
        self.inner.persistence().and_then(|store| store.failure())
    }

    /// How much the store holds on disk; none without a data directory.
    pub fn storage_usage(&self) -> Option<LogUsage> {
        self.inner.persistence().map(|store| store.usage())
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("connections", &self.connection_count())
            .field("memory_used", &self.memory_used())
            .finish_non_exhaustive()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.close("broker was dropped", Duration::ZERO);
    }
}
