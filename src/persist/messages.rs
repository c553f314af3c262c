//! Messages as the store has them.
//!
//! ```text
//! meta     flags (u8), priority (u8), octets of the body (u32); then, with flag 2:
//!          count (u32), per queue in which it expires: queue (u64), when (u64, microseconds);
//!          with flag 16: count (u32), per stream that it moves to: queue (u64), offset (u64)
//! payload  length of exchange (u8), of routing key (u8), of properties (u32);
//!          with flag 4: deaths, with flag 8: routing keys, each with its length (u32) before it;
//!          then exchange, routing key, properties, body
//! ```
//!
//! Flag 1 marks what is in the store for lack of memory only, and is not to survive a restart.

use leveret_protocol::properties::RawProperties;
use leveret_storage::{LogBatch, StoredMessage, Target};

use crate::base::ids::StoreId;
use crate::base::octets::{Reader, Writer};
use crate::message::deaths::Deaths;
use crate::message::{Body, Message, Parts};
use crate::time::clock::Timestamp;

const TRANSIENT: u8 = 1;
const EXPIRES: u8 = 2;
const DEATHS: u8 = 4;
const KEYS: u8 = 8;
const MOVES_TO_STREAMS: u8 = 16;

/// What is stored beside a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    /// It is not to survive a restart.
    pub transient: bool,
    /// Where it expires, or is due.
    pub deadlines: &'a [(StoreId, Timestamp)],
    /// Streams that it moves to, and the offsets that it has there. It is stored for them until
    /// they have it.
    pub offsets: &'a [(StoreId, u64)],
    /// The keys that route it, if there are others than its own.
    pub routing_keys: Option<&'a [Vec<u8>]>,
}

/// Adds a message to what is written together.
///
/// # Errors
/// If it is larger than the store takes.
pub(crate) fn encode(
    batch: &mut LogBatch,
    targets: &[Target],
    message: &Message,
    beside: &Beside<'_>,
) -> leveret_storage::Result<()> {
    let mut flags = 0;
    let mut lengths = Writer(Vec::with_capacity(64));
    lengths
        .u8(u8::try_from(message.exchange_octets().len()).unwrap_or(u8::MAX))
        .u8(u8::try_from(message.routing_key_octets().len()).unwrap_or(u8::MAX))
        .u32(u32::try_from(message.raw_properties().0.len()).unwrap_or(u32::MAX));
    if let Some(deaths) = message.deaths() {
        flags |= DEATHS;
        let mut octets = Writer::default();
        deaths.encode(&mut octets);
        lengths.octets(&octets.0);
    }
    if let Some(keys) = beside.routing_keys {
        flags |= KEYS;
        let mut octets = Writer::default();
        octets.keys(keys);
        lengths.octets(&octets.0);
    }
    flags |= if beside.transient { TRANSIENT } else { 0 };
    flags |= if beside.deadlines.is_empty() { 0 } else { EXPIRES };
    flags |= if beside.offsets.is_empty() { 0 } else { MOVES_TO_STREAMS };
    let mut meta = [0; 6];
    let body = u32::try_from(message.body_len()).unwrap_or(u32::MAX).to_le_bytes();
    meta[0] = flags;
    meta[1] = message.priority();
    meta[2..].copy_from_slice(&body);
    let payload = [lengths.0.as_slice(), message.front_octets(), message.body()];
    if beside.deadlines.is_empty() && beside.offsets.is_empty() {
        return batch.message(targets, &meta, &payload);
    }
    let mut long = Writer(meta.to_vec());
    put_list(&mut long, beside.deadlines.iter().map(|(queue, at)| (*queue, at.as_micros())));
    put_list(&mut long, beside.offsets.iter().copied());
    batch.message(targets, &long.0, &payload)
}

/// Puts what belongs to queues, if it is anything.
fn put_list(octets: &mut Writer, list: impl ExactSizeIterator<Item = (StoreId, u64)>) {
    if list.len() > 0 {
        octets.u32(u32::try_from(list.len()).unwrap_or(u32::MAX));
        for (queue, value) in list {
            octets.u64(queue).u64(value);
        }
    }
}

/// What is to be known of a message without reading it.
#[derive(Clone, Copy, Debug)]
pub struct Meta<'a> {
    flags: u8,
    /// `priority` property.
    pub priority: u8,
    /// Octets of the body.
    pub body_bytes: u32,
    lists: Reader<'a>,
}

impl<'a> Meta<'a> {
    /// Reads it; `None` if it is damaged.
    pub fn decode(octets: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(octets);
        let (flags, priority, body_bytes) = (reader.u8()?, reader.u8()?, reader.u32()?);
        Some(Self { flags, priority, body_bytes, lists: reader })
    }

    /// Whether it is not to survive a restart.
    pub fn is_transient(&self) -> bool {
        self.flags & TRANSIENT != 0
    }

    /// When it expires in this queue, or is due; [`Timestamp::NEVER`] if nothing is said.
    pub fn deadline(&self, queue: StoreId) -> Timestamp {
        let deadline = self.of_queue(EXPIRES, queue);
        deadline.map_or(Timestamp::NEVER, Timestamp::from_micros)
    }

    /// The offset that it has in this stream, if it is stored for it until the stream has it.
    pub fn offset(&self, queue: StoreId) -> Option<u64> {
        self.of_queue(MOVES_TO_STREAMS, queue)
    }

    /// What the list with this flag says of a queue.
    fn of_queue(&self, wanted: u8, queue: StoreId) -> Option<u64> {
        let mut reader = self.lists;
        for flag in [EXPIRES, MOVES_TO_STREAMS].into_iter().filter(|flag| self.flags & flag != 0) {
            let list = reader.list(|reader| Some((reader.u64()?, reader.u64()?)))?;
            if flag == wanted {
                return list.into_iter().find(|(other, _)| *other == queue).map(|(_, value)| value);
            }
        }
        None
    }
}

/// A message that was read.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The message.
    pub message: Message,
    /// When it expires in the queue that it was read for, or is due.
    pub deadline: Timestamp,
    /// The keys that route it, if there are others than its own.
    pub routing_keys: Option<Vec<Vec<u8>>>,
}

/// The message that was stored, for one of its queues; `None` if this is none.
pub(crate) fn decode(
    stored: &StoredMessage,
    queue: StoreId,
    scratch: &mut Vec<u8>,
) -> Option<Decoded> {
    let meta = Meta::decode(&stored.meta)?;
    let mut reader = Reader(&stored.payload);
    let (exchange, key) = (usize::from(reader.u8()?), usize::from(reader.u8()?));
    let properties = usize::try_from(reader.u32()?).ok()?;
    let deaths = match meta.flags & DEATHS {
        0 => None,
        _ => Some(Box::new(Deaths::decode(&mut Reader(reader.octets()?))?)),
    };
    let routing_keys = match meta.flags & KEYS {
        0 => None,
        _ => Some(Reader(reader.octets()?).keys()?),
    };
    let (exchange, routing_key) = (reader.take(exchange)?, reader.take(key)?);
    let properties = reader.take(properties)?;
    let expiration = RawProperties(properties).expiration();
    let parts = Parts {
        exchange,
        routing_key,
        properties,
        expiration_ms: expiration.and_then(|ms| std::str::from_utf8(ms).ok()?.parse().ok()),
        body: Body::Borrowed(reader.0),
    };
    let message = Message::with_deaths(parts, deaths, scratch);
    Some(Decoded { message, deadline: meta.deadline(queue), routing_keys })
}

#[cfg(test)]
mod tests {
    use leveret_storage::{MemoryLog, MessageStore, commit};

    use super::*;
    use crate::message::deaths::{Death, DeathReason};

    fn stored(message: &Message, beside: &Beside<'_>) -> StoredMessage {
        let log = MemoryLog::new();
        let target = Target { queue: 7, sequence: 3 };
        let mut batch = LogBatch::new();
        encode(&mut batch, &[target], message, beside).unwrap();
        commit(&log, batch).unwrap();
        log.read(target).unwrap().unwrap()
    }

    #[test]
    fn a_message_comes_back_whole() {
        let mut deaths = Deaths::routed_by(vec![b"k".to_vec(), b"bcc".to_vec()], 1);
        deaths.record(Death {
            queue: "q".into(),
            reason: DeathReason::Expired,
            count: 1,
            first_at: Timestamp::from_millis(77),
            exchange: b"x".as_slice().into(),
            routing_keys: vec![b"k".to_vec()].into(),
            original_expiration_ms: Some(5),
        });
        let properties = leveret_protocol::properties::encode_properties(
            &amq_protocol::protocol::BasicProperties::default()
                .with_expiration("60000".into())
                .with_priority(4)
                .with_delivery_mode(2),
        );
        for body in [vec![1; 100], vec![2; 100_000], Vec::new()] {
            let parts = Parts {
                exchange: b"x",
                routing_key: b"key",
                properties: &properties,
                expiration_ms: Some(60_000),
                body: Body::Shared(body.clone().into()),
            };
            let deaths = Some(Box::new(deaths.clone()));
            let message = Message::with_deaths(parts, deaths.clone(), &mut Vec::new());
            let keys = [b"a".to_vec(), b"b".to_vec()];
            let deadlines = [(7, Timestamp::from_millis(9)), (8, Timestamp::from_millis(10))];
            let beside = Beside {
                transient: true,
                deadlines: &deadlines,
                offsets: &[(5, 11), (7, 12)],
                routing_keys: Some(&keys),
            };
            let stored = stored(&message, &beside);
            let meta = Meta::decode(&stored.meta).unwrap();
            assert!(meta.is_transient());
            assert_eq!((meta.priority, meta.body_bytes as usize), (4, body.len()));
            assert_eq!(meta.deadline(9), Timestamp::NEVER);
            assert_eq!((meta.offset(7), meta.offset(8)), (Some(12), None));
            let decoded = decode(&stored, 8, &mut Vec::new()).unwrap();
            assert_eq!(decoded.deadline, Timestamp::from_millis(10));
            assert_eq!(decoded.routing_keys.as_deref(), Some(keys.as_slice()));
            let found = decoded.message;
            assert_eq!(
                (found.exchange_octets(), found.routing_key_octets()),
                (b"x".as_slice(), b"key".as_slice())
            );
            assert_eq!(
                (found.raw_properties().0, found.body()),
                (properties.as_slice(), &body[..])
            );
            assert_eq!(found.expiration_ms(), Some(60_000));
            assert_eq!(found.deaths(), deaths.as_deref());
            for cut in 0..stored.payload.len().min(200) {
                let payload = stored.payload.slice(..cut);
                let cut = StoredMessage { meta: stored.meta.clone(), payload };
                let _ = decode(&cut, 8, &mut Vec::new());
            }
        }
    }
}
