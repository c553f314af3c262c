//! Headers, made of annotations and application properties.

use super::annotation;
use super::text::{Text, digits};
use super::values::{DEPTH_MAX, Items, Value};

/// The longest short string.
pub(super) const SHORT_MAX: usize = 255;

/// The headers that message annotations stand for.
pub(super) fn annotation_headers(annotations: Option<Items<'_>>, headers: &mut Vec<u8>) {
    for (name, value) in annotations.into_iter().flat_map(Items::pairs) {
        let Some(name) = name.octets().filter(|name| name.len() <= SHORT_MAX) else { continue };
        match name {
            annotation::EXCHANGE
            | annotation::ROUTING_KEY
            | annotation::X_DEATH
            | annotation::OFFSET => {}
            annotation::CC => header(headers, b"CC", value, 0),
            annotation::DEATHS => deaths(headers, value),
            b"x-opt-rabbitmq-received-time" => {
                if let Value::Timestamp(ms) = value {
                    entry(headers, b"timestamp_in_ms", b'l', &ms.to_be_bytes());
                }
            }
            name if name.starts_with(b"x-basic-") => {}
            name => header(headers, name, value, 0),
        }
    }
}

pub(super) fn application_headers(application: Option<Items<'_>>, headers: &mut Vec<u8>) {
    for (name, value) in application.into_iter().flat_map(Items::pairs) {
        if let Some(name) = name.octets().filter(|name| name.len() <= SHORT_MAX) {
            header(headers, name, value, 0);
        }
    }
}

/// `x-death`, from what dead-lettering has noted.
fn deaths(headers: &mut Vec<u8>, value: Value<'_>) {
    let (Value::Array(all) | Value::List(all)) = value else { return };
    sized_entry(headers, Some(annotation::X_DEATH), b'A', |headers| {
        for death in all {
            let Value::Map(death) = death else { continue };
            sized_entry(headers, None, b'F', |headers| {
                for (name, value) in death.pairs() {
                    let Some(name) = name.octets() else { continue };
                    match (name, value) {
                        (b"ttl", value) => {
                            let mut buffer = [0; 20];
                            let ms = digits(&mut buffer, value.unsigned().unwrap_or(0));
                            header(headers, b"original-expiration", Value::Utf8(ms), 1);
                        }
                        (b"first-time", value) => header(headers, b"time", value, 1),
                        (b"last-time", _) => {}
                        (name, value) => header(headers, name, value, 1),
                    }
                }
            });
        }
    });
}

/// Sets the length of the headers, with which they begin.
pub(super) fn finish_headers(headers: &mut [u8]) {
    let length = u32::try_from(headers.len().saturating_sub(4)).unwrap_or(u32::MAX);
    if let Some(front) = headers.first_chunk_mut() {
        *front = length.to_be_bytes();
    }
}

fn name_and_type(headers: &mut Vec<u8>, name: Option<&[u8]>, kind: u8) {
    if let Some(name) = name {
        headers.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(name);
    }
    headers.push(kind);
}

pub(super) fn entry(headers: &mut Vec<u8>, name: &[u8], kind: u8, value: &[u8]) {
    name_and_type(headers, Some(name), kind);
    headers.extend_from_slice(value);
}

/// An entry, or an element without a name, that has its length before it.
fn sized_entry(
    headers: &mut Vec<u8>,
    name: Option<&[u8]>,
    kind: u8,
    content: impl FnOnce(&mut Vec<u8>),
) {
    name_and_type(headers, name, kind);
    let begin = headers.len();
    headers.extend([0; 4]);
    content(headers);
    let length = u32::try_from(headers.len() - begin - 4).unwrap_or(u32::MAX);
    if let Some(front) = headers.get_mut(begin..begin + 4) {
        front.copy_from_slice(&length.to_be_bytes());
    }
}

pub(super) fn header(headers: &mut Vec<u8>, name: &[u8], value: Value<'_>, depth: usize) {
    field(headers, Some(name), value, depth);
}

/// A header, or an element of one.
fn field(headers: &mut Vec<u8>, name: Option<&[u8]>, value: Value<'_>, depth: usize) {
    let mut fixed = |kind: u8, octets: &[u8]| {
        name_and_type(headers, name, kind);
        headers.extend_from_slice(octets);
    };
    match value {
        Value::Null => fixed(b'V', &[]),
        Value::Boolean(value) => fixed(b't', &[value.into()]),
        Value::UByte(value) => fixed(b'B', &[value]),
        Value::UShort(value) => fixed(b'u', &value.to_be_bytes()),
        Value::UInt(value) => fixed(b'i', &value.to_be_bytes()),
        Value::ULong(value) => fixed(b'l', &value.to_be_bytes()),
        Value::Byte(value) => fixed(b'b', &value.to_be_bytes()),
        Value::Short(value) => fixed(b's', &value.to_be_bytes()),
        Value::Int(value) => fixed(b'I', &value.to_be_bytes()),
        Value::Long(value) => fixed(b'l', &value.to_be_bytes()),
        Value::Float(bits) => fixed(b'f', &bits.to_be_bytes()),
        Value::Double(bits) => fixed(b'd', &bits.to_be_bytes()),
        Value::Timestamp(ms) => fixed(b'T', &ms.div_euclid(1000).to_be_bytes()),
        // RabbitMQ ends the connection of whoever meets one of these two.
        Value::Char(code) => {
            let mut octets = [0; 4];
            let text = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            text_field(headers, name, text.encode_utf8(&mut octets).as_bytes());
        }
        Value::Uuid(_) => {
            text_field(headers, name, Text::of(value).as_octets().unwrap_or_default());
        }
        Value::Binary(octets) | Value::Utf8(octets) | Value::Symbol(octets) => {
            text_field(headers, name, octets);
        }
        Value::List(items) | Value::Array(items) if depth < DEPTH_MAX => {
            sized_entry(headers, name, b'A', |headers| {
                items.for_each(|item| field(headers, None, item, depth + 1));
            });
        }
        Value::Map(items) if depth < DEPTH_MAX => {
            sized_entry(headers, name, b'F', |headers| {
                for (name, value) in items.pairs() {
                    if let Some(name) = name.octets().filter(|name| name.len() <= SHORT_MAX) {
                        field(headers, Some(name), value, depth + 1);
                    }
                }
            });
        }
        Value::List(_) | Value::Array(_) | Value::Map(_) | Value::Other => {}
    }
}

fn text_field(headers: &mut Vec<u8>, name: Option<&[u8]>, text: &[u8]) {
    sized_entry(headers, name, b'S', |headers| headers.extend_from_slice(text));
}
