//! What tells a message from its duplicates: the header `x-deduplication-header`
//! `[rabbitmq message-deduplication]`.

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::base::argument;
use crate::message::Message;

const HEADER: &str = argument::DEDUPLICATION_HEADER;

/// The value of the header. Integers are the same whatever their width.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DuplicateKey(Value);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    Integer(i64),
    Large(u64),
    Float(u64),
    Text(Box<[u8]>),
    Boolean(bool),
    Void,
}

impl DuplicateKey {
    /// The key in these headers. Without the header, or with an array, a table or a decimal in it,
    /// a message has no duplicates.
    pub(crate) fn in_headers(headers: &FieldTable) -> Option<Self> {
        Some(Self(match headers.inner().get(HEADER)? {
            AMQPValue::Boolean(flag) => Value::Boolean(*flag),
            AMQPValue::ShortShortInt(n) => Value::Integer((*n).into()),
            AMQPValue::ShortShortUInt(n) => Value::Integer((*n).into()),
            AMQPValue::ShortInt(n) => Value::Integer((*n).into()),
            AMQPValue::ShortUInt(n) => Value::Integer((*n).into()),
            AMQPValue::LongInt(n) => Value::Integer((*n).into()),
            AMQPValue::LongUInt(n) => Value::Integer((*n).into()),
            AMQPValue::LongLongInt(n) => Value::Integer(*n),
            AMQPValue::Timestamp(n) => i64::try_from(*n).map_or(Value::Large(*n), Value::Integer),
            AMQPValue::Float(n) => Value::Float(f64::from(*n).to_bits()),
            AMQPValue::Double(n) => Value::Float(n.to_bits()),
            AMQPValue::ShortString(text) => Value::Text(text.as_str().as_bytes().into()),
            AMQPValue::LongString(text) => Value::Text(text.as_bytes().into()),
            AMQPValue::ByteArray(octets) => Value::Text(octets.as_slice().into()),
            AMQPValue::Void => Value::Void,
            AMQPValue::DecimalValue(_) | AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) => {
                return None;
            }
        }))
    }

    /// The key of a message.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let properties = message.raw_properties();
        // Most messages do not have it; a look at the octets spares parsing.
        let raw = properties.raw_headers()?;
        raw.windows(HEADER.len()).find(|octets| *octets == HEADER.as_bytes())?;
        Self::in_headers(&properties.headers()?.ok()?)
    }

    /// Octets that the key occupies in a set, about.
    pub(crate) fn footprint(&self) -> usize {
        let text = if let Value::Text(text) = &self.0 { text.len() } else { 0 };
        2 * size_of::<Self>() + text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: AMQPValue) -> Option<DuplicateKey> {
        let mut headers = FieldTable::default();
        headers.insert(HEADER.into(), value);
        DuplicateKey::in_headers(&headers)
    }

    #[test]
    fn width_does_not_matter_but_type_does() {
        let one = key(AMQPValue::LongLongInt(1));
        assert_eq!(one, key(AMQPValue::ShortShortUInt(1)));
        assert_eq!(one, key(AMQPValue::Timestamp(1)));
        for other in [
            AMQPValue::LongString("1".into()),
            AMQPValue::Double(1.0),
            AMQPValue::Boolean(true),
            AMQPValue::Void,
            AMQPValue::Timestamp(u64::MAX),
        ] {
            assert_ne!(one, key(other));
        }
        assert_eq!(key(AMQPValue::Double(0.5)), key(AMQPValue::Float(0.5)));
        assert_eq!(key(AMQPValue::FieldTable(FieldTable::default())), None);
        assert_eq!(DuplicateKey::in_headers(&FieldTable::default()), None);
    }
}
