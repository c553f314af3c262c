//! Values in tables of arguments and headers, as the extensions read them.

use amq_protocol::types::{AMQPValue, FieldTable};

/// The value of that name.
pub(super) fn get<'a>(table: &'a FieldTable, name: &str) -> Option<&'a AMQPValue> {
    table.inner().get(name)
}

/// An integer of any width.
pub(super) fn integer(value: &AMQPValue) -> Option<i64> {
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

/// A string in UTF-8.
pub(super) fn text(value: &AMQPValue) -> Option<&str> {
    let octets = match value {
        AMQPValue::LongString(text) => text.as_bytes(),
        AMQPValue::ShortString(text) => text.as_str().as_bytes(),
        AMQPValue::ByteArray(octets) => octets.as_slice(),
        _ => return None,
    };
    std::str::from_utf8(octets).ok()
}

/// An integer, also written in digits.
pub(super) fn integer_or_digits(value: &AMQPValue) -> Option<i64> {
    integer(value).or_else(|| text(value)?.parse().ok())
}
