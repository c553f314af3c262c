//! Content properties as they travel: flags and a list of values. [amqp 0-9-1 §4.2.6.1]
//!
//! They are carried as the octets that came in; single values are found by walking the list.

use std::ops::Range;

use amq_protocol::protocol::basic::AMQPProperties;
use amq_protocol::types::{FieldTable, ShortString};

use crate::constants::SHORT_STRING_MAX;
use crate::reader::Reader;
use crate::table::{TableError, encode_table, parse_headers, skip_table};
use crate::text;

/// Properties of a message that has none.
pub const NO_PROPERTIES: &[u8] = &[0, 0];

/// Flag bits of the 14 properties; the last two bits of the flags mean nothing.
const KNOWN_FLAGS: u16 = 0xFFFC;
const COUNT: usize = 14;

const CONTENT_TYPE: usize = 0;
const CONTENT_ENCODING: usize = 1;
const HEADERS: usize = 2;
const DELIVERY_MODE: usize = 3;
const PRIORITY: usize = 4;
const CORRELATION_ID: usize = 5;
const REPLY_TO: usize = 6;
const EXPIRATION: usize = 7;
const MESSAGE_ID: usize = 8;
const TIMESTAMP: usize = 9;
const KIND: usize = 10;
const USER_ID: usize = 11;
const APP_ID: usize = 12;
const CLUSTER_ID: usize = 13;

const fn flag(index: usize) -> u16 {
    0x8000 >> index
}

/// The octets do not hold what the flags announce, or more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed content properties")]
pub struct PropertiesError;

impl From<TableError> for PropertiesError {
    fn from(_: TableError) -> Self {
        Self
    }
}

/// What [`RawProperties::with`] does to one property.
#[derive(Clone, Copy, Debug, Default)]
pub enum Change<T> {
    /// Leave it, octet for octet.
    #[default]
    Keep,
    /// Take it out.
    Remove,
    /// Give it this value, whether it was there or not.
    Set(T),
}

/// Changes for [`RawProperties::with`]; by default everything is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'a> {
    /// For `headers`: a table as octets, with its length in front.
    pub headers: Change<&'a [u8]>,
    /// For `delivery_mode`.
    pub delivery_mode: Change<u8>,
    /// For `priority`.
    pub priority: Change<u8>,
    /// For `reply_to`; cut after 255 octets.
    pub reply_to: Change<&'a [u8]>,
    /// For `expiration`; cut after 255 octets.
    pub expiration: Change<&'a [u8]>,
}

/// Property flags and values as on the wire. Nothing is checked until it is asked for; a value that
/// is not there and one that cannot be read are both `None`. See [`RawProperties::validate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawProperties<'a>(pub &'a [u8]);

impl<'a> RawProperties<'a> {
    /// The flags that say which properties are there; 0 if there are not even flags.
    #[inline]
    pub fn flags(self) -> u16 {
        self.0.first_chunk().map_or(0, |octets| u16::from_be_bytes(*octets) & KNOWN_FLAGS)
    }

    #[inline]
    fn has(self, index: usize) -> bool {
        self.flags() & flag(index) != 0
    }

    /// Where the value of a property lies; `None` if it is absent or the list is broken before it.
    #[inline]
    fn locate(self, index: usize) -> Option<Range<usize>> {
        if self.has(index) { self.walk_to(index) } else { None }
    }

    fn walk_to(self, index: usize) -> Option<Range<usize>> {
        let mut left = self.flags();
        let mut reader = Reader(self.0.get(2..)?);
        loop {
            let next = left.leading_zeros() as usize;
            let start = self.0.len() - reader.0.len();
            skip_value(&mut reader, next)?;
            if next == index {
                return Some(start..self.0.len() - reader.0.len());
            }
            left &= !flag(next);
        }
    }

    #[inline]
    fn value(self, index: usize) -> Option<&'a [u8]> {
        self.0.get(self.locate(index)?)
    }

    #[inline]
    fn octet(self, index: usize) -> Option<u8> {
        self.value(index)?.first().copied()
    }

    fn short_string(self, index: usize) -> Option<&'a [u8]> {
        self.value(index)?.get(1..)
    }

    /// `content_type`, any octets.
    pub fn content_type(self) -> Option<&'a [u8]> {
        self.short_string(CONTENT_TYPE)
    }

    /// `content_encoding`, any octets.
    pub fn content_encoding(self) -> Option<&'a [u8]> {
        self.short_string(CONTENT_ENCODING)
    }

    /// `headers`, parsed; this allocates. See [`parse_headers`].
    pub fn headers(self) -> Option<Result<FieldTable, PropertiesError>> {
        if !self.has(HEADERS) {
            return None;
        }
        let table = self.value(HEADERS).ok_or(PropertiesError);
        Some(table.and_then(|table| Ok(parse_headers(table)?)))
    }

    /// `headers` as on the wire: a length and the entries.
    pub fn raw_headers(self) -> Option<&'a [u8]> {
        self.value(HEADERS)
    }

    /// `delivery_mode`: 1 transient, 2 persistent, or whatever the publisher wrote.
    #[inline]
    pub fn delivery_mode(self) -> Option<u8> {
        self.octet(DELIVERY_MODE)
    }

    /// `priority`, 0 to 255.
    pub fn priority(self) -> Option<u8> {
        self.octet(PRIORITY)
    }

    /// `correlation_id`, any octets.
    pub fn correlation_id(self) -> Option<&'a [u8]> {
        self.short_string(CORRELATION_ID)
    }

    /// `reply_to`, any octets.
    pub fn reply_to(self) -> Option<&'a [u8]> {
        self.short_string(REPLY_TO)
    }

    /// `expiration`: milliseconds in digits, if the publisher follows RabbitMQ's rules.
    pub fn expiration(self) -> Option<&'a [u8]> {
        self.short_string(EXPIRATION)
    }

    /// `message_id`, any octets.
    pub fn message_id(self) -> Option<&'a [u8]> {
        self.short_string(MESSAGE_ID)
    }

    /// `timestamp`, seconds since 1970.
    pub fn timestamp(self) -> Option<u64> {
        Reader(self.value(TIMESTAMP)?).longlong()
    }

    /// `type`, any octets.
    pub fn kind(self) -> Option<&'a [u8]> {
        self.short_string(KIND)
    }

    /// `user_id`, any octets.
    pub fn user_id(self) -> Option<&'a [u8]> {
        self.short_string(USER_ID)
    }

    /// `app_id`, any octets.
    pub fn app_id(self) -> Option<&'a [u8]> {
        self.short_string(APP_ID)
    }

    /// Whether all values lie within the octets, nothing follows them, and the headers are a sound
    /// table.
    ///
    /// # Errors
    /// [`PropertiesError`] if not.
    #[inline]
    pub fn validate(self) -> Result<(), PropertiesError> {
        let mut reader = Reader(self.0);
        let mut left = reader.short().ok_or(PropertiesError)? & KNOWN_FLAGS;
        while left != 0 {
            let next = left.leading_zeros() as usize;
            skip_value(&mut reader, next).ok_or(PropertiesError)?;
            left &= !flag(next);
        }
        if reader.is_empty() { Ok(()) } else { Err(PropertiesError) }
    }

    /// The properties with some of them changed; all others stay octet for octet.
    ///
    /// # Errors
    /// [`PropertiesError`] if these are not valid.
    pub fn with(self, changes: &Changes<'_>) -> Result<Vec<u8>, PropertiesError> {
        self.validate()?;
        let mut out = Vec::with_capacity(self.0.len());
        out.extend_from_slice(NO_PROPERTIES);
        let mut flags = 0;
        for index in 0..COUNT {
            let start = out.len();
            let kept = match index {
                HEADERS => {
                    change(&mut out, &changes.headers, |out, table| out.extend_from_slice(table))
                }
                DELIVERY_MODE => change(&mut out, &changes.delivery_mode, |o, v| o.push(*v)),
                PRIORITY => change(&mut out, &changes.priority, |out, value| out.push(*value)),
                REPLY_TO => change(&mut out, &changes.reply_to, |o, v| push_short_string(o, v)),
                EXPIRATION => change(&mut out, &changes.expiration, |o, v| push_short_string(o, v)),
                _ => true,
            };
            if kept {
                out.extend_from_slice(self.value(index).unwrap_or_default());
            }
            if out.len() > start {
                flags |= flag(index);
            }
        }
        if let Some(front) = out.first_chunk_mut() {
            *front = u16::to_be_bytes(flags);
        }
        Ok(out)
    }

    /// All properties, parsed. What is not UTF-8 becomes text as [`crate::text`] has it; the rare
    /// short string that would be too long then is cut.
    ///
    /// # Errors
    /// [`PropertiesError`] if they are not valid.
    pub fn parse(self) -> Result<AMQPProperties, PropertiesError> {
        self.validate()?;
        let mut parsed = AMQPProperties::default();
        let mut left = self.flags();
        while left != 0 {
            let index = left.leading_zeros() as usize;
            let text = || text::short_string_lossy(self.short_string(index).unwrap_or_default());
            let octet = self.octet(index).unwrap_or_default();
            parsed = match index {
                CONTENT_TYPE => parsed.with_content_type(text()),
                CONTENT_ENCODING => parsed.with_content_encoding(text()),
                HEADERS => parsed.with_headers(self.headers().transpose()?.unwrap_or_default()),
                DELIVERY_MODE => parsed.with_delivery_mode(octet),
                PRIORITY => parsed.with_priority(octet),
                CORRELATION_ID => parsed.with_correlation_id(text()),
                REPLY_TO => parsed.with_reply_to(text()),
                EXPIRATION => parsed.with_expiration(text()),
                MESSAGE_ID => parsed.with_message_id(text()),
                TIMESTAMP => parsed.with_timestamp(self.timestamp().unwrap_or_default()),
                KIND => parsed.with_type(text()),
                USER_ID => parsed.with_user_id(text()),
                APP_ID => parsed.with_app_id(text()),
                CLUSTER_ID => parsed.with_cluster_id(text()),
                _ => parsed,
            };
            left &= !flag(index);
        }
        Ok(parsed)
    }
}

/// Properties that are put together from octets. Short strings are cut to the 255 octets that AMQP
/// allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct PropertyList<'a> {
    /// `content_type`.
    pub content_type: Option<&'a [u8]>,
    /// `content_encoding`.
    pub content_encoding: Option<&'a [u8]>,
    /// `headers`: a length and the entries, as [`TableWriter`](crate::table::TableWriter) makes
    /// them.
    pub headers: Option<&'a [u8]>,
    /// `delivery_mode`.
    pub delivery_mode: Option<u8>,
    /// `priority`.
    pub priority: Option<u8>,
    /// `correlation_id`.
    pub correlation_id: Option<&'a [u8]>,
    /// `reply_to`.
    pub reply_to: Option<&'a [u8]>,
    /// `expiration`.
    pub expiration: Option<&'a [u8]>,
    /// `message_id`.
    pub message_id: Option<&'a [u8]>,
    /// `timestamp`, seconds since 1970.
    pub timestamp: Option<u64>,
    /// `type`.
    pub kind: Option<&'a [u8]>,
    /// `user_id`.
    pub user_id: Option<&'a [u8]>,
    /// `app_id`.
    pub app_id: Option<&'a [u8]>,
}

impl PropertyList<'_> {
    /// Appends flags and values to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(NO_PROPERTIES);
        let mut flags = 0;
        for index in 0..COUNT {
            let start = out.len();
            let mut text = |value: Option<&[u8]>| {
                value.into_iter().for_each(|value| push_short_string(out, value));
            };
            match index {
                CONTENT_TYPE => text(self.content_type),
                CONTENT_ENCODING => text(self.content_encoding),
                HEADERS => out.extend_from_slice(self.headers.unwrap_or_default()),
                DELIVERY_MODE => out.extend(self.delivery_mode),
                PRIORITY => out.extend(self.priority),
                CORRELATION_ID => text(self.correlation_id),
                REPLY_TO => text(self.reply_to),
                EXPIRATION => text(self.expiration),
                MESSAGE_ID => text(self.message_id),
                TIMESTAMP => out.extend(self.timestamp.into_iter().flat_map(u64::to_be_bytes)),
                KIND => text(self.kind),
                USER_ID => text(self.user_id),
                APP_ID => text(self.app_id),
                _ => {}
            }
            if out.len() > start {
                flags |= flag(index);
            }
        }
        if let Some(front) = out.get_mut(begin..begin + 2) {
            front.copy_from_slice(&u16::to_be_bytes(flags));
        }
    }
}

/// Properties as octets.
pub fn encode_properties(properties: &AMQPProperties) -> Vec<u8> {
    let mut out = NO_PROPERTIES.to_vec();
    let mut flags = 0;
    for index in 0..COUNT {
        let start = out.len();
        let mut push = |value: &Option<ShortString>| {
            if let Some(value) = value {
                push_short_string(&mut out, &text::to_octets(value.as_str()));
            }
        };
        match index {
            CONTENT_TYPE => push(properties.content_type()),
            CONTENT_ENCODING => push(properties.content_encoding()),
            HEADERS => out.extend(properties.headers().iter().flat_map(encode_table)),
            DELIVERY_MODE => out.extend(*properties.delivery_mode()),
            PRIORITY => out.extend(*properties.priority()),
            CORRELATION_ID => push(properties.correlation_id()),
            REPLY_TO => push(properties.reply_to()),
            EXPIRATION => push(properties.expiration()),
            MESSAGE_ID => push(properties.message_id()),
            TIMESTAMP => out.extend(properties.timestamp().iter().flat_map(|s| s.to_be_bytes())),
            KIND => push(properties.kind()),
            USER_ID => push(properties.user_id()),
            APP_ID => push(properties.app_id()),
            _ => push(properties.cluster_id()),
        }
        if out.len() > start {
            flags |= flag(index);
        }
    }
    if let Some(front) = out.first_chunk_mut() {
        *front = u16::to_be_bytes(flags);
    }
    out
}

/// Walks over the value of a property.
#[inline]
fn skip_value(reader: &mut Reader<'_>, index: usize) -> Option<()> {
    match index {
        HEADERS => reader.0 = skip_table(reader.0).ok()?,
        DELIVERY_MODE | PRIORITY => reader.0 = reader.0.get(1..)?,
        TIMESTAMP => reader.0 = reader.0.get(8..)?,
        _ => {
            reader.short_string()?;
        }
    }
    Some(())
}

/// Writes the new value if there is one; returns whether the old one is to be kept.
fn change<T>(out: &mut Vec<u8>, change: &Change<T>, write: impl Fn(&mut Vec<u8>, &T)) -> bool {
    match change {
        Change::Keep => return true,
        Change::Remove => {}
        Change::Set(value) => write(out, value),
    }
    false
}

fn push_short_string(out: &mut Vec<u8>, value: &[u8]) {
    let value = value.get(..SHORT_STRING_MAX).unwrap_or(value);
    out.push(value.len() as u8);
    out.extend_from_slice(value);
}
