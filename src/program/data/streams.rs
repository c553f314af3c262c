//! The streams of a data directory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use leveret_storage::{Damage, FoundStream, ReadOnlyDirectory};
use serde::Serialize;

use leveret::internals::StoreId;

/// What a stream has.
#[derive(Debug, Default, Serialize)]
pub(super) struct HeldStream {
    /// The offset of the first message that is kept.
    pub first_offset: u64,
    /// That of the next message.
    pub next_offset: u64,
    /// Its segments.
    pub segments: usize,
    /// Octets of their files.
    pub octets: u64,
    /// Messages that are in the log of messages still, and come to the stream at the next start.
    pub on_their_way: usize,
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

impl Streams {
    /// Counts messages that are stored for streams, by the offsets for which they are meant, as far
    /// as the streams do not have them.
    pub(super) fn count_staged(&mut self, staged: HashMap<StoreId, BTreeSet<u64>>) {
        for (id, offsets) in staged {
            let stream = self.found.entry(id).or_default();
            stream.on_their_way = offsets.range(stream.next_offset..).count();
        }
    }
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
        let on_their_way = 0;
        let held =
            HeldStream { first_offset, next_offset, segments, octets, on_their_way, offsets };
        streams.found.insert(id, held);
        streams.damage.extend(found.damage);
        streams.torn.extend(found.torn);
    }
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_has_already_is_not_on_its_way() {
        let mut streams = Streams::default();
        let held = HeldStream { next_offset: 5, ..HeldStream::default() };
        streams.found.insert(7, held);
        streams.count_staged([(7, [3, 5, 9].into()), (8, [0].into())].into());
        let on_their_way = |id| streams.found.get(&id).map(|stream| stream.on_their_way);
        assert_eq!((on_their_way(7), on_their_way(8)), (Some(2), Some(1)));
    }
}
