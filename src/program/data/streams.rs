//! The streams of a data directory.

use std::collections::BTreeMap;

use leveret_storage::{Damage, FoundStream, ReadOnlyDirectory};
use serde::Serialize;

use leveret::internals::StoreId;

/// What a stream has.
#[derive(Debug, Serialize)]
pub(super) struct HeldStream {
    /// The offset of the first message that is kept.
    pub first_offset: u64,
    /// That of the next message.
    pub next_offset: u64,
    /// Its segments.
    pub segments: usize,
    /// Octets of their files.
    pub octets: u64,
    /// The offsets that are kept by a name.
    pub offsets: BTreeMap<String, u64>,
}

impl HeldStream {
    /// Messages that it keeps.
    pub(super) fn messages(&self) -> u64 {
        self.next_offset.saturating_sub(self.first_offset)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// By number.
    pub found: BTreeMap<StoreId, HeldStream>,
    /// What was committed and is lost, in the last segments.
    pub damage: Vec<Damage>,
    /// What a crash has left half written.
    pub torn: Vec<Damage>,
}

/// Looks at the streams of a directory, as they are looked at when they are opened. What is left
/// of those that were deleted goes then.
///
/// # Errors
/// If the disk fails.
pub(super) fn read(
    directory: &ReadOnlyDirectory,
    is_deleted: impl Fn(StoreId) -> bool,
) -> leveret_storage::Result<Streams> {
    let mut streams = Streams::default();
    for found in directory.streams()?.into_iter().filter(|found| !is_deleted(found.id)) {
        let FoundStream { id, segments, octets, first_offset, next_offset, .. } = found;
        let offsets = found.offsets.into_iter().collect();
        let held = HeldStream { first_offset, next_offset, segments, octets, offsets };
        streams.found.insert(id, held);
        streams.damage.extend(found.damage);
        streams.torn.extend(found.torn);
    }
    Ok(streams)
}
