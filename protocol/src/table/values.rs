//! Field tables between octets and `amq-protocol`'s values. Names may be any octets, see
//! [`crate::text`].

use std::collections::BTreeMap;

use amq_protocol::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};

use crate::reader::Reader;
use crate::text;

/// What is done about a name that has no text which `amq-protocol` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nameless {
    /// The table is refused.
    Refuse,
    /// The entry is left out.
    LeaveOut,
}

/// Reads the entries of a table whose shape has been checked. Of several with one name the first
/// counts, as in RabbitMQ. `None` if it is refused.
pub(super) fn read_table(content: &[u8], nameless: Nameless) -> Option<FieldTable> {
    let mut reader = Reader(content);
    let mut entries: BTreeMap<ShortString, AMQPValue> = BTreeMap::new();
    while !reader.is_empty() {
        let name = text::short_string(reader.short_string()?);
        let value = read_value(&mut reader, nameless)?;
        match name {
            Some(name) => {
                entries.entry(name).or_insert(value);
            }
            None if nameless == Nameless::Refuse => return None,
            None => {}
        }
    }
    Some(FieldTable::from(entries))
}

fn read_value(reader: &mut Reader<'_>, nameless: Nameless) -> Option<AMQPValue> {
    Some(match reader.octet()? {
        b't' => AMQPValue::Boolean(reader.octet()? != 0),
        b'b' => AMQPValue::ShortShortInt(reader.octet()?.cast_signed()),
        b'B' => AMQPValue::ShortShortUInt(reader.octet()?),
        b's' | b'U' => AMQPValue::ShortInt(reader.short()?.cast_signed()),
        b'u' => AMQPValue::ShortUInt(reader.short()?),
        b'I' => AMQPValue::LongInt(reader.long()?.cast_signed()),
        b'i' => AMQPValue::LongUInt(reader.long()?),
        b'L' | b'l' => AMQPValue::LongLongInt(reader.longlong()?.cast_signed()),
        b'f' => AMQPValue::Float(f32::from_bits(reader.long()?)),
        b'd' => AMQPValue::Double(f64::from_bits(reader.longlong()?)),
        b'D' => {
            let scale = reader.octet()?;
            AMQPValue::DecimalValue(DecimalValue { scale, value: reader.long()? })
        }
        b'S' => AMQPValue::LongString(LongString::from(reader.long_string()?)),
        b'x' => AMQPValue::ByteArray(ByteArray::from(reader.long_string()?)),
        b'T' => AMQPValue::Timestamp(reader.longlong()?),
        b'V' => AMQPValue::Void,
        b'F' => AMQPValue::FieldTable(read_table(reader.long_string()?, nameless)?),
        b'A' => {
            let mut inner = Reader(reader.long_string()?);
            let mut values = Vec::new();
            while !inner.is_empty() {
                values.push(read_value(&mut inner, nameless)?);
            }
            AMQPValue::FieldArray(FieldArray::from(values))
        }
        _ => return None,
    })
}

/// Writes a table with its length in front.
pub(super) fn write_table(table: &FieldTable, out: &mut Vec<u8>) {
    let mut content = Vec::new();
    for (name, value) in table {
        let name = text::to_octets(name.as_str());
        content.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        content.extend(name.iter().take(usize::from(u8::MAX)));
        write_value(value, &mut content);
    }
    push_long(out, &content);
}

fn write_value(value: &AMQPValue, out: &mut Vec<u8>) {
    // Strings are long ones on the wire.
    let kind = if let AMQPValue::ShortString(_) = value { 'S' } else { value.get_type().get_id() };
    out.push(kind as u8);
    match value {
        AMQPValue::Boolean(flag) => out.push(u8::from(*flag)),
        AMQPValue::ShortShortInt(n) => out.push(n.cast_unsigned()),
        AMQPValue::ShortShortUInt(n) => out.push(*n),
        AMQPValue::ShortInt(n) => out.extend(n.to_be_bytes()),
        AMQPValue::ShortUInt(n) => out.extend(n.to_be_bytes()),
        AMQPValue::LongInt(n) => out.extend(n.to_be_bytes()),
        AMQPValue::LongUInt(n) => out.extend(n.to_be_bytes()),
        AMQPValue::LongLongInt(n) => out.extend(n.to_be_bytes()),
        AMQPValue::Float(n) => out.extend(n.to_be_bytes()),
        AMQPValue::Double(n) => out.extend(n.to_be_bytes()),
        AMQPValue::DecimalValue(n) => {
            out.push(n.scale);
            out.extend(n.value.to_be_bytes());
        }
        AMQPValue::ShortString(text) => push_long(out, text.as_str().as_bytes()),
        AMQPValue::LongString(text) => push_long(out, text.as_bytes()),
        AMQPValue::ByteArray(octets) => push_long(out, octets.as_slice()),
        AMQPValue::Timestamp(seconds) => out.extend(seconds.to_be_bytes()),
        AMQPValue::FieldTable(table) => write_table(table, out),
        AMQPValue::FieldArray(values) => {
            let mut content = Vec::new();
            values.as_slice().iter().for_each(|value| write_value(value, &mut content));
            push_long(out, &content);
        }
        AMQPValue::Void => {}
    }
}

pub(super) fn push_long(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}
