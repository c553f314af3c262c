//! Makes records durable, for many at once: whoever comes while one sync is under way shares the
//! next. The thread starts when it is first needed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use leveret_storage::{Batch, Done, Error, Key, Receipt, Store};

use crate::access::AccessControl;
use crate::base::lock::{Condvar, Mutex, RwLock};
use crate::base::rank;
use crate::persist::health::Health;
use crate::persist::records::{DELETED, HANDED_OUT};
use crate::persist::users;
use crate::queue::Queue;

/// How long what nobody waits for may wait.
const SOON: Duration = Duration::from_millis(50);

/// Flushes after which the store writes back even though there is more to flush.
const FLUSHES_MAX: u32 = 1000;

#[derive(Default)]
struct State {
    waiting: Vec<Done>,
    /// Something was committed that nobody waits for.
    soon: bool,
    /// Users have changed, and are to be recorded.
    users: bool,
    /// Queues that have handed out messages, which is to be recorded.
    handed_out: Vec<Arc<Queue>>,
    /// Users, or what was handed out, are being recorded.
    recording: bool,
    closed: bool,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// `None` once it is closed.
    records: RwLock<Option<Arc<dyn Store>>, rank::SyncedRecords>,
    health: Arc<Health>,
    /// Number of the last commit.
    committed: AtomicU64,
    state: Mutex<State, rank::Syncer>,
    work: Condvar,
    access: OnceLock<Arc<AccessControl>>,
}

/// Syncs the record store.
pub(super) struct Syncer(Arc<Shared>);

impl Syncer {
    /// For this store.
    pub(super) fn new(records: Arc<dyn Store>, health: Arc<Health>) -> Self {
        Self(Arc::new(Shared {
            records: RwLock::new(Some(records)),
            health,
            committed: AtomicU64::new(0),
            state: Mutex::default(),
            work: Condvar::new(),
            access: OnceLock::new(),
        }))
    }

    /// Notes a commit.
    pub(super) fn committed(&self, receipt: Receipt) {
        self.0.committed.fetch_max(receipt.number(), Ordering::SeqCst);
    }

    /// Calls back once everything that was committed before, and every change of users, is
    /// durable; at once if it is, or never will be.
    pub(super) fn sync(&self, done: Done) {
        if self.0.health.records_failed.load(Ordering::SeqCst) {
            return done(Err(Error::Failed));
        }
        let mut state = self.0.state.lock();
        let has_work = state.users || !state.handed_out.is_empty() || state.recording;
        if !has_work && self.0.is_durable() {
            drop(state);
            return done(Ok(()));
        }
        if state.closed {
            drop(state);
            return done(Err(Error::Closed));
        }
        state.waiting.push(done);
        self.start(&mut state);
        drop(state);
        self.0.work.notify_one();
    }

    /// Records users and permissions now, and in a while after each change.
    pub(super) fn record_users(&self, access: &Arc<AccessControl>) {
        if self.0.access.set(Arc::clone(access)).is_ok() {
            let shared = Arc::downgrade(&self.0);
            access.watch(move || {
                if let Some(shared) = shared.upgrade() {
                    Self(shared).soon(true);
                }
            });
            self.soon(true);
        }
    }

    /// What was committed becomes durable in a while.
    pub(super) fn sync_soon(&self) {
        self.soon(false);
    }

    /// Queues have handed out messages: how far, is recorded in a while.
    pub(super) fn note_handed_out(&self, queues: &mut Vec<Arc<Queue>>) {
        self.0.state.lock().handed_out.append(queues);
        self.soon(false);
    }

    fn soon(&self, users: bool) {
        let mut state = self.0.state.lock();
        state.users |= users;
        if !state.soon && !state.closed {
            state.soon = true;
            self.start(&mut state);
            drop(state);
            self.0.work.notify_one();
        }
    }

    fn start(&self, state: &mut State) {
        if state.thread.is_none() {
            let shared = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("leveret-records".into());
            state.thread = thread.spawn(move || shared.run()).ok();
        }
    }

    /// Ends the thread, after what waits for it.
    pub(super) fn close(&self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        let thread = state.thread.take();
        drop(state);
        self.0.work.notify_one();
        if let Some(thread) = thread {
            // It only fails if the thread panicked, which was reported then.
            let _ = thread.join();
        }
        self.0.records.write().take();
    }
}

impl Shared {
    fn is_durable(&self) -> bool {
        let records = self.records.read();
        let durable = records.as_ref().map(|records| records.durable().number());
        durable.is_some_and(|durable| durable >= self.committed.load(Ordering::SeqCst))
    }

    /// Writes what there is to write, and makes it durable.
    fn flush(&self, users: bool, handed_out: &[Arc<Queue>]) -> leveret_storage::Result<()> {
        let records = self.records.read().clone().ok_or(Error::Closed)?;
        let mut batch = Batch::new();
        for queue in handed_out.iter().filter(|queue| !queue.is_deleted()) {
            for (item, below) in (HANDED_OUT..DELETED).zip(queue.take_handed_out()) {
                let key = Key::queue_state(queue.storage().id, item);
                batch.put(key, below.to_le_bytes().to_vec());
            }
        }
        if !batch.is_empty() {
            records.commit(batch)?;
        }
        let access = self.access.get().filter(|_| users);
        let written = access.map_or(Ok(()), |access| users::write(&*records, access));
        if let Err(error) = written {
            tracing::error!("users cannot be stored: {error}");
        }
        records.flush().map(drop)
    }

    /// Does what may wait until nobody waits.
    fn write_back(&self) {
        let Some(records) = self.records.read().clone() else { return };
        if let Err(error) = records.write_back() {
            tracing::error!("definitions cannot be written back, restart the broker: {error}");
            self.health.records_have_failed();
        }
    }

    fn run(&self) {
        // Flushes since the store wrote back.
        let mut flushes = 0;
        loop {
            let mut state = self.state.lock();
            let mut is_idle = false;
            while state.waiting.is_empty() && !state.closed && !is_idle {
                if !state.soon && flushes == 0 {
                    self.work.wait(&mut state);
                } else {
                    is_idle = self.work.wait_for(&mut state, SOON).timed_out();
                }
            }
            if flushes >= FLUSHES_MAX || (is_idle && !state.soon && flushes > 0) {
                drop(state);
                self.write_back();
                flushes = 0;
                continue;
            }
            if state.closed && state.waiting.is_empty() && !state.users {
                return;
            }
            let waiting = std::mem::take(&mut state.waiting);
            state.soon = false;
            let users = std::mem::take(&mut state.users);
            let handed_out = std::mem::take(&mut state.handed_out);
            state.recording = users || !handed_out.is_empty();
            drop(state);
            let flushed = self.flush(users, &handed_out);
            flushes += 1;
            self.state.lock().recording = false;
            if let Err(error) = &flushed {
                tracing::error!("definitions cannot be made durable, restart the broker: {error}");
                self.health.records_have_failed();
            }
            for done in waiting {
                done(if flushed.is_ok() { Ok(()) } else { Err(Error::Failed) });
            }
        }
    }
}
