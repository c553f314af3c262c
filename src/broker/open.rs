//! Brokers that survive a restart: opening what is in a data directory, or in another store.

use std::io;
use std::path::Path;
#[cfg(feature = "durable")]
use std::path::PathBuf;
use std::sync::Arc;

use leveret_storage::{
    Catalogue, CatalogueReport, Damage, Disk, Log, LogOptions, MessageStore, Recovered, Store,
    StreamOptions, Streams, Target,
};

use crate::broker::{Broker, BrokerBuilder};
use crate::definitions::{Definitions, apply_users};
use crate::persist::are_users_recorded;
use crate::persist::recovered::{OpenError, Recovery};
use crate::persist::recovery::{Finder, QueueContents, Records, drop_deleted, tidy_states};
use crate::persist::{Health, Persistence, QueueIds};
use crate::queue::effects::Effects;
use crate::time::clock::Clock;
use crate::vhost::HostMetadata;

/// Identity of what is on simulated disks.
const SIMULATED: u64 = 1;

fn failed(path: &Path, reason: leveret_storage::Error) -> OpenError {
    let path = path.to_owned();
    match reason {
        leveret_storage::Error::Catalogue(findings) => OpenError::Damaged { path, findings },
        reason => OpenError::Store { path, reason },
    }
}

/// Somebody came across a damaged chunk of a stream.
fn report_damage(damage: &Damage) {
    let Damage { file, offset, octets } = damage;
    tracing::error!("{file} is damaged: {octets} octets at {offset} are lost; readers go on");
}

/// Stores for a broker.
pub(crate) struct Stores {
    pub records: Arc<dyn Store>,
    pub report: CatalogueReport,
    /// Opens the log, and calls back for every live message.
    #[allow(clippy::type_complexity, reason = "it is called once")]
    pub open_log: Box<
        dyn FnOnce(
            LogOptions,
            &mut dyn FnMut(Target, u32, &[u8]),
        ) -> leveret_storage::Result<(Arc<dyn MessageStore>, Recovered)>,
    >,
    /// Opens the logs of streams.
    pub open_streams: Box<dyn FnOnce(StreamOptions) -> leveret_storage::Result<Streams>>,
}

/// A path of a data directory, where the crate has these: nothing is one without the feature.
#[cfg(not(feature = "durable"))]
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`BrokerBuilder::open` needs the feature `durable` of leveret",
    label = "this would be the path of a data directory",
    note = "in Cargo.toml: leveret = {{ version = \"0.1\", features = [\"durable\"] }}"
)]
pub trait DataDirectory {
    /// Never called.
    #[doc(hidden)]
    fn open(self, builder: BrokerBuilder) -> Result<Broker, OpenError>;
}

impl BrokerBuilder {
    /// Makes a broker whose durable exchanges and queues, with their persistent messages, are kept
    /// in a directory, and takes up what is there from before. The directory is made if it is not
    /// there. No other process can have it open.
    ///
    /// # Errors
    /// If the directory is in use, belongs to a newer version, or cannot be read or written.
    /// Or if definitions in it are damaged, unless [`BrokerBuilder::repair`] is set. Damage to
    /// messages is no error: see [`Broker::recovery`].
    #[cfg(feature = "durable")]
    pub fn open(self, path: impl Into<PathBuf>) -> Result<Broker, OpenError> {
        let path = path.into();
        let failed = |reason| failed(&path, reason);
        let directory =
            Arc::new(leveret_storage::DataDirectory::open(path.clone()).map_err(failed)?);
        if !directory.is_private().map_err(failed)? {
            tracing::warn!(
                "others than its owner can look into the data directory {}: chmod 700 closes it",
                path.display()
            );
        }
        if directory.was_full() {
            tracing::warn!(
                "the disk is full: {} is opened with the space that was kept for that; messages \
                 can be consumed, and publishers wait until there is space again",
                path.display()
            );
        }
        let (records, report) = directory.records(self.repair).map_err(failed)?;
        let open_log = Box::new({
            let directory = directory.clone();
            move |options: LogOptions, found: &mut dyn FnMut(Target, u32, &[u8])| {
                let (log, recovered) = directory.log(options, found)?;
                Ok((Arc::new(log) as Arc<dyn MessageStore>, recovered))
            }
        });
        let open_streams = Box::new({
            let directory = directory.clone();
            move |options| directory.streams(options)
        });
        let stores = Stores { records: Arc::new(records), report, open_log, open_streams };
        let mut broker = self.open_stores(stores, &path)?;
        broker.keep_locked(directory);
        broker.node().set_directory(path.clone());
        broker.node().set_disk_free_limit(broker.node().limits.disk_free_limit_bytes);
        Ok(broker)
    }

    /// Needs the feature `durable`: without it everything is kept in memory.
    ///
    /// ```compile_fail
    /// leveret::Broker::builder().open("data"); // the compiler says which feature is missing
    /// ```
    ///
    /// # Errors
    /// None: it does not compile.
    #[cfg(not(feature = "durable"))]
    #[doc(hidden)]
    pub fn open(self, path: impl DataDirectory) -> Result<Broker, OpenError> {
        path.open(self)
    }

    /// For tests of durability: a broker on a record store and on a disk for messages that lose
    /// power or fail when a test says so, such as those of [`leveret_storage::testing`].
    ///
    /// # Errors
    /// As [`BrokerBuilder::open`].
    pub fn open_on(
        self,
        records: Arc<dyn Store>,
        disk: Arc<dyn Disk>,
    ) -> Result<Broker, OpenError> {
        let path = Path::new("(simulated)");
        let opened = Catalogue::open(records, Arc::clone(&disk), SIMULATED, self.repair);
        let (records, report) = opened.map_err(|reason| failed(path, reason))?;
        let for_streams = Arc::clone(&disk);
        let open_streams = Box::new(|options| Streams::open(for_streams, options));
        let open_log =
            Box::new(|options: LogOptions, found: &mut dyn FnMut(Target, u32, &[u8])| {
                let options = options.identity(SIMULATED);
                let (log, recovered) = Log::open(disk, options, found)?;
                Ok((Arc::new(log) as Arc<dyn MessageStore>, recovered))
            });
        let records = Arc::new(records);
        self.open_stores(Stores { records, report, open_log, open_streams }, path)
    }

    fn log_options(&self) -> LogOptions {
        LogOptions::default()
            .durability(self.durability)
            .segment_octets(self.segment_bytes)
            .stopwatch(Arc::new(|| Clock::system().now().as_micros()))
    }

    pub(crate) fn open_stores(self, stores: Stores, path: &Path) -> Result<Broker, OpenError> {
        let failed = |reason| failed(path, reason);
        let Stores { records: store, report, open_log, open_streams } = stores;
        let mut records = Records::read(&*store).map_err(failed)?;
        records.drop_remains(&*store).map_err(failed)?;
        // A start before may have been cut off before the users were made; but what is missing in
        // a directory that was damaged is not made up.
        let is_new = report.repaired.is_empty()
            && records.users.is_empty()
            && !are_users_recorded(&*store).map_err(failed)?;
        let health = Arc::new(Health::of(path, self.segment_bytes));
        let watcher = {
            let health = health.clone();
            Arc::new(move || health.changed())
        };
        let streams = StreamOptions::default()
            .durability(self.durability)
            .damaged(Arc::new(report_damage))
            .watcher(watcher.clone());
        let streams = Arc::new(open_streams(streams).map_err(failed)?);
        drop_deleted(&*store, &streams).map_err(failed)?;
        let options = self.log_options().watcher(watcher);
        let mut finder = Finder::new(&records);
        let (log, mut recovered) =
            open_log(options, &mut |target, _, meta| finder.found(target, meta)).map_err(failed)?;
        if recovered.is_new && !is_new {
            // The log is begun before there are users.
            let file = "manifest".to_owned();
            recovered.damage.push(Damage { file, offset: 0, octets: 0 });
        }
        let contents = finder.finish(&mut records, &*log, &recovered);
        tidy_states(&store, &contents, &recovered).map_err(failed)?;
        let used = streams.ids().into_iter().chain([recovered.queue_max]).max().unwrap_or(0);
        let ids = QueueIds::open(&*store, used + 1).map_err(failed)?;
        records.renumber(&recovered.deleted, &*store, || ids.next(&*store)).map_err(failed)?;
        let persistence = Persistence::new(store, log, Arc::clone(&streams), health, ids);
        let event_exchange = self.event_exchange;
        let mut broker = self.build_with(Some(Arc::new(persistence)), is_new);
        for users in &records.users {
            let bad = |reason| OpenError::Users { path: path.to_owned(), reason };
            let definitions = Definitions::from_json(users).map_err(bad)?;
            apply_users(&definitions, broker.access()).map_err(bad)?;
        }
        if let Some(store) = broker.node().persistence() {
            store.record_users(&broker.node().access);
            if is_new {
                // Who is created now is not created again, should he be missing.
                let stored = store.wait_until_durable();
                stored
                    .map_err(|error| failed(leveret_storage::Error::Io(io::Error::other(error))))?;
            }
        }
        let messages: usize = contents.values().map(|contents| contents.found.len()).sum();
        let mut left_out = restore(&broker, records, &contents).map_err(failed)?;
        broker.begin_events(event_exchange);
        left_out.extend(streams.unopened().into_iter().map(|id| {
            format!("stream {id}: there is no queue for it; its files are kept as they are")
        }));
        let Recovered { clean, mut torn, mut damage, .. } = recovered;
        let found = broker.node().shared.streams.take_recovered();
        torn.extend(found.torn);
        damage.extend(found.damage);
        let messages = messages + broker.node().messages_in_streams();
        let CatalogueReport { repaired, .. } = report;
        let recovery = Recovery { is_new, repaired, clean, messages, torn, damage, left_out };
        broker.set_recovery(recovery);
        Ok(broker)
    }
}

/// Fails if a stream could not be opened: what is published to it would be lost, and another could
/// get its name.
fn check_streams(broker: &Broker) -> leveret_storage::Result<()> {
    match broker.node().shared.streams.failure() {
        Some(reason) => Err(leveret_storage::Error::Io(io::Error::other(reason))),
        None => Ok(()),
    }
}

type Contents = std::collections::HashMap<crate::base::ids::StoreId, QueueContents>;

/// Puts everything back; tells what had to be left out.
fn restore(
    broker: &Broker,
    records: Records,
    contents: &Contents,
) -> leveret_storage::Result<Vec<String>> {
    let mut left_out = records.damaged;
    let none = QueueContents::default();
    for (name, records) in records.hosts {
        let (metadata, unread) = match records.metadata.as_slice() {
            [] => (None, None),
            json => match serde_json::from_slice::<HostMetadata>(json) {
                Ok(metadata) => (Some(metadata), None),
                Err(error) => (None, Some(error.to_string())),
            },
        };
        let host = broker.node().restore_virtual_host(&name, metadata);
        let mut note = |what: String, result: Result<(), String>| {
            if let Err(reason) = result {
                left_out.push(format!("{what} in vhost '{name}': {reason}"));
            }
        };
        note("the description".into(), unread.map_or(Ok(()), Err));
        for (is_operator, policy, record) in records.policies {
            let restored = host.restore_policy(is_operator, &policy, record);
            note(format!("policy '{policy}'"), restored);
        }
        host.apply_restored_policies();
        let mut delaying = Vec::new();
        let mut effects = Effects::new();
        for (exchange, record) in records.exchanges {
            if record.id != 0 {
                delaying.push((exchange.clone(), record.id));
            }
            note(format!("exchange '{exchange}'"), host.restore_exchange(&exchange, record));
        }
        for (queue, record) in records.queues {
            let contents = contents.get(&record.id).unwrap_or(&none);
            let restored = host.restore_queue(&queue, record, contents, &mut effects);
            note(format!("queue '{queue}'"), restored);
        }
        for binding in records.bindings {
            let what = format!("binding of '{}' to '{}'", binding.destination, binding.source);
            note(what, host.restore_binding(&binding));
        }
        // Only now do those that expired meanwhile find their way to where dead letters go.
        host.run(&mut effects);
        for (exchange, id) in delaying {
            let contents = contents.get(&id).unwrap_or(&none);
            note(format!("exchange '{exchange}'"), host.restore_delayed(&exchange, contents));
        }
    }
    for (key, record) in &records.parameters {
        if let Err(reason) = broker.node().restore_parameter(key, record) {
            left_out.push(format!("parameter '{}': {reason}", key.join(" ")));
        }
    }
    if contents.values().any(|contents| !contents.staged.is_empty())
        && let Some(store) = broker.node().persistence()
    {
        // Whoever looks finds what was on its way to streams.
        store.wait_for_streams();
    }
    check_streams(broker).map(|()| left_out)
}
