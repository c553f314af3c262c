//! Storage of leveret: what survives a restart.
//!
//! - **Records**, small things such as definitions: opaque octets under typed [`Key`]s in a
//!   [`Store`]. Changes are gathered in a [`Batch`] and [committed](Store::commit) all or none. A
//!   commit is *visible* when it returns and *durable* after a later [`Store::flush`].
//!   [`SledStore`] keeps them on disk, [`MemoryStore`] does not.
//! - **Messages**, in a [`MessageStore`]: a message is stored once with all the queues that it is
//!   in, and settled in each. What is written together is handed in as a [`LogBatch`], and
//!   completed once it is durable. [`Log`] keeps them on disk, in segments that are only appended
//!   to; [`MemoryLog`] does not.
//! - **Streams**, in [`Streams`]: messages that are only appended to a [`Stream`], and read from
//!   any offset by any number of readers, on disk or in memory.
//!
//! A [`DataDirectory`] holds all of them, under one lock.
//!
//! The feature `sled`, on by default, is for [`SledStore`] and [`DataDirectory`].
//!
//! ```
//! use leveret_storage::testing::SimulatedDisk;
//! use leveret_storage::{Log, LogBatch, LogOptions, MessageStore, Range, Target, commit};
//! use std::sync::Arc;
//!
//! let disk = Arc::new(SimulatedDisk::new(1));
//! let options = LogOptions::default().segment_octets(1 << 20);
//! let (log, _) = Log::open(disk.clone(), options.clone(), &mut |_, _, _| ())?;
//! let mut batch = LogBatch::new();
//! batch.message(&[Target { queue: 7, sequence: 0 }], b"meta", &[b"hello, ", b"world"])?;
//! batch.message(&[Target { queue: 7, sequence: 1 }], b"meta", &[b"more"])?;
//! commit(&log, batch)?; // now the publisher may hear of it
//!
//! let mut batch = LogBatch::new();
//! batch.settled(&[Range { queue: 7, first: 1, last: 1 }]);
//! commit(&log, batch)?;
//!
//! let after = Arc::new(SimulatedDisk::from_image(disk.after_power_cut(), 1));
//! let mut messages = Vec::new();
//! let mut found = |target, _octets, meta: &[u8]| messages.push((target, meta.to_vec()));
//! let (log, recovered) = Log::open(after, options, &mut found)?;
//! let target = Target { queue: 7, sequence: 0 };
//! assert_eq!(messages, [(target, b"meta".to_vec())]);
//! assert_eq!(recovered.queues[&7], 2, "the next message's sequence");
//! let message = log.read(target)?;
//! assert!(message.is_some_and(|message| &message.payload[..] == b"hello, world"));
//! # Ok::<(), leveret_storage::Error>(())
//! ```

mod batch;
mod catalogue;
#[cfg(feature = "sled")]
mod directory;
#[cfg(feature = "sled")]
mod directory_lock;
mod disk;
mod error;
mod finding;
#[cfg(feature = "sled")]
mod format;
#[doc(hidden)]
pub mod fuzz;
mod key;
mod ledger;
mod log;
mod memory;
#[cfg(feature = "sled")]
mod sled_store;
mod store;
mod stream;
#[cfg(feature = "sled")]
mod synced_files;
pub mod testing;
mod two_slots;

pub use self::batch::{Batch, Change};
pub use self::catalogue::{Catalogue, CatalogueReport};
#[cfg(feature = "sled")]
pub use self::directory::{DataDirectory, ReadOnlyDirectory};
pub use self::disk::{Disk, DiskFile, RealDisk};
pub use self::error::{Error, Result};
pub use self::finding::Finding;
#[cfg(feature = "sled")]
pub use self::format::FORMAT;
pub use self::key::{DefinitionKind, Key, Prefix, QueueId};
pub use self::log::{
    Damage, Done, Durability, IoUsage, Log, LogBatch, LogOptions, LogUsage, MemoryLog,
    MessageStore, Range, Recovered, Stopwatch, StoredMessage, Target, Watcher, commit, inspect,
    verify,
};
pub use self::memory::MemoryStore;
#[cfg(feature = "sled")]
pub use self::sled_store::{RECORD_MAX, SledStore};
pub use self::store::{Entry, Receipt, SCAN_PAGE, Scan, Store, scan};
pub use self::stream::{
    Appended, Chunk, ChunkEntries, ChunkEntry, ChunkFilter, ChunkIds, ChunkPosition, Content,
    DamageWatcher, FoundStream, Gate, NewEntry, RecoveredStream, Retention, SEGMENT_OCTETS_MAX,
    Start, Stream, StreamBatch, StreamImage, StreamOptions, StreamReader, StreamSettings,
    StreamUsage, Streams, SubBatch, WatchId, inspect_streams, verify_streams,
};
