//! Deleting a whole virtual host.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use leveret_storage::{Batch, DefinitionKind, Prefix};

use crate::error::{Error, Result};
use crate::queue::effects::Effects;
use crate::vhost::VirtualHost;

impl VirtualHost {
    /// From now on nothing is declared in it any more.
    pub(crate) fn begin_deletion(&self) {
        // With the lock on changes: what is declared before is seen by who deletes all.
        let _topology = self.topology.lock();
        self.closed.store(true, Ordering::Release);
    }

    /// Whether it is being deleted, or the broker ends.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Fails with 320 if it is being deleted. To be asked with the lock on changes.
    pub(in crate::vhost) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::VirtualHostDeleted(self.name.clone()));
        }
        Ok(())
    }

    /// Deletes everything in it, with the records and messages.
    pub(crate) fn delete_everything(self: &Arc<Self>) {
        let mut effects = Effects::new();
        for queue in self.queues() {
            // Without a condition there is nothing to fail.
            let _ = self.delete_queue(&queue, |_| Ok(()), &mut effects);
            self.run(&mut effects);
        }
        for exchange in self.exchanges() {
            let mut topology = self.topology.lock();
            let left = self.remove_exchange(&mut topology, &exchange, &mut effects);
            drop(topology);
            self.remove_remains(left, &mut effects);
            self.run(&mut effects);
        }
        self.forget_all();
        self.close();
    }

    /// Forgets the records that are left: policies, and bindings between predeclared exchanges.
    fn forget_all(&self) {
        let Some(store) = self.persistence() else { return };
        let kinds = [
            DefinitionKind::Binding,
            DefinitionKind::Exchange,
            DefinitionKind::Queue,
            DefinitionKind::Policy,
        ];
        for kind in kinds {
            let all = Prefix::definitions_in(kind, [self.name.as_str()]);
            let mut batch = Batch::new();
            store.keys(all).into_iter().flatten().for_each(|key| batch.delete(key));
            if !batch.is_empty() {
                // What is deleted is deleted, even if the disk fails; the log says so.
                let _ = store.commit(batch);
            }
        }
    }
}
