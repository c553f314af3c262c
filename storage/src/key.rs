//! Keys, and how they are written so that their octets sort as they do.
//!
//! ```text
//! definition   kind (1 octet), then each part of its name: octets, 00 01
//!              (an octet 00 in a part is written 00 FF)
//! queue state  80, queue (8 octets, big-endian), item (8 octets, big-endian)
//! ```

use crate::error::{Error, Result};

/// Identifies a queue in the store. A queue that is deleted and declared again gets another one,
/// so that it does not find the messages of its predecessor.
pub type QueueId = u64;

/// By queue. Their numbers are the broker's own, so that nobody can choose them to collide.
pub(crate) type QueueMap<T> = rustc_hash::FxHashMap<QueueId, T>;

const QUEUE_STATE: u8 = 0x80;
const ESCAPE: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xFF;
const END_OF_PART: u8 = 0x01;

/// What a definition defines. The numbers are part of the format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DefinitionKind {
    /// A virtual host, by its name.
    VirtualHost = 1,
    /// An exchange, by virtual host and name.
    Exchange = 2,
    /// A queue, by virtual host and name.
    Queue = 3,
    /// A binding, by virtual host, source, destination and whatever else tells it from others.
    Binding = 4,
    /// A user, by name.
    User = 5,
    /// What a user may do, by user and virtual host.
    Permission = 6,
    /// A policy, by virtual host and name.
    Policy = 7,
    /// What else is kept, by whatever name it has.
    Parameter = 8,
}

impl DefinitionKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::VirtualHost,
        Self::Exchange,
        Self::Queue,
        Self::Binding,
        Self::User,
        Self::Permission,
        Self::Policy,
        Self::Parameter,
    ];
}

/// What a record is found by. Keys are ordered: definitions by kind and name, then the
/// states of queues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A definition: its kind and the parts of its name, such as virtual host and queue name.
    Definition(DefinitionKind, Vec<Vec<u8>>),
    /// A piece of a queue's state, such as what it counts.
    QueueState {
        /// The queue.
        queue: QueueId,
        /// Which piece of it.
        item: u64,
    },
}

impl Key {
    /// The key of a definition.
    pub fn definition<P: AsRef<[u8]>>(
        kind: DefinitionKind,
        name: impl IntoIterator<Item = P>,
    ) -> Self {
        Self::Definition(kind, name.into_iter().map(|part| part.as_ref().to_vec()).collect())
    }

    /// The key of a piece of a queue's state.
    pub const fn queue_state(queue: QueueId, item: u64) -> Self {
        Self::QueueState { queue, item }
    }

    /// The key as octets, which sort as the keys do.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Definition(kind, name) => {
                let mut octets = vec![*kind as u8];
                name.iter().for_each(|part| encode_part(part, &mut octets));
                octets
            }
            Self::QueueState { queue, item } => {
                let mut octets = encode_queue(*queue);
                octets.extend_from_slice(&item.to_be_bytes());
                octets
            }
        }
    }

    /// The key that [`Key::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::CorruptKey`] for anything else.
    pub fn decode(octets: &[u8]) -> Result<Self> {
        match octets.split_first() {
            None => Err(Error::CorruptKey("it is empty")),
            Some((&QUEUE_STATE, rest)) => {
                let (queue, item) = rest
                    .split_first_chunk()
                    .and_then(|(queue, rest)| Some((queue, rest.try_into().ok()?)))
                    .ok_or(Error::CorruptKey("a queue state's key has 17 octets"))?;
                let queue = QueueId::from_be_bytes(*queue);
                Ok(Self::QueueState { queue, item: u64::from_be_bytes(item) })
            }
            Some((&number, name)) => {
                let kind = DefinitionKind::ALL.into_iter().find(|kind| *kind as u8 == number);
                let kind = kind.ok_or(Error::CorruptKey("its kind is not known"))?;
                Ok(Self::Definition(kind, decode_parts(name)?))
            }
        }
    }
}

fn encode_part(part: &[u8], octets: &mut Vec<u8>) {
    for &octet in part {
        octets.push(octet);
        if octet == ESCAPE {
            octets.push(ESCAPED_ZERO);
        }
    }
    octets.extend_from_slice(&[ESCAPE, END_OF_PART]);
}

fn decode_parts(octets: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut rest = octets.iter();
    while let Some(&octet) = rest.next() {
        match octet {
            ESCAPE => match rest.next() {
                Some(&ESCAPED_ZERO) => part.push(ESCAPE),
                Some(&END_OF_PART) => parts.push(std::mem::take(&mut part)),
                _ => return Err(Error::CorruptKey("a zero octet stands alone")),
            },
            octet => part.push(octet),
        }
    }
    if part.is_empty() { Ok(parts) } else { Err(Error::CorruptKey("its last part has no end")) }
}

fn encode_queue(queue: QueueId) -> Vec<u8> {
    let mut octets = Vec::with_capacity(17);
    octets.push(QUEUE_STATE);
    octets.extend_from_slice(&queue.to_be_bytes());
    octets
}

/// Keys that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Vec<u8>);

impl Prefix {
    /// Every key.
    pub const fn everything() -> Self {
        Self(Vec::new())
    }

    /// All definitions of a kind.
    pub fn definitions(kind: DefinitionKind) -> Self {
        Self(vec![kind as u8])
    }

    /// Definitions of a kind whose name starts with these parts, such as all queues of a virtual
    /// host.
    pub fn definitions_in<P: AsRef<[u8]>>(
        kind: DefinitionKind,
        name: impl IntoIterator<Item = P>,
    ) -> Self {
        Self(Key::definition(kind, name).encode())
    }

    /// The states of all queues.
    pub fn queue_states() -> Self {
        Self(vec![QUEUE_STATE])
    }

    /// The state of a queue.
    pub fn queue_states_of(queue: QueueId) -> Self {
        Self(encode_queue(queue))
    }

    /// What the octets of these keys start with.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether a key is one of them.
    pub fn contains(&self, key: &Key) -> bool {
        key.encode().starts_with(&self.0)
    }
}
