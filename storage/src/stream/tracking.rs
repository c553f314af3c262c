//! What a stream keeps by name: offsets of consumers, and how far publishers are.
//!
//! It is written as changes (beside the messages that they belong to, or alone), and from time to
//! time as a whole. A change is: what (u8), octets of the name (u8), name, then numbers (u64 each):
//!
//! | what | numbers |
//! |---|---|
//! | 1 an offset is stored | the offset |
//! | 2 a publisher is further | its publishing id, offset of its last message |
//! | 3 an offset is forgotten | |

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};

const OFFSET: u8 = 1;
const PUBLISHER: u8 = 2;
const FORGOTTEN: u8 = 3;

/// Publishers that are remembered `[rabbitmq streams]`.
const PUBLISHERS_MAX: usize = 255;

/// Consumers whose offsets are remembered: if there are more the one that is furthest behind is
/// forgotten.
const OFFSETS_MAX: usize = 4096;

/// What something is called: up to 255 octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(Arc<str>);

impl Name {
    pub(crate) fn new(name: &str) -> Result<Self> {
        if name.len() > usize::from(u8::MAX) { Err(Error::TooLarge) } else { Ok(Self(name.into())) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far a publisher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) publishing_id: u64,
    /// The offset of its last message.
    pub(crate) offset: u64,
}

/// Something that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Offset(Name, u64),
    Publisher(Name, Sequence),
    Forgotten(Name),
}

impl Change {
    pub(crate) fn encode(&self, octets: &mut Vec<u8>) {
        let (what, name) = match self {
            Self::Offset(name, _) => (OFFSET, name),
            Self::Publisher(name, _) => (PUBLISHER, name),
            Self::Forgotten(name) => (FORGOTTEN, name),
        };
        octets.extend([what, u8::try_from(name.0.len()).unwrap_or(u8::MAX)]);
        octets.extend_from_slice(name.0.as_bytes());
        match self {
            Self::Offset(_, offset) => octets.extend(offset.to_le_bytes()),
            Self::Publisher(_, sequence) => {
                octets.extend(sequence.publishing_id.to_le_bytes());
                octets.extend(sequence.offset.to_le_bytes());
            }
            Self::Forgotten(_) => {}
        }
    }
}

/// Reads changes, as far as they are any.
pub(crate) fn changes(octets: &[u8]) -> impl Iterator<Item = Change> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (&what, after) = rest.split_first()?;
        let (&length, after) = after.split_first()?;
        let (name, after) = after.split_at_checked(usize::from(length))?;
        let name = Name::new(std::str::from_utf8(name).ok()?).ok()?;
        let number = |at: usize| Some(u64::from_le_bytes(*after.get(at..)?.first_chunk()?));
        let (change, span) = match what {
            OFFSET => (Change::Offset(name, number(0)?), 8),
            PUBLISHER => {
                let sequence = Sequence { publishing_id: number(0)?, offset: number(8)? };
                (Change::Publisher(name, sequence), 16)
            }
            FORGOTTEN => (Change::Forgotten(name), 0),
            _ => return None,
        };
        rest = after.get(span..)?;
        Some(change)
    })
}

/// Everything that is kept by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracking {
    offsets: BTreeMap<Name, u64>,
    publishers: BTreeMap<Name, Sequence>,
}

impl Tracking {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Offset(name, offset) => {
                self.offsets.insert(name, offset);
                if self.offsets.len() > OFFSETS_MAX {
                    forget_least(&mut self.offsets, |offset| *offset);
                }
            }
            Change::Publisher(name, sequence) => {
                self.publishers.insert(name, sequence);
                if self.publishers.len() > PUBLISHERS_MAX {
                    forget_least(&mut self.publishers, |sequence| sequence.offset);
                }
            }
            Change::Forgotten(name) => {
                self.offsets.remove(&name);
            }
        }
    }

    /// The offset of this name.
    pub(crate) fn offset(&self, name: &Name) -> Option<u64> {
        self.offsets.get(name).copied()
    }

    /// All offsets, by name.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.offsets.iter().map(|(name, offset)| (name, *offset))
    }

    /// How far all publishers are.
    pub(super) fn publishing_ids(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.publishers.iter().map(|(name, sequence)| (name, sequence.publishing_id))
    }

    /// How far this publisher is.
    pub(crate) fn publishing_id(&self, name: &Name) -> Option<u64> {
        self.publishers.get(name).map(|sequence| sequence.publishing_id)
    }

    /// About how many octets it takes.
    pub(crate) fn octets(&self) -> usize {
        let offsets = self.offsets.keys().map(|name| name.0.len() + 10);
        let publishers = self.publishers.keys().map(|name| name.0.len() + 18);
        offsets.chain(publishers).sum()
    }

    /// All of it, as changes of nothing.
    pub(crate) fn encode(&self, octets: &mut Vec<u8>) {
        for (name, offset) in &self.offsets {
            Change::Offset(name.clone(), *offset).encode(octets);
        }
        for (name, sequence) in &self.publishers {
            Change::Publisher(name.clone(), *sequence).encode(octets);
        }
    }
}

/// Forgets the entry with the lowest value.
fn forget_least<T>(entries: &mut BTreeMap<Name, T>, value: impl Fn(&T) -> u64) {
    let least = entries.iter().min_by_key(|(_, entry)| value(entry)).map(|(name, _)| name.clone());
    if let Some(name) = least {
        entries.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    #[test]
    fn everything_comes_back_and_what_is_cut_short_is_left_out() {
        let mut tracking = Tracking::default();
        let sequence = Sequence { publishing_id: 7, offset: 9 };
        for change in [
            Change::Offset(name("a"), 1),
            Change::Offset(name("b"), 2),
            Change::Publisher(name("b"), sequence),
            Change::Forgotten(name("a")),
            Change::Offset(name(&"c".repeat(255)), u64::MAX),
        ] {
            let mut octets = Vec::new();
            change.encode(&mut octets);
            assert_eq!(changes(&octets).collect::<Vec<_>>(), std::slice::from_ref(&change));
            assert_eq!(changes(&octets[..octets.len() - 1]).count(), 0);
            tracking.apply(change);
        }
        assert!(Name::new(&"c".repeat(256)).is_err());
        let mut octets = Vec::new();
        tracking.encode(&mut octets);
        let mut again = Tracking::default();
        changes(&octets).for_each(|change| again.apply(change));
        assert_eq!(again, tracking);
        assert_eq!(again.offset(&name("b")), Some(2));
        assert_eq!(again.offset(&name("a")), None);
        assert_eq!(again.publishing_id(&name("b")), Some(7));
    }

    #[test]
    fn whoever_is_furthest_behind_is_forgotten_first() {
        let mut tracking = Tracking::default();
        for number in 0..5000_u64 {
            let sequence = Sequence { publishing_id: 1, offset: number };
            tracking.apply(Change::Publisher(name(&number.to_string()), sequence));
            tracking.apply(Change::Offset(name(&number.to_string()), number));
        }
        assert_eq!(tracking.publishers.len(), PUBLISHERS_MAX);
        assert_eq!(tracking.offsets().count(), OFFSETS_MAX);
        assert_eq!(tracking.offset(&name("0")), None);
        assert_eq!(tracking.publishing_id(&name("4999")), Some(1));
    }
}
