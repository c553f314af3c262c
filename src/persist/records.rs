//! What virtual hosts are made of, as the record store has it.
//!
//! ```text
//! queue      [virtual host, name]      id (u64), flags (u8), arguments
//! exchange   [virtual host, name]      id (u64), flags (u8), type, arguments, who declared it
//! binding    [virtual host, "queue" or "exchange", destination, source, binding key, arguments]
//! policy     [virtual host, "user" or "operator", name]
//!                                      priority (u64), applies to, pattern, definition
//! returned   queue, sequence           count (u32), failures (u16), place (u8), 0 (u8)
//! handed out queue, level              sequence (u64)
//! ```
//!
//! Texts and tables have their length (u32) before them; tables are as AMQP encodes them.

use amq_protocol::types::FieldTable;
use leveret_protocol::table::{encode_table, parse_table};
use leveret_storage::{DefinitionKind, Key};

use crate::base::ids::StoreId;
use crate::base::octets::{Reader, Writer};
use crate::message::stored::{LEVELS_OF_ARRIVALS, Place, Returned};

/// Where runs of redelivered messages begin among the items of a queue's state: sequences, which
/// are the other items, never get there.
pub const REDELIVERED: u64 = 1 << 63;

/// The item of a queue's state that says that the queue was deleted: its messages are not wanted,
/// should the log still have them.
pub const DELETED: u64 = u64::MAX;

/// Where it begins among the items of a queue's state how far the queue has handed out its
/// messages, by level.
pub const HANDED_OUT: u64 = DELETED - LEVELS_OF_ARRIVALS as u64;

const AUTO_DELETE: u8 = 1;
const INTERNAL: u8 = 2;

/// A durable queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueRecord {
    /// What it is called in the store.
    pub id: StoreId,
    /// Deleted when its last consumer is gone.
    pub auto_delete: bool,
    /// Arguments as they came.
    pub arguments: FieldTable,
}

impl QueueRecord {
    /// Where it is.
    pub fn key(virtual_host: &str, queue: &str) -> Key {
        Key::definition(DefinitionKind::Queue, [virtual_host, queue])
    }

    /// As octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.id).u8(if self.auto_delete { AUTO_DELETE } else { 0 });
        writer.octets(&encode_table(&self.arguments));
        writer.0
    }

    /// From octets; `None` if they are damaged.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader(octets);
        let (id, flags) = (reader.u64()?, reader.u8()?);
        let arguments = parse_table(reader.octets()?).ok()?;
        Some(Self { id, auto_delete: flags & AUTO_DELETE != 0, arguments })
    }
}

/// A durable exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeRecord {
    /// What it is called in the store, if it keeps messages; else 0.
    pub id: StoreId,
    /// Its type.
    pub kind: String,
    /// Deleted when its last binding is gone.
    pub auto_delete: bool,
    /// Takes no publishes from clients.
    pub internal: bool,
    /// Arguments as they came.
    pub arguments: FieldTable,
    /// Who declared it; empty if nobody knows any more.
    pub declared_by: String,
}

impl ExchangeRecord {
    /// Where it is.
    pub fn key(virtual_host: &str, exchange: &str) -> Key {
        Key::definition(DefinitionKind::Exchange, [virtual_host, exchange])
    }

    /// As octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut flags = if self.auto_delete { AUTO_DELETE } else { 0 };
        flags |= if self.internal { INTERNAL } else { 0 };
        let mut writer = Writer::default();
        writer.u64(self.id).u8(flags).octets(self.kind.as_bytes());
        writer.octets(&encode_table(&self.arguments)).octets(self.declared_by.as_bytes());
        writer.0
    }

    /// From octets; `None` if they are damaged.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader(octets);
        let (id, flags) = (reader.u64()?, reader.u8()?);
        let kind = reader.text()?.to_owned();
        let arguments = parse_table(reader.octets()?).ok()?;
        // Records of the first version end here.
        let declared_by = reader.text().unwrap_or_default().to_owned();
        let (auto_delete, internal) = (flags & AUTO_DELETE != 0, flags & INTERNAL != 0);
        Some(Self { id, kind, auto_delete, internal, arguments, declared_by })
    }
}

/// A binding between durable ends. All of it is in its key.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingRecord {
    /// Whether it leads to a queue, and not to an exchange.
    pub to_queue: bool,
    /// What it leads to.
    pub destination: String,
    /// The exchange that it starts from.
    pub source: String,
    /// Binding key.
    pub binding_key: Vec<u8>,
    /// Arguments as they came.
    pub arguments: FieldTable,
}

impl BindingRecord {
    /// What the keys of all bindings to a destination start with.
    pub fn to<'a>(virtual_host: &'a str, to_queue: bool, destination: &'a str) -> [&'a str; 3] {
        [virtual_host, if to_queue { "queue" } else { "exchange" }, destination]
    }

    /// Where it is.
    pub fn key(&self, virtual_host: &str) -> Key {
        let [host, kind, destination] = Self::to(virtual_host, self.to_queue, &self.destination);
        let arguments = encode_table(&self.arguments);
        let parts: [&[u8]; 6] = [
            host.as_bytes(),
            kind.as_bytes(),
            destination.as_bytes(),
            self.source.as_bytes(),
            &self.binding_key,
            &arguments,
        ];
        Key::definition(DefinitionKind::Binding, parts)
    }

    /// From the parts of its key, of which the first is the virtual host; `None` if they are
    /// damaged.
    pub fn decode(parts: &[Vec<u8>]) -> Option<Self> {
        let [_, kind, destination, source, binding_key, arguments] = parts else { return None };
        Some(Self {
            to_queue: kind == b"queue",
            destination: String::from_utf8(destination.clone()).ok()?,
            source: String::from_utf8(source.clone()).ok()?,
            binding_key: binding_key.clone(),
            arguments: parse_table(arguments).ok()?,
        })
    }
}

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRecord {
    /// The highest counts.
    pub priority: i64,
    /// What it is for, as RabbitMQ's API calls it.
    pub apply_to: String,
    /// Names that it is for.
    pub pattern: String,
    /// What it sets.
    pub definition: FieldTable,
}

impl PolicyRecord {
    /// Where it is.
    pub fn key(virtual_host: &str, is_operator: bool, name: &str) -> Key {
        let kind = if is_operator { "operator" } else { "user" };
        Key::definition(DefinitionKind::Policy, [virtual_host, kind, name])
    }

    /// As octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer
            .u64(self.priority.cast_unsigned())
            .octets(self.apply_to.as_bytes())
            .octets(self.pattern.as_bytes())
            .octets(&encode_table(&self.definition));
        writer.0
    }

    /// From octets; `None` if they are damaged.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader(octets);
        let priority = reader.u64()?.cast_signed();
        let (apply_to, pattern) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        Some(Self { priority, apply_to, pattern, definition: parse_table(reader.octets()?).ok()? })
    }
}

/// What is remembered of a message that came back to a quorum queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnRecord {
    /// How often it came back.
    pub delivery_count: u32,
    /// How often of these because a connection or a channel ended.
    pub failures: u16,
    /// Where it is: not gone.
    pub place: Place,
}

const FRONT: u8 = 0;
const LINE: u8 = 1;
const OUT: u8 = 2;

impl ReturnRecord {
    /// Of what a queue tells; `None` if there is nothing to be remembered any more.
    pub fn of(returned: &Returned) -> Option<Self> {
        let &Returned { delivery_count, failures, place, .. } = returned;
        (place != Place::Gone).then_some(Self { delivery_count, failures, place })
    }

    /// As octets.
    pub fn encode(&self) -> Vec<u8> {
        let place = match self.place {
            Place::Front | Place::Gone => FRONT,
            Place::Line => LINE,
            Place::Out => OUT,
        };
        let mut writer = Writer::default();
        writer.u32(self.delivery_count).u16(self.failures).u8(place).u8(0);
        writer.0
    }

    /// From octets; `None` if they are damaged.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader(octets);
        let delivery_count = reader.u32()?;
        // Older stores have the count alone.
        let failures = reader.u16().unwrap_or(0);
        let place = match reader.u8().unwrap_or(FRONT) {
            LINE => Place::Line,
            OUT => Place::Out,
            _ => Place::Front,
        };
        Some(Self { delivery_count, failures, place })
    }
}

#[cfg(test)]
mod tests {
    use amq_protocol::types::AMQPValue;

    use super::*;

    #[test]
    fn records_come_back_with_the_types_of_their_arguments() {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::ShortInt(5));
        arguments.insert("octets".into(), AMQPValue::LongString(vec![0xFF, 0].into()));
        arguments.insert("at".into(), AMQPValue::Timestamp(77));
        let queue = QueueRecord { id: 9, auto_delete: true, arguments: arguments.clone() };
        assert_eq!(QueueRecord::decode(&queue.encode()), Some(queue));
        let exchange = ExchangeRecord {
            id: 0,
            kind: "topic".into(),
            auto_delete: false,
            internal: true,
            arguments: arguments.clone(),
            declared_by: "guest".into(),
        };
        assert_eq!(ExchangeRecord::decode(&exchange.encode()), Some(exchange));
        let binding = BindingRecord {
            to_queue: false,
            destination: "d".into(),
            source: "s".into(),
            binding_key: vec![0, 1, 255],
            arguments: arguments.clone(),
        };
        let Key::Definition(_, parts) = Key::decode(&binding.key("/").encode()).unwrap() else {
            panic!("a definition")
        };
        assert_eq!(BindingRecord::decode(&parts), Some(binding));
        let policy = PolicyRecord {
            priority: -3,
            apply_to: "queues".into(),
            pattern: "^a".into(),
            definition: arguments,
        };
        let octets = policy.encode();
        assert_eq!(PolicyRecord::decode(&octets), Some(policy));
        assert_eq!(PolicyRecord::decode(&octets[..octets.len() - 1]), None);
    }
}
