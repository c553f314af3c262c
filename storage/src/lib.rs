//! Storage seam of leveret: what survives a restart goes through [`Store`].
//!
//! Records are opaque octets under typed [`Key`]s. Changes are gathered in a [`Batch`] and
//! [committed](Store::commit) all or none. A commit is *visible* when it returns and *durable*
//! after a later [`Store::flush`]: only then may a confirm for it go out. The two are apart so
//! that many commits share one flush.
//!
//! [`MemoryStore`] is a store for brokers that keep nothing, and for tests. A store on disk is not
//! part of this version, and the broker does not use this crate yet.
//!
//! ```
//! use leveret_storage::{Batch, DefinitionKind, Key, MemoryStore, Prefix, Store, scan};
//!
//! let store = MemoryStore::new();
//! let mut batch = Batch::new();
//! batch.put(Key::definition(DefinitionKind::Queue, ["/", "orders"]), "durable");
//! batch.put(Key::message(7, 1), "hello");
//! let receipt = store.commit(batch)?;
//!
//! store.flush()?;
//! assert!(store.durable() >= receipt); // now the publisher may hear of it
//!
//! let messages: Result<Vec<_>, _> = scan(&store, Prefix::messages_of(7)).collect();
//! assert_eq!(messages?.len(), 1);
//! # Ok::<(), leveret_storage::Error>(())
//! ```

mod batch;
mod disk;
mod error;
mod key;
mod log;
mod memory;
mod store;
pub mod testing;

pub use self::batch::{Batch, Change};
pub use self::disk::{Disk, DiskFile, RealDisk};
pub use self::error::{Error, Result};
pub use self::key::{DefinitionKind, Key, Prefix, QueueId};
pub use self::log::{
    Damage, Done, Durability, Log, LogBatch, LogOptions, LogUsage, MemoryLog, MessageStore, Range,
    Recovered, RecoveredMessage, RecoveredQueue, StoredMessage, Target, commit, verify,
};
pub use self::memory::MemoryStore;
pub use self::store::{Entry, Receipt, SCAN_PAGE, Scan, Store, scan};
