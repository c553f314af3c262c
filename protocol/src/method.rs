//! Methods: the two that every message needs read in place, and the rest through
//! `amq-protocol`.

use amq_protocol::frame::WriteContext;
use amq_protocol::protocol::{AMQPClass, basic, parse_class};
use amq_protocol::types::generation::gen_field_table;

use crate::error::ConnectionError;
pub use crate::method_id::MethodId;
use crate::reader::Reader;
use crate::table;

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

/// Reads basic.nack and basic.reject, for which `amq-protocol` would allocate.
fn read_settlement(id: MethodId, arguments: &[u8]) -> Option<basic::AMQPMethod> {
    let mut reader = Reader(arguments);
    let delivery_tag = reader.longlong()?;
    let &[bits] = reader.0 else { return None };
    let (first, second) = (bits & 1 != 0, bits & 2 != 0);
    match id {
        MethodId::BASIC_NACK => {
            let nack = basic::Nack { delivery_tag, multiple: first, requeue: second };
            Some(basic::AMQPMethod::Nack(nack))
        }
        MethodId::BASIC_REJECT => {
            Some(basic::AMQPMethod::Reject(basic::Reject { delivery_tag, requeue: first }))
        }
        _ => None,
    }
}

/// Reads any method.
///
/// Names in tables that are not UTF-8 become text as [`crate::text`] has it.
///
/// # Errors
/// 501 if the method is unknown, its arguments are cut short, too long, nested too deep, or a
/// short string is not UTF-8.
pub fn read_method(payload: &[u8]) -> Result<AMQPClass, ConnectionError> {
    let Some((id, arguments)) = MethodId::split(payload) else {
        return Err(ConnectionError::cannot_decode(MethodId::NONE, payload));
    };
    let cannot_decode = || ConnectionError::cannot_decode(id, arguments);
    if let Some(method) = read_settlement(id, arguments) {
        return Ok(AMQPClass::Basic(method));
    }
    let table = check_arguments(id, arguments).ok_or_else(cannot_decode)??;
    let as_text = table
        .filter(|table| !table::has_plain_names(table))
        .map(|table| with_names_as_text(payload, table).ok_or_else(cannot_decode));
    let as_text = as_text.transpose()?;
    match parse_class(as_text.as_deref().unwrap_or(payload)) {
        Ok(([], method)) => Ok(method),
        _ => Err(cannot_decode()),
    }
}

/// The method with its field table (which begins at the front of `table`) written anew, names as
/// text, for a parser that knows only UTF-8; `None` if a name has no text.
fn with_names_as_text(payload: &[u8], table: &[u8]) -> Option<Vec<u8>> {
    let rest = table::skip_table(table).ok()?;
    let octets = table.get(..table.len() - rest.len())?;
    let mut written = payload.get(..payload.len() - table.len())?.to_vec();
    let parsed = table::parse_table(octets).ok()?;
    let (parsed, _) = gen_field_table(&parsed)(WriteContext::from(Vec::new())).ok()?.into_inner();
    written.extend(parsed);
    written.extend_from_slice(rest);
    Some(written)
}

/// Whether the arguments may be given to a parser that reads tables recursively, and where the
/// table begins; `None` if they are malformed.
fn check_arguments(
    id: MethodId,
    arguments: &[u8],
) -> Option<Result<Option<&[u8]>, ConnectionError>> {
    let Some((reserved, short_strings)) = id.front() else { return Some(Ok(None)) };
    let mut reader = Reader(arguments);
    reader.take(reserved)?;
    for _ in 0..short_strings {
        if std::str::from_utf8(reader.short_string()?).is_err() {
            return Some(Err(ConnectionError::malformed_utf8()));
        }
    }
    let Some(bits) = id.before_table() else { return Some(Ok(None)) };
    reader.take(bits)?;
    table::skip_table(reader.0).ok()?;
    Some(Ok(Some(reader.0)))
}

/// Arguments of basic.qos: prefetch size and count, and whether they are shared by the channel.
pub fn read_qos(arguments: &[u8]) -> Option<(u32, u16, bool)> {
    let mut reader = Reader(arguments);
    let size = u32::from(reader.short()?) << 16 | u32::from(reader.short()?);
    let count = reader.short()?;
    let &[bits] = reader.0 else { return None };
    Some((size, count, bits & 1 != 0))
}
