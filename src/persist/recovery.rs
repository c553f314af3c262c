//! What is in the store when a broker starts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use leveret_storage::{
    Batch, DefinitionKind, Key, LogBatch, MessageStore, Prefix, Range, Recovered, Store, Streams,
    Target, scan,
};

use crate::base::ids::StoreId;
use crate::base::names::RESERVED_PREFIX;
use crate::message::stored::{History, LEVELS_OF_ARRIVALS, Past, Place};
use crate::persist::messages::Meta;
use crate::persist::records::{
    BindingRecord, DELETED, ExchangeRecord, HANDED_OUT, PolicyRecord, QueueRecord, REDELIVERED,
    ReturnRecord,
};
use crate::persist::{Staged, nothing};
use crate::queue::fifo::paging::Found;

/// Records of one virtual host.
#[derive(Debug, Default)]
pub struct HostRecords {
    /// What is known of it besides its name, as JSON; empty if that is nothing.
    pub metadata: Vec<u8>,
    /// Policies: whether it is an operator policy, and its name.
    pub policies: Vec<(bool, String, PolicyRecord)>,
    /// Exchanges by name.
    pub exchanges: Vec<(String, ExchangeRecord)>,
    /// Queues by name.
    pub queues: Vec<(String, QueueRecord)>,
    /// Bindings.
    pub bindings: Vec<BindingRecord>,
}

/// All records.
#[derive(Debug, Default)]
pub struct Records {
    /// By virtual host.
    pub hosts: BTreeMap<String, HostRecords>,
    /// Runtime parameters: the parts of their keys, and JSON.
    pub parameters: Vec<(Vec<String>, Vec<u8>)>,
    /// Users and their permissions, as a JSON document each.
    pub users: Vec<Vec<u8>>,
    /// Records that cannot be read: what they are.
    pub damaged: Vec<String>,
    /// What is known of messages that were delivered before.
    states: HashMap<StoreId, States>,
    /// Queues and exchanges that were deleted.
    deleted: HashSet<StoreId>,
}

/// What is known of the messages of one queue.
#[derive(Debug, Default)]
struct States {
    returned: HashMap<u64, ReturnRecord>,
    /// Ascending.
    redelivered: Vec<(u64, u64)>,
    /// How far messages were handed out, by level.
    handed_out_below: [u64; LEVELS_OF_ARRIVALS],
}

impl States {
    /// Where sequences begin of which nothing is known. A power cut may take messages and leave
    /// what is known of them: whatever had their sequences next would inherit it.
    fn end(&self) -> u64 {
        let returned = self.returned.keys().map(|sequence| sequence + 1);
        returned.chain(self.handed_out_below).max().unwrap_or(0)
    }
}

impl Records {
    /// Reads all records.
    ///
    /// # Errors
    /// If the store fails.
    pub fn read(store: &dyn Store) -> leveret_storage::Result<Self> {
        let mut records = Self::default();
        for entry in scan(store, Prefix::everything()) {
            let (key, record) = entry?;
            if records.add(&key, &record).is_none() {
                records.damaged.push(format!("{key:?}"));
            }
        }
        records.states.values_mut().for_each(|states| states.redelivered.sort_unstable());
        Ok(records)
    }

    /// Drops bindings of which an end is not there, which are what is left of a deletion that was
    /// cut off. Nothing counts as that while there are records that cannot be read.
    ///
    /// # Errors
    /// If the store fails.
    pub fn drop_remains(&mut self, store: &dyn Store) -> leveret_storage::Result<()> {
        let mut batch = Batch::new();
        for (name, host) in self.hosts.iter_mut().filter(|_| self.damaged.is_empty()) {
            let queues: HashSet<&str> = host.queues.iter().map(|(name, _)| name.as_str()).collect();
            let exchanges: HashSet<&str> =
                host.exchanges.iter().map(|(name, _)| name.as_str()).collect();
            // Those that every virtual host has are not recorded.
            let is_exchange = |name: &str| {
                name.is_empty() || name.starts_with(RESERVED_PREFIX) || exchanges.contains(name)
            };
            let is_left = |binding: &mut BindingRecord| {
                let to = binding.destination.as_str();
                let has_end = if binding.to_queue { queues.contains(to) } else { is_exchange(to) };
                !has_end || !is_exchange(&binding.source)
            };
            let left = host.bindings.extract_if(.., is_left);
            left.for_each(|binding| batch.delete(binding.key(name)));
        }
        if batch.is_empty() { Ok(()) } else { store.commit(batch).map(drop) }
    }

    fn add(&mut self, key: &Key, record: &[u8]) -> Option<()> {
        let (kind, parts) = match key {
            Key::QueueState { queue, item } => return self.add_state(*queue, *item, record),
            Key::Definition(kind, parts) => (*kind, parts),
        };
        let part = |at: usize| Some(std::str::from_utf8(parts.get(at)?).ok()?.to_owned());
        match kind {
            DefinitionKind::User => self.users.push(record.to_vec()),
            DefinitionKind::Permission => {}
            // What this crate keeps for itself is read by whoever keeps it.
            DefinitionKind::Parameter if parts.first().is_some_and(|part| part == b"leveret") => {}
            DefinitionKind::Parameter => {
                let parts = (0..parts.len()).map(part).collect::<Option<_>>()?;
                self.parameters.push((parts, record.to_vec()));
            }
            _ => {
                let host = self.hosts.entry(part(0)?).or_default();
                match kind {
                    DefinitionKind::VirtualHost => host.metadata = record.to_vec(),
                    DefinitionKind::Exchange => {
                        host.exchanges.push((part(1)?, ExchangeRecord::decode(record)?));
                    }
                    DefinitionKind::Queue => {
                        host.queues.push((part(1)?, QueueRecord::decode(record)?));
                    }
                    DefinitionKind::Binding => host.bindings.push(BindingRecord::decode(parts)?),
                    DefinitionKind::Policy => {
                        let is_operator = part(1)? == "operator";
                        let policy = PolicyRecord::decode(record)?;
                        host.policies.push((is_operator, part(2)?, policy));
                    }
                    _ => {}
                }
            }
        }
        Some(())
    }

    fn add_state(&mut self, queue: StoreId, item: u64, record: &[u8]) -> Option<()> {
        if item == DELETED {
            self.deleted.insert(queue);
            return Some(());
        }
        let states = self.states.entry(queue).or_default();
        if item < REDELIVERED {
            states.returned.insert(item, ReturnRecord::decode(record)?);
            return Some(());
        }
        if let Some(level) = item.checked_sub(HANDED_OUT) {
            let below = states.handed_out_below.get_mut(usize::try_from(level).ok()?)?;
            *below = u64::from_le_bytes(record.try_into().ok()?);
            return Some(());
        }
        for run in record.chunks_exact(16) {
            let (first, last) = run.split_at(8);
            let first = u64::from_le_bytes(first.try_into().ok()?);
            states.redelivered.push((first, u64::from_le_bytes(last.try_into().ok()?)));
        }
        Some(())
    }

    /// Gives new numbers to what is there although the log has it deleted, because the deletion
    /// did not get as far as the records: the log would not keep what comes in under the old
    /// number.
    ///
    /// # Errors
    /// If there are no numbers, or they cannot be recorded.
    pub fn renumber(
        &mut self,
        deleted: &BTreeSet<StoreId>,
        store: &dyn Store,
        mut new_id: impl FnMut() -> leveret_storage::Result<StoreId>,
    ) -> leveret_storage::Result<()> {
        let mut batch = Batch::new();
        for (host, records) in &mut self.hosts {
            for (name, queue) in &mut records.queues {
                if deleted.contains(&queue.id) {
                    queue.id = new_id()?;
                    batch.put(QueueRecord::key(host, name), queue.encode());
                }
            }
            for (name, exchange) in &mut records.exchanges {
                if deleted.contains(&exchange.id) {
                    exchange.id = new_id()?;
                    batch.put(ExchangeRecord::key(host, name), exchange.encode());
                }
            }
        }
        if !batch.is_empty() {
            store.commit(batch)?;
            store.flush()?;
        }
        Ok(())
    }

    /// Whether a queue or an exchange with this number was deleted: for the data command.
    #[cfg(feature = "server")]
    pub fn is_deleted(&self, id: StoreId) -> bool {
        self.deleted.contains(&id)
    }

    /// Everything that has messages.
    fn owners(&self) -> HashSet<StoreId> {
        let hosts = || self.hosts.values();
        let queues = hosts().flat_map(|host| host.queues.iter().map(|(_, queue)| queue.id));
        let exchanges = hosts().flat_map(|host| host.exchanges.iter().map(|(_, x)| x.id));
        queues.chain(exchanges).filter(|id| *id != 0).collect()
    }
}

/// Messages of a queue, or of an exchange that keeps some.
#[derive(Debug, Default)]
pub(crate) struct QueueContents {
    /// The first sequence that was never used.
    pub next_sequence: u64,
    /// The messages, sorted by sequence.
    pub found: Vec<Found>,
    /// If it is a stream, the messages that were on their way there, sorted by offset.
    pub staged: Vec<Staged>,
    states: States,
    /// The broker did not stop in order: nobody knows what was delivered.
    unclean: bool,
}

impl Past for QueueContents {
    fn redelivered_below(&self) -> u64 {
        if self.unclean { self.next_sequence } else { 0 }
    }

    fn handed_out_below(&self) -> [u64; LEVELS_OF_ARRIVALS] {
        self.states.handed_out_below
    }

    fn history(&self, sequence: u64) -> Option<(History, Place)> {
        let runs = &self.states.redelivered;
        let at = runs.partition_point(|(first, _)| *first <= sequence);
        let run = at.checked_sub(1).and_then(|at| runs.get(at));
        let redelivered = !self.unclean && run.is_some_and(|(_, last)| sequence <= *last);
        let history = History { redelivered, ..History::default() };
        match self.states.returned.get(&sequence) {
            Some(&ReturnRecord { delivery_count, failures, place }) => {
                Some((History { delivery_count, failures, redelivered: true }, place))
            }
            None => redelivered.then_some((history, Place::Front)),
        }
    }
}

/// Collects messages while the log is opened.
pub(crate) struct Finder {
    owners: HashSet<StoreId>,
    /// Messages whose queue has no record although it was not deleted: that is damaged.
    lost: HashMap<StoreId, usize>,
    found: HashMap<StoreId, Vec<Found>>,
    staged: HashMap<StoreId, Vec<Staged>>,
    /// Messages that are not to survive: their queue is gone, or they were there only for lack of
    /// memory.
    left_over: Vec<Target>,
}

impl Finder {
    /// For the queues and exchanges of these records.
    pub(crate) fn new(records: &Records) -> Self {
        let (owners, lost, found) = (records.owners(), HashMap::new(), HashMap::new());
        Self { owners, lost, found, staged: HashMap::new(), left_over: Vec::new() }
    }

    /// A live message.
    pub(crate) fn found(&mut self, target: Target, meta: &[u8]) {
        let Target { queue, sequence } = target;
        match Meta::decode(meta) {
            Some(meta) if !meta.is_transient() => {
                if !self.owners.contains(&queue) {
                    *self.lost.entry(queue).or_default() += 1;
                    return;
                }
                if let Some(offset) = meta.offset(queue) {
                    self.staged.entry(queue).or_default().push(Staged { offset, sequence });
                    return;
                }
                let (body_bytes, priority) = (meta.body_bytes, meta.priority);
                let found = Found { sequence, body_bytes, priority };
                self.found.entry(queue).or_default().push(found);
            }
            _ => self.left_over.push(target),
        }
    }

    /// What was found, by queue. What is to go is taken out of the log.
    pub(crate) fn finish(
        mut self,
        records: &mut Records,
        log: &dyn MessageStore,
        recovered: &Recovered,
    ) -> HashMap<StoreId, QueueContents> {
        let mut gone: Vec<Range> = Vec::new();
        let deleted = recovered.queues.keys().filter(|id| records.deleted.contains(id));
        gone.extend(deleted.map(|&queue| Range { queue, first: 0, last: u64::MAX }));
        for (id, count) in self.lost.drain().filter(|(id, _)| !records.deleted.contains(id)) {
            let what = format!("{count} messages of queue number {id}, whose definition is lost");
            records.damaged.push(what);
        }
        let left_over = std::mem::take(&mut self.left_over);
        gone.extend(left_over.into_iter().map(|Target { queue, sequence }| Range {
            queue,
            first: sequence,
            last: sequence,
        }));
        if !gone.is_empty() {
            let mut batch = LogBatch::new();
            batch.settled(&gone);
            // If it fails now it is done at the next start.
            let _ = log.submit(batch, nothing());
        }
        let owners = std::mem::take(&mut self.owners);
        let contents = owners.into_iter().map(|id| {
            let mut found = self.found.remove(&id).unwrap_or_default();
            if !found.is_sorted_by(|a, b| a.sequence < b.sequence) {
                found.sort_unstable_by_key(|message| message.sequence);
                found.dedup_by_key(|message| message.sequence);
            }
            let mut staged = self.staged.remove(&id).unwrap_or_default();
            staged.sort_unstable();
            staged.dedup();
            let states = records.states.remove(&id).unwrap_or_default();
            let next_sequence = recovered.queues.get(&id).copied().unwrap_or(0).max(states.end());
            let unclean = !recovered.clean;
            (id, QueueContents { next_sequence, found, staged, states, unclean })
        });
        contents.collect()
    }
}

/// Removes the logs of streams that were deleted, as far as they are still there.
///
/// # Errors
/// If the store fails.
pub(crate) fn drop_deleted(store: &dyn Store, streams: &Streams) -> leveret_storage::Result<()> {
    for id in streams.ids() {
        if store.get(&Key::queue_state(id, DELETED))?.is_some() {
            streams.delete(id);
        }
    }
    Ok(())
}

/// Removes what records say of messages that are gone, and what counts for one stop only.
///
/// # Errors
/// If the store fails.
pub(crate) fn tidy_states(
    store: &Arc<dyn Store>,
    contents: &HashMap<StoreId, QueueContents>,
    recovered: &Recovered,
) -> leveret_storage::Result<()> {
    let mut batch = Batch::new();
    for entry in scan(&**store, Prefix::queue_states()) {
        let (key, _) = entry?;
        let Key::QueueState { queue, item } = &key else { continue };
        let is_deleted = *item == DELETED && recovered.queues.contains_key(queue);
        let is_there = is_deleted
            || contents.get(queue).is_some_and(|contents| {
                let is_level = (HANDED_OUT..DELETED).contains(item);
                is_level
                    || contents.found.binary_search_by_key(item, |found| found.sequence).is_ok()
            });
        if !is_there {
            batch.delete(key);
        }
    }
    store.commit(batch).map(drop)
}
