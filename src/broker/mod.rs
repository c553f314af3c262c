//! The broker: virtual hosts, users and connections, in one value.

mod builder;
pub(crate) mod exchange;
#[cfg(feature = "remote")]
pub(crate) mod federation;
#[cfg(not(feature = "management"))]
mod hints;
#[cfg(feature = "lapin")]
pub mod lapin;
mod open;
#[cfg(feature = "tls")]
mod over_tls;
#[cfg(feature = "remote")]
pub(crate) mod shovels;
#[cfg(feature = "server")]
pub(crate) mod steering;
pub(crate) mod stream;
#[cfg(feature = "gateway")]
mod stream_clients;
mod super_streams;
pub(crate) mod testing;
#[cfg(feature = "server")]
pub(crate) mod view;
pub(crate) mod virtual_host;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::BrokerBuilder;

use crate::access::{AccessControl, Permissions};
#[cfg(feature = "gateway")]
use crate::base::lock::Mutex;
use crate::base::names::{UserName, VirtualHostName};
#[cfg(feature = "gateway")]
use crate::base::rank;
use crate::definitions::Definitions;
use crate::embedded::Connection;
use crate::error::{NotAllowed, Result};
use crate::faults::Faults;
use crate::insight::journal::Journal;
use crate::insight::lint::{Lint, Lints};
use crate::node::Node;
use crate::node::import::{ImportError, Importing, import};
use crate::persist::recovered::{Durability, LogUsage, Recovery};
#[cfg(feature = "gateway")]
use crate::time::clock::Clock;
#[cfg(feature = "lapin")]
use crate::time::timers::Timers;

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
    node: Arc<Node>,
    journal: Arc<Journal>,
    lints: Arc<Lints>,
    recovery: Recovery,
    /// Keeps the data directory locked.
    #[cfg(feature = "durable")]
    directory: Option<Arc<leveret_storage::DataDirectory>>,
    #[cfg(feature = "gateway")]
    gateway: Mutex<Option<crate::gateway::Gateway>, rank::Listening>,
    #[cfg(feature = "gateway")]
    in_memory: Arc<crate::gateway::InMemory>,
    #[cfg(feature = "remote")]
    links: crate::remote::Links,
    #[cfg(feature = "management")]
    management: Mutex<Option<crate::management::Management>, rank::Listening>,
    #[cfg(feature = "management")]
    http: crate::management::HttpSettings,
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

    /// A broker for a test: on a [manual clock](crate::ManualClock), with a
    /// [journal](Broker::journal) and [lints](Broker::lints), all in memory. With other settings:
    /// [`BrokerBuilder::for_tests`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use leveret::{Broker, Publish};
    ///
    /// let broker = Broker::for_tests();
    /// broker.connect()?.open_channel()?.queue_declare("codes")?;
    /// broker.publish(Publish::to_queue("codes").body("123456").expiration_ms(60_000)).wait()?;
    /// broker.advance(Duration::from_secs(60));
    /// broker.journal().expired().in_queue("codes").assert_one();
    /// # Ok::<(), leveret::Error>(())
    /// ```
    pub fn for_tests() -> Self {
        Self::builder().for_tests().build()
    }

    /// Settings for a broker.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    /// Connects to the default virtual host as the default user, without a socket. Errors: 320
    /// when the broker is closed, 530.
    pub fn connect(&self) -> Result<Connection> {
        self.connect_to(self.node.default_virtual_host.as_str())
    }

    /// As [`Broker::connect`], to another virtual host. Errors: 320, 530 also when it does not
    /// exist or the default user may not use it.
    pub fn connect_to(&self, virtual_host: &str) -> Result<Connection> {
        let user = self.node.default_user().ok_or(NotAllowed::NoDefaultUser)?;
        Connection::open(&self.node, &user, virtual_host)
    }

    /// Connects as a user, whose password is not asked for: the embedding program is trusted.
    /// Errors: 320 when the broker is closed, 530 when there is no such user or virtual host, or
    /// the user may not use it.
    pub fn connect_as(&self, user: &str, virtual_host: &str) -> Result<Connection> {
        let known = self.node.access.users.get(user);
        let user = known.ok_or_else(|| NotAllowed::NoUser(UserName::from(user)))?;
        Connection::open(&self.node, &user, virtual_host)
    }

    /// The user that [`Broker::connect`] connects as, if there is one.
    pub fn default_user(&self) -> Option<String> {
        self.node.default_user().map(|user| user.name.as_str().to_owned())
    }

    /// Adds a virtual host in which the default user may do everything, and waits until that
    /// survives a restart if anything does; if the disk fails, the log says so. One that exists
    /// stays.
    pub fn add_virtual_host(&self, name: &str) {
        let host = self.node.add_virtual_host(VirtualHostName::from(name));
        if let Some(user) = &self.node.default_user {
            let full = Permissions::full();
            self.node.access.permissions.set(user.clone(), host.name().clone(), full);
        }
        if let Some(store) = self.node.persistence() {
            // The store has logged the error.
            let _ = store.wait_until_durable();
        }
    }

    /// Creates the virtual hosts, policies, exchanges, queues and bindings of RabbitMQ's
    /// definitions. Queues and exchanges that exist stay as they are. Users and permissions are
    /// added to the broker's. Parameters other than operator policies and limits of virtual hosts
    /// are left out, with a line in the log. Waits until what is durable survives a restart.
    ///
    /// # Errors
    /// All objects that cannot be had, among them queues and exchanges that exist and are
    /// otherwise; the others are there. Or the disk fails.
    pub fn import(&self, definitions: &Definitions) -> Result<(), ImportError> {
        let refused = import(definitions, &self.node, &Importing::default());
        if let Some(store) = self.node.persistence() {
            store.wait_until_durable()?;
        }
        if refused.is_empty() { Ok(()) } else { Err(ImportError::Refused(refused)) }
    }

    /// Whether it was closed, or has crashed: nobody can connect any more.
    pub fn is_closed(&self) -> bool {
        self.node.connections.is_closed()
    }

    /// Users and permissions. An edit is in force at once; on a data directory it survives a crash
    /// 50 ms later, or as soon as a durable declaration that follows has returned.
    pub fn access(&self) -> &AccessControl {
        &self.node.access
    }

    /// What has happened in the broker; nothing unless [`BrokerBuilder::journal`] asked for it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is to go wrong: faults that a test declares. There are none unless it does.
    pub fn faults(&self) -> Faults {
        Faults::new(self.node.faults(), &self.node.connections)
    }

    /// What was found that is allowed but seldom meant, each once for what it is about; nothing
    /// unless [`BrokerBuilder::lint`] asked for it. At most
    /// 1,000.
    pub fn lints(&self) -> Vec<Lint> {
        self.lints.found()
    }

    /// Number of open connections, embedded ones included.
    pub fn connection_count(&self) -> usize {
        self.node.connections.count()
    }

    /// Raises or clears the memory alarm by hand: while it is raised AMQP connections that
    /// publish are blocked `[rabbitmq connection-blocked]`.
    pub fn set_memory_alarm(&self, on: bool) {
        self.node.memory().force_alarm(on);
    }

    /// Octets of memory that messages take; of each queue that is not empty up to 1 KiB may be told
    /// a little later.
    pub fn memory_used(&self) -> usize {
        self.node.memory().used()
    }

    /// Octets of memory that count towards the high watermark of [`Limits`](crate::Limits): those
    /// of messages, and what clients hold besides, which is what they have not read and about what
    /// their connections, channels, consumers, exchanges, queues and bindings take.
    pub fn memory_total(&self) -> usize {
        self.node.memory().total()
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
        self.with_gateway(|gateway| gateway.listen(&self.node, address))
    }

    /// The threads that serve sockets, started if need be.
    #[cfg(feature = "gateway")]
    fn with_gateway<R>(
        &self,
        listen: impl FnOnce(&crate::gateway::Gateway) -> std::io::Result<R>,
    ) -> std::io::Result<R> {
        let mut gateway = self.gateway.lock();
        let gateway = match &mut *gateway {
            Some(gateway) => gateway,
            none => {
                let broker = &self.node.shared.clock;
                let clock =
                    if self.manual_clock_on_sockets { broker.clone() } else { Clock::system() };
                none.insert(crate::gateway::Gateway::start(self.threads, clock)?)
            }
        };
        listen(gateway)
    }

    /// Serves RabbitMQ's HTTP API on `address`, such as `127.0.0.1:15672`; returns the address that
    /// was bound. May be called several times. What it takes and who may call it is set by
    /// [`BrokerBuilder::http`].
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads cannot be started.
    #[cfg(feature = "management")]
    pub fn serve_http(
        &self,
        address: impl std::net::ToSocketAddrs,
    ) -> std::io::Result<std::net::SocketAddr> {
        self.with_management(|management| management.serve_api(address))
    }

    /// Serves metrics for Prometheus on `address`, such as `127.0.0.1:15692`: `/metrics`,
    /// `/metrics/per-object` and `/metrics/detailed`, with RabbitMQ's names. Returns the address
    /// that was bound. May be called several times, also with an address on which
    /// [`Broker::serve_http`] serves the HTTP API: then both are there.
    ///
    /// Whoever reaches the port may read them: there is no login.
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads cannot be started.
    #[cfg(feature = "management")]
    pub fn serve_metrics(
        &self,
        address: impl std::net::ToSocketAddrs,
    ) -> std::io::Result<std::net::SocketAddr> {
        self.with_management(|management| management.serve_metrics(address))
    }

    /// Serves RabbitMQ's HTTP API on a socket of this machine, for who may open the file: the user
    /// that this process runs as, and the superuser. They need no login and may do everything. A
    /// socket that is left there from before is replaced.
    ///
    /// # Errors
    /// If there is something else, or another server listens there; or the socket cannot be made.
    #[cfg(all(unix, feature = "management"))]
    pub fn serve_http_locally(&self, path: impl AsRef<std::path::Path>) -> std::io::Result<()> {
        self.with_management(|management| management.serve_locally(path.as_ref()))
    }

    #[cfg(feature = "management")]
    fn with_management<T>(
        &self,
        serve: impl FnOnce(&mut crate::management::Management) -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        use crate::management::Management;
        let mut management = self.management.lock();
        serve(match &mut *management {
            Some(management) => management,
            none => none.insert(Management::start(&self.node, self.http.clone())?),
        })
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
        self.node.clock()
    }

    #[cfg(feature = "lapin")]
    pub(crate) fn timers(&self) -> &Arc<Timers> {
        self.node.timers()
    }

    /// What opens in-memory streams for as long as the broker lives.
    #[cfg(feature = "lapin")]
    pub(crate) fn in_memory(&self) -> &Arc<crate::gateway::InMemory> {
        &self.in_memory
    }

    /// Ends all connections with `320 CONNECTION_FORCED - reason`, waits up to `patience` for the
    /// clients to agree, then stops serving. Dropping the broker does the same without patience.
    pub fn close(&self, reason: &str, patience: Duration) {
        #[cfg(feature = "remote")]
        self.links.close();
        let hosts = self.node.all_virtual_hosts();
        hosts.iter().for_each(|host| host.stop_serving());
        let closing = self.node.connections.close_all(reason);
        #[cfg(feature = "management")]
        if let Some(management) = self.management.lock().take() {
            management.stop();
        }
        #[cfg(feature = "gateway")]
        {
            let gateway = self.gateway.lock().take();
            if gateway.is_some() || self.in_memory.is_serving() {
                crate::gateway::see_off(&self.node, &closing, patience);
            }
            if let Some(gateway) = gateway {
                gateway.stop();
            }
            self.in_memory.stop();
        }
        #[cfg(not(feature = "gateway"))]
        let _ = (closing, patience); // embedded connections end at once
        self.node.shared.timers.stop();
        if let Some(store) = self.node.persistence() {
            hosts.iter().for_each(|host| host.remember_histories());
            store.close();
        }
        self.node.shared.streams.close_in_memory();
        if let Some(power) = self.node.power() {
            power.leave();
        }
        hosts.iter().for_each(|host| host.close());
    }

    /// Publishes events if there is an exchange for them, or is to be one.
    pub(crate) fn begin_events(&self, event_exchange: bool) {
        if !event_exchange {
            self.node.resume_event_exchange();
        } else if let Err(error) = self.node.enable_event_exchange("") {
            tracing::error!("there is no exchange of events: {error}");
        }
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
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
        self.node.persistence().map_or(Durability::Memory, |store| store.durability())
    }

    /// Raises or clears the disk alarm by hand: while it is raised AMQP connections that publish
    /// are blocked `[rabbitmq disk-alarms]`. A broker in memory has no other disk alarm than this.
    pub fn set_disk_alarm(&self, on: bool) {
        self.node.disk_alarm.set(on);
    }

    /// Why nothing can be stored at present, if that is so: what the disk says. Nothing is
    /// confirmed meanwhile; what was published is tried again every second.
    pub fn storage_failure(&self) -> Option<String> {
        self.node.persistence().and_then(|store| store.failure())
    }

    /// How much the store holds on disk; none without a data directory.
    pub fn storage_usage(&self) -> Option<LogUsage> {
        self.node.persistence().map(|store| store.usage())
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
