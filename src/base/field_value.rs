//! Values in tables of arguments and headers, as RabbitMQ reads and names them.

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};

/// What an argument or a header holds: an AMQP field value, made of Rust's own types. Text becomes
/// a `longstr`, as RabbitMQ has it; an integer keeps its width.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldValue(AMQPValue);

macro_rules! field_values {
    ($($from:ty),*) => {
        $(impl From<$from> for FieldValue {
            fn from(value: $from) -> Self {
                Self(value.into())
            }
        })*
    };
}

field_values!(bool, i8, u8, i16, u16, i32, u32, i64, f32, f64);
field_values!(AMQPValue, LongString, ShortString, FieldArray, FieldTable);

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self(AMQPValue::LongString(text.into()))
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self(AMQPValue::LongString(text.into()))
    }
}

impl From<FieldValue> for AMQPValue {
    fn from(value: FieldValue) -> Self {
        value.0
    }
}

/// The value of that name.
pub(crate) fn get<'a>(table: &'a FieldTable, name: &str) -> Option<&'a AMQPValue> {
    table.inner().get(name)
}

/// An integer of any width.
pub(crate) fn integer(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(n) => Some(n.into()),
        AMQPValue::ShortShortUInt(n) => Some(n.into()),
        AMQPValue::ShortInt(n) => Some(n.into()),
        AMQPValue::ShortUInt(n) => Some(n.into()),
        AMQPValue::LongInt(n) => Some(n.into()),
        AMQPValue::LongUInt(n) => Some(n.into()),
        AMQPValue::LongLongInt(n) => Some(n),
        _ => None,
    }
}

/// The text of a long string, if it is one and is UTF-8.
pub(crate) fn string(value: &AMQPValue) -> Option<&str> {
    match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        _ => None,
    }
}

/// The text of a string of any kind, or of octets, in UTF-8.
pub(crate) fn text(value: &AMQPValue) -> Option<&str> {
    let octets = match value {
        AMQPValue::LongString(text) => text.as_bytes(),
        AMQPValue::ShortString(text) => text.as_str().as_bytes(),
        AMQPValue::ByteArray(octets) => octets.as_slice(),
        _ => return None,
    };
    std::str::from_utf8(octets).ok()
}

/// An integer, also written in digits.
pub(crate) fn integer_or_digits(value: &AMQPValue) -> Option<i64> {
    integer(value).or_else(|| text(value)?.parse().ok())
}

/// RabbitMQ's name for the type of a field value.
pub(crate) fn type_name(value: &AMQPValue) -> &'static str {
    match value {
        AMQPValue::Boolean(_) => "bool",
        AMQPValue::ShortShortInt(_) => "byte",
        AMQPValue::ShortShortUInt(_) => "unsignedbyte",
        AMQPValue::ShortInt(_) => "short",
        AMQPValue::ShortUInt(_) => "unsignedshort",
        AMQPValue::LongInt(_) => "signedint",
        AMQPValue::LongUInt(_) => "unsignedint",
        AMQPValue::LongLongInt(_) => "long",
        AMQPValue::Float(_) => "float",
        AMQPValue::Double(_) => "double",
        AMQPValue::DecimalValue(_) => "decimal",
        AMQPValue::ShortString(_) | AMQPValue::LongString(_) => "longstr",
        AMQPValue::FieldArray(_) => "array",
        AMQPValue::Timestamp(_) => "timestamp",
        AMQPValue::FieldTable(_) => "table",
        AMQPValue::ByteArray(_) => "binary",
        AMQPValue::Void => "void",
    }
}
