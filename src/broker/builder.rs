//! Settings for a broker, and its making.

use std::sync::Arc;

use super::Broker;
use crate::access::{AccessControl, PasswordHash};
#[cfg(feature = "gateway")]
use crate::base::lock::Mutex;
use crate::base::memory_alarm::MemoryAlarm;
use crate::base::names::{UserName, VirtualHostName};
use crate::insight::journal::Journal;
use crate::insight::lint::{LintLevel, Lints};
use crate::limits::{Limits, TEST_JOURNAL_EVENTS};
use crate::node::Node;
use crate::persist::Persistence;
use crate::persist::recovered::{Durability, Recovery};
use crate::persist::stream_logs::StreamLogs;
use crate::time::change_signal::ChangeSignal;
use crate::time::clock::{Clock, ManualClock};
use crate::time::timers::Timers;
use crate::vhost::Shared;

/// Settings for a [`Broker`].
#[derive(Debug)]
pub struct BrokerBuilder {
    limits: Limits,
    clock: Clock,
    user: Option<(String, String)>,
    access: Option<(AccessControl, UserName)>,
    access_if_new: Option<AccessControl>,
    virtual_host: String,
    loopback_users: Vec<String>,
    threads: usize,
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
    manual_clock_on_sockets: bool,
    journal_capacity: usize,
    lint_level: LintLevel,
    deny_deprecated: bool,
    without_plugins: bool,
    rabbitmq_faults: bool,
    require_stream_prefetch: bool,
    pub(crate) event_exchange: bool,
    pub(crate) repair: bool,
    #[cfg(feature = "management")]
    http: crate::management::HttpSettings,
}

impl Default for BrokerBuilder {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            clock: Clock::system(),
            user: Some(("guest".into(), "guest".into())),
            access: None,
            access_if_new: None,
            virtual_host: "/".into(),
            loopback_users: vec!["guest".into()],
            threads: 2,
            durability: Durability::Fsync,
            segment_bytes: 64 << 20,
            manual_clock_on_sockets: false,
            journal_capacity: 0,
            lint_level: LintLevel::Off,
            deny_deprecated: false,
            without_plugins: false,
            rabbitmq_faults: false,
            require_stream_prefetch: false,
            event_exchange: false,
            repair: false,
            #[cfg(feature = "management")]
            http: crate::management::HttpSettings::default(),
        }
    }
}

impl BrokerBuilder {
    /// What a test wants of a broker: a clock that [`Broker::advance`] moves, a
    /// [journal](Broker::journal) of the last 100,000 events, and a warning for what is
    /// [seldom meant](Broker::lints). [`Broker::for_tests`] is this and no more.
    #[must_use]
    pub fn for_tests(self) -> Self {
        self.manual_clock(ManualClock::default()).journal(TEST_JOURNAL_EVENTS).lint(LintLevel::Warn)
    }

    /// What the broker takes from its clients at most.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs the broker on a clock that moves only by [`Broker::advance`].
    #[must_use]
    pub fn manual_clock(mut self, clock: ManualClock) -> Self {
        self.clock = Clock::Manual(clock);
        self
    }

    /// Lets heartbeats and timeouts of connections on sockets go by the broker's clock, too.
    /// Default: they are on real time, as those of the clients at the other end. Changes nothing
    /// without [`BrokerBuilder::manual_clock`].
    #[must_use]
    pub fn manual_clock_on_sockets(mut self) -> Self {
        self.manual_clock_on_sockets = true;
        self
    }

    /// The default user, an administrator with all permissions in the default virtual host.
    /// Default: `guest` with password `guest`.
    #[must_use]
    pub fn default_user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// No default user: users come from elsewhere, such as a definitions file.
    #[must_use]
    pub fn no_default_user(mut self) -> Self {
        self.user = None;
        self
    }

    /// Users and permissions that were prepared before, and which of the users is the default
    /// one, if it exists.
    #[must_use]
    pub fn access(mut self, access: AccessControl, default_user: &str) -> Self {
        self.access = Some((access, UserName::from(default_user)));
        self
    }

    /// Users and permissions in place of those of [`BrokerBuilder::access`], for a broker that
    /// finds nothing from before. On a data directory they are stored all at once before it is
    /// open: after a crash all of them are there, or the next one is new still. Without effect if
    /// there are none of [`BrokerBuilder::access`]: the default user is created in their place.
    #[must_use]
    pub fn access_if_new(mut self, access: AccessControl) -> Self {
        self.access_if_new = Some(access);
        self
    }

    /// The default virtual host. Default: `/`.
    #[must_use]
    pub fn default_virtual_host(mut self, name: &str) -> Self {
        self.virtual_host = name.into();
        self
    }

    /// Users that may only connect from this machine. Default: `guest`.
    #[must_use]
    pub fn loopback_users(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.loopback_users = names.into_iter().collect();
        self
    }

    /// Threads that serve AMQP connections on sockets. Default: 2.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// What a confirm promises when the broker is opened on a data directory. Default:
    /// [`Durability::Fsync`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Repairs damaged definitions when the broker is opened on a data directory: they are kept
    /// twice, and what one copy lacks is restored from the other. What was done is in
    /// [`Recovery::repaired`]. Default: a damaged directory is an error, and stays as it is.
    #[must_use]
    pub fn repair(mut self, repair: bool) -> Self {
        self.repair = repair;
        self
    }

    /// Size of the files that messages are kept in when the broker is opened on a data directory,
    /// 4 KiB to 16 GiB: a file is made in this size, and given back when nothing in it is needed
    /// any more. Default 64 MiB.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Keeps the last `capacity` events for tests to ask about: see [`Broker::journal`]. Messages
    /// that they are about stay in memory for as long. Default: 0, nothing is kept.
    #[must_use]
    pub fn journal(mut self, capacity: usize) -> Self {
        self.journal_capacity = capacity;
        self
    }

    /// Looks for what is allowed but seldom meant, such as arguments that are misspelt or messages
    /// that no queue gets: see [`LintKind`](crate::lint::LintKind) and [`Broker::lints`]. Default:
    /// [`LintLevel::Off`].
    #[must_use]
    pub fn lint(mut self, level: LintLevel) -> Self {
        self.lint_level = level;
        self
    }

    /// Refuses what RabbitMQ 4.0 permits and RabbitMQ 4.3, with its default configuration, does
    /// not, with the same codes and texts. Default: it is permitted.
    ///
    /// - A queue that is neither durable nor exclusive (`transient_nonexcl_queues`): 541.
    /// - `x-queue-master-locator` on a classic queue (`queue_master_locator`): 541.
    /// - A policy with `queue-master-locator`, or with `ha-mode` or another setting of mirrored
    ///   queues (`classic_queue_mirroring`): a [`PolicyError`](crate::vhost::PolicyError).
    /// - basic.qos with `global=true` (`global_qos`): taken as `global=false`, as RabbitMQ does it;
    ///   logged, and found by [`BrokerBuilder::lint`].
    /// - `x-queue-mode` and `x-queue-version` 1, which are gone, and `x-consumer-timeout` on a
    ///   classic queue, since 4.3.2: 406.
    ///
    /// [`Channel::queue_declare`](crate::Channel::queue_declare) declares queues of the first kind:
    /// use [`Channel::queue_declare_with`](crate::Channel::queue_declare_with). What exists in a
    /// data directory stays.
    #[must_use]
    pub fn deny_deprecated(mut self, deny: bool) -> Self {
        self.deny_deprecated = deny;
        self
    }

    /// Knows only what RabbitMQ 4.0 knows without plugins: of exchange types those of AMQP and
    /// `x-local-random` (others are 406), and no `x-message-deduplication` of queues. What exists
    /// in a data directory stays. Default: everything is known.
    #[must_use]
    pub fn without_plugins(mut self, without: bool) -> Self {
        self.without_plugins = without;
        self
    }

    /// Repeats what RabbitMQ 4.0 does wrong, for tests of programs that have to live with it:
    ///
    /// - A mandatory direct reply comes back as unroutable, although it was delivered.
    /// - A queue with several bindings to an `x-consistent-hash` exchange gets nothing from it any
    ///   more when one of them is removed.
    ///
    /// Default: it does not.
    #[must_use]
    pub fn rabbitmq_faults(mut self, repeat: bool) -> Self {
        self.rabbitmq_faults = repeat;
        self
    }

    /// Refuses consumers of streams that have no prefetch with 406, as RabbitMQ does. Default: they
    /// are served, with 256 messages before they have to acknowledge some, which is found
    /// by [`BrokerBuilder::lint`].
    #[must_use]
    pub fn require_stream_prefetch(mut self, require: bool) -> Self {
        self.require_stream_prefetch = require;
        self
    }

    /// Publishes what comes and goes (queues, exchanges, bindings, connections, channels,
    /// consumers, policies, parameters, virtual hosts, users, permissions, alarms) to the exchange
    /// `amq.rabbitmq.event` of the default virtual host `[rabbitmq event-exchange]`: each event a
    /// message without a body, with its name as routing key and what there is to tell as headers. A
    /// data directory that has the exchange keeps it. Default: there is none.
    #[must_use]
    pub fn event_exchange(mut self, publish: bool) -> Self {
        self.event_exchange = publish;
        self
    }

    /// How the HTTP API is served: see [`Broker::serve_http`].
    #[cfg(feature = "management")]
    #[must_use]
    pub fn http(mut self, settings: crate::HttpSettings) -> Self {
        self.http = settings;
        self
    }

    /// Makes the broker. It starts no thread before it needs one, and keeps everything in memory.
    pub fn build(self) -> Broker {
        let event_exchange = self.event_exchange;
        let broker = self.build_with(None, true);
        broker.begin_events(event_exchange);
        broker
    }

    /// `is_new`: there was nothing before, and the default user is created.
    pub(crate) fn build_with(self, persistence: Option<Arc<Persistence>>, is_new: bool) -> Broker {
        let queue_memory_bytes_max = self.limits.queue_memory_bytes_max;
        let timers = Timers::new(self.clock.clone());
        let memory = MemoryAlarm::new(self.limits.memory_high_watermark_bytes);
        let host = VirtualHostName::from(self.virtual_host);
        let first = self.access_if_new.filter(|_| is_new);
        let (access, default_user) = match self.access {
            Some((access, user)) => (first.unwrap_or(access), Some(user)),
            None => {
                let access = AccessControl::new(self.loopback_users.into_iter().map(Into::into));
                let user = self.user.map(|user| add_default_user(&access, user, &host, is_new));
                (access, user)
            }
        };
        let changes = Arc::<ChangeSignal>::default();
        let journal = Journal::new(self.journal_capacity, self.clock.now(), Arc::clone(&changes));
        let journal = Arc::new(journal);
        let lints = Arc::new(Lints::new(self.lint_level));
        let shared = Shared {
            clock: self.clock,
            timers,
            memory,
            faults: Arc::default(),
            streams: match &persistence {
                Some(store) => StreamLogs::new(Arc::clone(store.streams())),
                None => StreamLogs::in_memory(),
            },
            persistence,
            journal: journal.is_on().then(|| Arc::clone(&journal)),
            lints: lints.is_on().then(|| Arc::clone(&lints)),
            deny_deprecated: self.deny_deprecated,
            without_plugins: self.without_plugins,
            rabbitmq_faults: self.rabbitmq_faults,
            require_stream_prefetch: self.require_stream_prefetch,
            changes,
            herald: Arc::default(),
            consumed: Arc::default(),
            queue_memory_bytes_max,
            consumer_timeout_ms: match self.limits.consumer_timeout_ms {
                0 => u64::MAX,
                ms => ms,
            },
            consumers_per_channel_max: self.limits.consumers_per_channel_max,
        };
        let node = Node::new(self.limits, access, default_user, host, shared);
        #[cfg(feature = "gateway")]
        let in_memory = crate::gateway::InMemory::new(&node);
        Broker {
            #[cfg(feature = "remote")]
            links: crate::remote::Links::serving(&node, &in_memory),
            #[cfg(feature = "gateway")]
            in_memory,
            node,
            journal,
            lints,
            recovery: Recovery { is_new: true, clean: true, ..Recovery::default() },
            #[cfg(feature = "durable")]
            directory: None,
            #[cfg(feature = "gateway")]
            gateway: Mutex::default(),
            #[cfg(feature = "gateway")]
            threads: self.threads,
            #[cfg(feature = "management")]
            management: Mutex::default(),
            #[cfg(feature = "management")]
            http: self.http,
            #[cfg(feature = "gateway")]
            manual_clock_on_sockets: self.manual_clock_on_sockets,
        }
    }
}

/// The default user, made where nothing was before.
fn add_default_user(
    access: &AccessControl,
    (name, password): (String, String),
    host: &VirtualHostName,
    is_new: bool,
) -> UserName {
    let name = UserName::from(name);
    if is_new {
        // Without the system's randomness a fixed salt still lets the user log in.
        let salt = PasswordHash::random_salt().unwrap_or_default();
        let hash = PasswordHash::new(password, salt);
        access.add_administrator(name.clone(), hash, host.clone());
    }
    name
}
