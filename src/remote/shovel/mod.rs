//! Carries messages for shovels `[rabbitmq shovel]`: each is a task with two connections.

mod belt;
mod carrying;
mod link;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::carrying::Carrying;
use super::connect::Connector;
use super::threads::Threads;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::gateway::InMemory;
use crate::link::shovel::status::State;
use crate::link::shovel::{Carrier, Key, Shovel};
use crate::node::Node;

/// Carries messages for the shovels of one broker.
pub(crate) struct Courier {
    node: Weak<Node>,
    here: Weak<InMemory>,
    tasks: Mutex<Tasks, rank::ShovelTasks>,
}

#[derive(Default)]
struct Tasks {
    threads: Threads,
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
        let mut threads = std::mem::take(&mut tasks.threads);
        drop(tasks);
        running.iter().for_each(|task| {
            task.stop.send_replace(true);
        });
        threads.end(running.into_iter().map(|task| task.ended).collect());
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
        let threads = match tasks.threads.started() {
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
