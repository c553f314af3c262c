//! What a record says, beside its payload.
//!
//! ```text
//! message     count (u32), then per target: queue (u64), sequence (u64); then meta
//! settled     count (u32), then per range: queue (u64), first (u64), last (u64)
//! clean stop  nothing
//! ```

use crate::key::QueueId;
use crate::log::frame::Kind;

/// A place of a message: a queue and the message's sequence in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The queue.
    pub queue: QueueId,
    /// The message's number in the queue. Ascends with every message of the queue and is never
    /// used again.
    pub sequence: u64,
}

impl Target {
    /// This message alone.
    pub(crate) fn range(self) -> Range {
        Range { queue: self.queue, first: self.sequence, last: self.sequence }
    }
}

/// Messages of a queue that are gone: acknowledged, expired, dropped, purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The queue.
    pub queue: QueueId,
    /// The first sequence.
    pub first: u64,
    /// The last sequence, itself gone too.
    pub last: u64,
}

/// A record without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Message { targets: Vec<Target>, meta: Box<[u8]> },
    Settled(Vec<Range>),
    CleanStop,
}

impl Content {
    pub(crate) fn decode(kind: Kind, head: &[u8]) -> Option<Self> {
        match kind {
            Kind::Message => {
                let (targets, meta) = targets_and_meta(head)?;
                Some(Self::Message { targets: targets.collect(), meta: meta.into() })
            }
            Kind::Settled => Some(Self::Settled(ranges(head)?.collect())),
            Kind::CleanStop => head.is_empty().then_some(Self::CleanStop),
        }
    }
}

pub(crate) fn encode_message(octets: &mut Vec<u8>, targets: &[Target], meta: &[u8]) {
    octets.extend_from_slice(&(targets.len() as u32).to_le_bytes());
    for target in targets {
        octets.extend_from_slice(&target.queue.to_le_bytes());
        octets.extend_from_slice(&target.sequence.to_le_bytes());
    }
    octets.extend_from_slice(meta);
}

pub(crate) fn encode_ranges(octets: &mut Vec<u8>, ranges: &[Range]) {
    octets.extend_from_slice(&(ranges.len() as u32).to_le_bytes());
    for range in ranges {
        octets.extend_from_slice(&range.queue.to_le_bytes());
        octets.extend_from_slice(&range.first.to_le_bytes());
        octets.extend_from_slice(&range.last.to_le_bytes());
    }
}

/// The targets and the meta of a message's head.
pub(crate) fn targets_and_meta(
    head: &[u8],
) -> Option<(impl Iterator<Item = Target> + Clone, &[u8])> {
    let (targets, meta) = counted(head, 16)?;
    let targets = targets.chunks_exact(16).filter_map(|octets| {
        Some(Target { queue: u64_at(octets, 0)?, sequence: u64_at(octets, 8)? })
    });
    Some((targets, meta))
}

/// The ranges of a settlement's head.
pub(crate) fn ranges(head: &[u8]) -> Option<impl Iterator<Item = Range> + Clone> {
    let (ranges, rest) = counted(head, 24)?;
    rest.is_empty().then(|| {
        ranges.chunks_exact(24).filter_map(|octets| {
            let (first, last) = (u64_at(octets, 8)?, u64_at(octets, 16)?);
            Some(Range { queue: u64_at(octets, 0)?, first, last })
        })
    })
}

/// Splits what a count and so many pieces of this size take from the rest.
fn counted(head: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (count, rest) = head.split_first_chunk()?;
    let octets = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(size)?;
    rest.split_at_checked(octets)
}

fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*octets.get(at..)?.first_chunk()?))
}
