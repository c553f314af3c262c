//! The node: everything that belongs to one broker. Virtual hosts, users, connections, alarms.

pub(crate) mod certificates;
mod closing;
mod components;
pub(crate) mod connections;
mod crash;
pub(crate) mod departed;
pub(crate) mod disk_alarm;
mod disk_watch;
mod event_exchange;
pub(crate) mod export;
#[cfg(feature = "management")]
mod figures;
pub(crate) mod floor;
mod global_parameters;
pub(crate) mod import;
pub(crate) mod listeners;
pub(crate) mod login_attempts;
pub(crate) mod parameters;
pub(crate) mod power;
pub(crate) mod samples;
pub(crate) mod snapshot;
pub(crate) mod statistics;
pub(crate) mod status;
#[cfg(feature = "management")]
pub(crate) mod steering;
#[cfg_attr(not(feature = "gateway"), allow(dead_code, reason = "there are none"))]
pub(crate) mod stream_clients;
mod telling;
mod tracing;
mod virtual_hosts;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use dashmap::DashMap;

use self::connections::Connections;
use self::disk_alarm::DiskAlarm;
use self::global_parameters::GlobalParameters;
use self::listeners::Listeners;
use self::login_attempts::LoginAttempts;
use self::power::Power;
use self::samples::Statistics;
use crate::access::{AccessControl, Actor, User};
use crate::base::herald::Herald;
use crate::base::host_name::host_name;
use crate::base::ids::ConnectionId;
use crate::base::lock::Mutex;
use crate::base::memory_alarm::MemoryAlarm;
use crate::base::names::{UserName, VirtualHostName};
use crate::base::rank;
use crate::base::wake::Wake;
use crate::channel::session::Session;
use crate::error::{NotAllowed, Result};
use crate::faults::Registry;
use crate::limits::{FLOOR_PLACES_PER_THREAD, Limits};
use crate::node::floor::Floor;
use crate::persist::Persistence;
use crate::time::change_signal::ChangeSignal;
use crate::time::clock::Clock;
use crate::time::timers::Timers;
use crate::vhost::{HostMetadata, Shared, VirtualHost};

/// What everything that belongs to a broker holds on to.
pub(crate) struct Node {
    pub limits: Limits,
    pub access: Arc<AccessControl>,
    pub shared: Shared,
    pub default_user: Option<UserName>,
    pub default_virtual_host: VirtualHostName,
    pub connections: Arc<Connections>,
    pub disk_alarm: Arc<DiskAlarm>,
    pub login_attempts: LoginAttempts,
    pub listeners: Listeners,
    pub global_parameters: GlobalParameters,
    #[cfg(feature = "remote")]
    pub shovels: crate::link::shovel::Shovels,
    #[cfg(feature = "remote")]
    pub federation: crate::link::federation::Federation,
    name: String,
    pub statistics: Statistics,
    pub floor: Floor,
    virtual_hosts: DashMap<VirtualHostName, Arc<VirtualHost>>,
    /// Held while a virtual host comes, goes or changes: records are as they are.
    host_changes: Mutex<(), rank::VirtualHosts>,
    power: OnceLock<Power>,
    /// The program that runs the broker.
    #[cfg(feature = "management")]
    steering: OnceLock<Box<dyn steering::Steering>>,
    /// The directory of what survives a restart.
    directory: OnceLock<PathBuf>,
}

impl Node {
    /// A node with its default virtual host.
    pub(crate) fn new(
        limits: Limits,
        access: AccessControl,
        default_user: Option<UserName>,
        default_virtual_host: VirtualHostName,
        shared: Shared,
    ) -> Arc<Self> {
        access.tell_to(&shared.herald);
        shared.memory.tell_to(&shared.herald);
        let statistics = Statistics::new(shared.clock.now());
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let node = Arc::new(Self {
            connections: Arc::new(Connections::new(limits.connections_max)),
            limits,
            access: Arc::new(access),
            #[cfg(feature = "remote")]
            shovels: crate::link::shovel::Shovels::new(&shared.herald),
            shared,
            default_user,
            default_virtual_host: default_virtual_host.clone(),
            disk_alarm: Arc::default(),
            login_attempts: LoginAttempts::default(),
            listeners: Listeners::default(),
            global_parameters: GlobalParameters::default(),
            #[cfg(feature = "remote")]
            federation: crate::link::federation::Federation::default(),
            name: format!("leveret@{}", host_name()),
            statistics,
            floor: Floor::new(threads * FLOOR_PLACES_PER_THREAD),
            virtual_hosts: DashMap::with_shard_amount(4),
            host_changes: Mutex::default(),
            power: OnceLock::new(),
            #[cfg(feature = "management")]
            steering: OnceLock::new(),
            directory: OnceLock::new(),
        });
        node.disk_alarm.tell_to(node.herald());
        node.put_virtual_host(default_virtual_host, HostMetadata::of_default());
        node
    }

    /// What the node is called: `leveret@` and the name of the machine.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn virtual_host(&self, name: &str) -> Option<Arc<VirtualHost>> {
        self.virtual_hosts.get(name).map(|host| Arc::clone(&host))
    }

    /// The virtual host of that name, or 530.
    pub(crate) fn host(&self, name: &str) -> Result<Arc<VirtualHost>> {
        let missing = || NotAllowed::NoVirtualHost(VirtualHostName::from(name)).into();
        self.virtual_host(name).ok_or_else(missing)
    }

    pub(crate) fn memory(&self) -> &Arc<MemoryAlarm> {
        &self.shared.memory
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Who is told of what comes and goes.
    pub(crate) fn herald(&self) -> &Arc<Herald> {
        &self.shared.herald
    }

    pub(crate) fn faults(&self) -> &Arc<Registry> {
        &self.shared.faults
    }

    pub(crate) fn timers(&self) -> &Arc<Timers> {
        &self.shared.timers
    }

    pub(crate) fn changes(&self) -> &Arc<ChangeSignal> {
        &self.shared.changes
    }

    pub(crate) fn all_virtual_hosts(&self) -> Vec<Arc<VirtualHost>> {
        self.virtual_hosts.iter().map(|host| Arc::clone(&host)).collect()
    }

    /// The user that connections without credentials act as.
    pub(crate) fn default_user(&self) -> Option<Arc<User>> {
        self.default_user.as_ref().and_then(|name| self.access.users.get(name.as_str()))
    }

    /// Opens a virtual host for a user who logged in. Errors: 530.
    pub(crate) fn open(
        &self,
        id: ConnectionId,
        user: &Arc<User>,
        virtual_host: &str,
        consumer_cancel_notify: bool,
    ) -> Result<Arc<Session>> {
        let host = self.host(virtual_host)?;
        self.access
            .check_vhost(&user.name, host.name())
            .map_err(|refusal| NotAllowed::VirtualHostRefused(Box::new(refusal)))?;
        let access = Arc::clone(&self.access);
        let actor = Actor::new(id, Arc::clone(user), host.name().clone(), access);
        Ok(Session::new(actor, host, consumer_cancel_notify))
    }

    /// Opens a virtual host for the broker itself, on a connection of its own. Errors: 530.
    #[cfg(feature = "gateway")]
    pub(crate) fn open_trusted(
        &self,
        id: ConnectionId,
        virtual_host: &str,
        consumer_cancel_notify: bool,
    ) -> Result<Arc<Session>> {
        let host = self.host(virtual_host)?;
        let access = Arc::clone(&self.access);
        let actor = Actor::new(id, Actor::nobody(), host.name().clone(), access).trusting();
        Ok(Session::new(actor, host, consumer_cancel_notify))
    }

    /// The store, if there is one.
    pub(crate) fn persistence(&self) -> Option<&Arc<Persistence>> {
        self.shared.persistence.as_ref()
    }

    /// Whether the disk alarm is raised, by hand or because the disk fails.
    pub(crate) fn is_low_on_disk(&self) -> bool {
        self.disk_alarm.is_raised() || self.persistence().is_some_and(|store| store.is_alarmed())
    }

    /// Why publishers are to be blocked at present, if they are, as connection.blocked says it.
    pub(crate) fn alarm(&self) -> Option<&'static str> {
        match (self.memory().follow(), self.is_low_on_disk()) {
            (false, false) => None,
            (true, false) => Some("low on memory"),
            (false, true) => Some("low on disk"),
            (true, true) => Some("low on memory & disk"),
        }
    }

    /// Whether publishers are to wait, without being told: the disk does not keep up.
    pub(crate) fn is_behind(&self) -> bool {
        self.persistence().is_some_and(|store| store.is_behind())
    }

    /// Wakes `sleeper` when [`Node::alarm`] or [`Node::is_behind`] may say something else.
    pub(crate) fn wake_when_calmer(&self, sleeper: &Arc<dyn Wake>) {
        if self.memory().is_alarmed() {
            self.memory().wake_when_over(sleeper);
        }
        self.disk_alarm.wake_when_over(sleeper);
        if let Some(store) = self.persistence().filter(|s| s.is_behind() || s.is_alarmed()) {
            store.wake_when_changed(sleeper);
        }
    }

    /// Messages that all streams hold.
    pub(crate) fn messages_in_streams(&self) -> usize {
        let hosts = self.all_virtual_hosts();
        let queues = hosts.iter().flat_map(|host| host.queues());
        queues.filter(|queue| queue.kind().is_stream).map(|queue| queue.counts().ready).sum()
    }

    /// The program that runs the broker, if it has said so.
    #[cfg(feature = "management")]
    pub(crate) fn steering(&self) -> Option<&dyn steering::Steering> {
        self.steering.get().map(|program| &**program)
    }

    /// Says which program runs the broker.
    #[cfg(feature = "server")]
    pub(crate) fn set_steering(&self, program: Box<dyn steering::Steering>) {
        // The first one counts.
        let _ = self.steering.set(program);
    }

    /// The machine in memory that the broker is on, if it is on one.
    pub(crate) fn power(&self) -> Option<&Power> {
        self.power.get()
    }

    /// The data directory, if there is one.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.get().map(PathBuf::as_path)
    }

    /// A file or directory on the disk that matters: the data directory, or what stands for it if
    /// there is none.
    pub(crate) fn disk(&self) -> &Path {
        self.directory.get().map_or(Path::new("/"), PathBuf::as_path)
    }

    /// Says where the data directory is.
    pub(crate) fn set_directory(&self, path: PathBuf) {
        // A broker is opened on one directory.
        let _ = self.directory.set(path);
    }

    /// Says what machine the broker is on.
    pub(crate) fn set_power(&self, power: Power) {
        // Nobody else says so.
        let _ = self.power.set(power);
    }
}
