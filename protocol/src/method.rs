//! Methods: their ids, the two that every message needs read in place, and the rest through
//! `amq-protocol`.

use amq_protocol::protocol::{AMQPClass, parse_class};

use crate::error::ConnectionError;
use crate::reader::Reader;
use crate::table;

/// Class and method id of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodId {
    /// Class id, such as 60 for basic.
    pub class_id: u16,
    /// Method id within the class.
    pub method_id: u16,
}

impl MethodId {
    /// No method at all: 0 and 0.
    pub const NONE: Self = Self::new(0, 0);
    /// basic.publish
    pub const BASIC_PUBLISH: Self = Self::new(60, 40);
    /// basic.ack
    pub const BASIC_ACK: Self = Self::new(60, 80);
    /// channel.open
    pub const CHANNEL_OPEN: Self = Self::new(20, 10);
    /// channel.close
    pub const CHANNEL_CLOSE: Self = Self::new(20, 40);
    /// channel.close-ok
    pub const CHANNEL_CLOSE_OK: Self = Self::new(20, 41);
    /// connection.close
    pub const CONNECTION_CLOSE: Self = Self::new(10, 50);
    /// connection.close-ok
    pub const CONNECTION_CLOSE_OK: Self = Self::new(10, 51);

    /// An id from its two numbers.
    pub const fn new(class_id: u16, method_id: u16) -> Self {
        Self { class_id, method_id }
    }

    /// Id of a method.
    pub fn of(method: &AMQPClass) -> Self {
        Self::new(method.get_amqp_class_id(), method.get_amqp_method_id())
    }

    /// Splits a method frame's payload into id and arguments; `None` if it is too short.
    #[inline]
    pub fn split(payload: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader(payload);
        let id = Self::new(reader.short()?, reader.short()?);
        Some((id, reader.0))
    }

    /// Whether a client may send the method on an open channel.
    pub const fn is_from_client(self) -> bool {
        matches!(
            (self.class_id, self.method_id),
            (20, 10 | 20 | 40)
                | (30, 10)
                | (40, 10 | 20 | 30 | 40)
                | (50, 10 | 20 | 30 | 40 | 50)
                | (60, 10 | 20 | 30 | 40 | 70 | 80 | 90 | 100 | 110 | 120)
                | (85, 10)
                | (90, 10 | 20 | 30)
        )
    }

    /// Octets that come before the method's field table: fixed ones, short strings, fixed ones.
    const fn before_table(self) -> Option<(usize, usize, usize)> {
        match (self.class_id, self.method_id) {
            (10, 11) => Some((0, 0, 0)),
            (40, 10) | (60, 20) => Some((2, 2, 1)),
            (40, 30 | 40) | (50, 20) => Some((2, 3, 1)),
            (50, 10) => Some((2, 1, 1)),
            (50, 50) => Some((2, 3, 0)),
            _ => None,
        }
    }
}

/// Arguments of basic.publish, in place. [amqp 0-9-1 basic.publish]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishMethod<'a> {
    /// Exchange name, at most 255 octets, any octets.
    pub exchange: &'a [u8],
    /// Routing key, at most 255 octets, any octets.
    pub routing_key: &'a [u8],
    /// To be returned if no queue gets it.
    pub mandatory: bool,
    /// To be returned if no consumer gets it at once.
    pub immediate: bool,
}

impl<'a> PublishMethod<'a> {
    /// Reads the arguments; all of `arguments` must be used.
    #[inline]
    pub fn read(arguments: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(arguments);
        reader.short()?;
        let exchange = reader.short_string()?;
        let routing_key = reader.short_string()?;
        let &[bits] = reader.0 else { return None };
        let (mandatory, immediate) = (bits & 1 != 0, bits & 2 != 0);
        Some(Self { exchange, routing_key, mandatory, immediate })
    }
}

/// Arguments of basic.ack: delivery tag and `multiple`. [amqp 0-9-1 basic.ack]
#[inline]
pub(crate) fn read_ack(arguments: &[u8]) -> Option<(u64, bool)> {
    let mut reader = Reader(arguments);
    let delivery_tag = reader.longlong()?;
    let &[bits] = reader.0 else { return None };
    Some((delivery_tag, bits & 1 != 0))
}

/// Reads any method.
///
/// # Errors
/// 501 if the method is unknown, its arguments are cut short, too long, nested too deep, or a
/// short string is not UTF-8.
pub fn read_method(payload: &[u8]) -> Result<AMQPClass, ConnectionError> {
    let Some((id, arguments)) = MethodId::split(payload) else {
        return Err(ConnectionError::cannot_decode(MethodId::NONE, payload));
    };
    if table_is_sound(id, arguments) == Some(true)
        && let Ok(([], method)) = parse_class(payload)
    {
        return Ok(method);
    }
    Err(ConnectionError::cannot_decode(id, arguments))
}

/// Whether the method's field table, if it has one, may be given to a recursive parser.
fn table_is_sound(id: MethodId, arguments: &[u8]) -> Option<bool> {
    let Some((front, short_strings, bits)) = id.before_table() else { return Some(true) };
    let mut reader = Reader(arguments);
    reader.take(front)?;
    for _ in 0..short_strings {
        reader.short_string()?;
    }
    reader.take(bits)?;
    Some(table::skip_table(reader.0).is_ok())
}
