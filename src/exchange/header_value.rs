//! Comparing and hashing field values: strictly, for a binding's identity, and as RabbitMQ's
//! headers exchange does, across types.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use amq_protocol::types::{AMQPValue, FieldTable};

/// Whether two tables hold the same names with values of the same types and bits.
pub(super) fn same_table(a: &FieldTable, b: &FieldTable) -> bool {
    let (a, b) = (a.inner(), b.inner());
    a.len() == b.len()
        && a.iter().zip(b).all(|((a_name, a), (b_name, b))| a_name == b_name && same_value(a, b))
}

fn same_value(a: &AMQPValue, b: &AMQPValue) -> bool {
    match (a, b) {
        (AMQPValue::Float(a), AMQPValue::Float(b)) => a.to_bits() == b.to_bits(),
        (AMQPValue::Double(a), AMQPValue::Double(b)) => a.to_bits() == b.to_bits(),
        (AMQPValue::FieldTable(a), AMQPValue::FieldTable(b)) => same_table(a, b),
        (AMQPValue::FieldArray(a), AMQPValue::FieldArray(b)) => {
            let (a, b) = (a.as_slice(), b.as_slice());
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        _ => a == b,
    }
}

/// Hashes a table so that tables that are [the same](same_table) have the same hash.
pub(super) fn hash_table<H: Hasher>(table: &FieldTable, state: &mut H) {
    table.inner().len().hash(state);
    for (name, value) in table {
        name.hash(state);
        hash_strictly(value, state);
    }
}

fn hash_strictly<H: Hasher>(value: &AMQPValue, state: &mut H) {
    discriminant(value).hash(state);
    match value {
        AMQPValue::Float(v) => v.to_bits().hash(state),
        AMQPValue::Double(v) => v.to_bits().hash(state),
        AMQPValue::FieldTable(v) => hash_table(v, state),
        AMQPValue::FieldArray(v) => {
            v.as_slice().len().hash(state);
            v.as_slice().iter().for_each(|item| hash_strictly(item, state));
        }
        _ => hash_for_match(value, Side::Binding, state),
    }
}

/// Which side of a comparison a value stands on. See [`matches`] for why that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Binding,
    Message,
}

/// A value without its width: what a headers exchange compares.
enum Plain<'a> {
    Integer(i128),
    Float(f64),
    Bytes(&'a [u8]),
    Other(&'a AMQPValue),
}

fn plain(value: &AMQPValue, side: Side) -> Plain<'_> {
    match value {
        AMQPValue::ShortShortInt(v) => Plain::Integer((*v).into()),
        AMQPValue::ShortShortUInt(v) => Plain::Integer((*v).into()),
        AMQPValue::ShortInt(v) => Plain::Integer((*v).into()),
        AMQPValue::ShortUInt(v) => Plain::Integer((*v).into()),
        AMQPValue::LongInt(v) => Plain::Integer((*v).into()),
        AMQPValue::LongUInt(v) => Plain::Integer((*v).into()),
        AMQPValue::LongLongInt(v) => Plain::Integer((*v).into()),
        AMQPValue::Timestamp(v) if side == Side::Message => Plain::Integer(i128::from(*v) * 1000),
        AMQPValue::Timestamp(v) => Plain::Integer((*v).into()),
        AMQPValue::Float(v) => Plain::Float((*v).into()),
        AMQPValue::Double(v) => Plain::Float(*v),
        AMQPValue::ShortString(v) => Plain::Bytes(v.as_str().as_bytes()),
        AMQPValue::LongString(v) => Plain::Bytes(v.as_bytes()),
        AMQPValue::ByteArray(v) => Plain::Bytes(v.as_slice()),
        AMQPValue::Boolean(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::Void => Plain::Other(value),
    }
}

/// Whether a message's header has the value that a binding asks for.
///
/// Integers are equal by value whatever their width, floats and doubles likewise, and so are
/// strings and byte arrays; an integer is no float and no string. Arrays and tables are equal only
/// with the same types inside. As in RabbitMQ 4.0 a timestamp counts in seconds in a binding and
/// in milliseconds in a message, so 5 seconds in the message are the 5000 of the binding.
pub(super) fn matches(binding: &AMQPValue, message: &AMQPValue) -> bool {
    match (plain(binding, Side::Binding), plain(message, Side::Message)) {
        (Plain::Integer(a), Plain::Integer(b)) => a == b,
        (Plain::Float(a), Plain::Float(b)) => a == b,
        (Plain::Bytes(a), Plain::Bytes(b)) => a == b,
        (Plain::Other(a), Plain::Other(b)) => a == b,
        _ => false,
    }
}

/// Hashes a value so that values that [match](matches) have the same hash.
pub(super) fn hash_for_match<H: Hasher>(value: &AMQPValue, side: Side, state: &mut H) {
    match plain(value, side) {
        Plain::Integer(v) => (0_u8, v).hash(state),
        // 0.0 equals -0.0 and must hash like it.
        Plain::Float(v) => (1_u8, if v == 0.0 { 0 } else { v.to_bits() }).hash(state),
        Plain::Bytes(v) => (2_u8, v).hash(state),
        Plain::Other(AMQPValue::Boolean(v)) => (3_u8, v).hash(state),
        Plain::Other(AMQPValue::DecimalValue(v)) => (4_u8, v).hash(state),
        // Arrays and tables are rare and may hold floats: the kind must do.
        Plain::Other(AMQPValue::FieldArray(_)) => 5_u8.hash(state),
        Plain::Other(AMQPValue::FieldTable(_)) => 6_u8.hash(state),
        Plain::Other(_) => 7_u8.hash(state),
    }
}
