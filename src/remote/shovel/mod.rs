//! Carries messages for shovels `[rabbitmq shovel]`: each is a task with two connections.

mod belt;
mod carrying;
mod link;
mod under_way;

use std::collections::HashMap;
use std::io;
use std::num::NonZero;
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::carrying::Carrying;
use super::connect::Connector;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::gateway::InMemory;
use crate::link::shovel::status::State;
use crate::link::shovel::{Carrier, Key, Shovel};
use crate::node::Node;

/// Threads that carry the messages of all shovels of a broker.
const THREADS_MAX: usize = 2;

/// How long shovels may take to say farewell when the broker is closed.
const FAREWELL: Duration = Duration::from_millis(1500);

/// Carries messages for the shovels of one broker.
pub(crate) struct Courier {
    node: Weak<Node>,
    here: Weak<InMemory>,
    tasks: Mutex<Tasks, rank::ShovelTasks>,
}

#[derive(Default)]
struct Tasks {
    /// Started with the first shovel.
    threads: Option<Runtime>,
    running: HashMap<Key, Task>,
    is_closed: bool,
}

struct Task {
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Courier {
    /// For the shovels of this broker; nothing is started before there are any.
    pub(crate) fn serving(node: &Arc<Node>, here: &Arc<InMemory>) -> Arc<Self> {
        let tasks = Mutex::default();
        let here = Arc::downgrade(here);
        let courier = Arc::new(Self { node: Arc::downgrade(node), here, tasks });
        node.shovels.carried_by(Arc::clone(&courier) as _);
        courier
    }

    /// Ends all shovels, which give back what they have taken and not brought.
    pub(crate) fn close(&self) {
        let mut tasks = self.tasks.lock();
        tasks.is_closed = true;
        let running: Vec<_> = std::mem::take(&mut tasks.running).into_values().collect();
        let threads = tasks.threads.take();
        drop(tasks);
        let Some(threads) = threads else { return };
        running.iter().for_each(|task| {
            task.stop.send_replace(true);
        });
        let (all_ended, wait) = std::sync::mpsc::channel::<()>();
        threads.spawn(async move {
            for task in running {
                // A task that failed has ended, too.
                let _ = task.ended.await;
            }
            drop(all_ended);
        });
        let _ = wait.recv_timeout(FAREWELL);
        // Waiting for the threads themselves is not allowed inside of another runtime.
        threads.shutdown_background();
    }
}

impl Tasks {
    fn threads(&mut self) -> io::Result<&Runtime> {
        match &mut self.threads {
            Some(threads) => Ok(threads),
            none => {
                let threads = available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
                let started = Builder::new_multi_thread()
                    .worker_threads(threads)
                    .thread_name("leveret-remote")
                    .enable_all()
                    .build()?;
                Ok(none.insert(started))
            }
        }
    }
}

impl Carrier for Courier {
    fn start(&self, shovel: &Arc<Shovel>) {
        let Some(node) = self.node.upgrade() else { return };
        let mut tasks = self.tasks.lock();
        if tasks.is_closed {
            return;
        }
        let before = tasks.running.remove(&shovel.key);
        let threads = match tasks.threads() {
            Ok(threads) => threads,
            Err(error) => {
                let reason = format!("its threads cannot be started: {error}");
                let state = State::Terminated { reason, next_attempt: None };
                return shovel.note(state, node.clock().now());
            }
        };
        let connector = Connector { threads: threads.handle().clone(), here: self.here.clone() };
        let (stop, stopped) = watch::channel(false);
        let carrying = Carrying::new(Arc::clone(shovel), &node, connector);
        let ended = threads.spawn(async move {
            if let Some(Task { stop, ended }) = before {
                // What it had taken is to be in its place again before the next one takes it.
                stop.send_replace(true);
                let _ = ended.await;
            }
            carrying.run(stopped).await;
        });
        tasks.running.insert(shovel.key.clone(), Task { stop, ended });
    }

    fn stop(&self, key: &Key) {
        if let Some(task) = self.tasks.lock().running.remove(key) {
            task.stop.send_replace(true);
        }
    }
}
