//! Content: its header, and a message that is being put together. [amqp 0-9-1 §4.2.6]

use bytes::Bytes;

use crate::error::ConnectionError;
use crate::method::PublishMethod;
use crate::properties::RawProperties;
use crate::reader::Reader;

/// Capacity, in octets, that a buffer keeps for the next message.
const KEPT_CAPACITY: usize = 1024;

/// Payload of a content header frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// Class that the content belongs to; 60 in all that is sound.
    pub class_id: u16,
    /// Always 0 in all that is sound.
    pub weight: u16,
    /// Octets of the body.
    pub body_size: u64,
    /// Property flags and values.
    pub properties: &'a [u8],
}

impl<'a> ContentHeader<'a> {
    /// Reads a header frame's payload; `None` if it is too short. Properties are not looked at.
    #[inline]
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let (class_id, weight) = (reader.short()?, reader.short()?);
        let body_size = reader.longlong()?;
        Some(Self { class_id, weight, body_size, properties: reader.0 })
    }

    /// Refuses properties that cannot be read.
    ///
    /// # Errors
    /// 541, as RabbitMQ has it, if a value reaches beyond the frame or something follows the last.
    pub(crate) fn validate(&self) -> Result<(), ConnectionError> {
        RawProperties(self.properties).validate().map_err(|_| ConnectionError::internal())
    }
}

/// Makes room in what is put together for octets that have come, and for as many of those that are
/// yet to come as are there already, but for none that will not come.
pub(crate) fn make_room(buffer: &mut Vec<u8>, octets: usize, left: u64) {
    if buffer.capacity() - buffer.len() < octets {
        let more = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        buffer.reserve_exact(octets.saturating_add(more));
    }
}

/// A basic.publish whose content is still arriving. Its buffers grow with what arrives, never with
/// what is announced.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Exchange name, then routing key.
    names: Vec<u8>,
    exchange_octets: usize,
    pub(crate) mandatory: bool,
    pub(crate) immediate: bool,
    pub(crate) properties: Vec<u8>,
    body: Vec<u8>,
    /// Octets of the body that are yet to come.
    pub(crate) left: u64,
}

impl Content {
    pub(crate) fn begin(&mut self, method: &PublishMethod<'_>) {
        self.names.clear();
        self.names.extend_from_slice(method.exchange);
        self.names.extend_from_slice(method.routing_key);
        self.exchange_octets = method.exchange.len();
        self.mandatory = method.mandatory;
        self.immediate = method.immediate;
    }

    pub(crate) fn header(&mut self, header: &ContentHeader<'_>) {
        self.properties.clear();
        self.properties.extend_from_slice(header.properties);
        self.left = header.body_size;
    }

    /// Takes a piece of the body; false if it is more than was announced.
    pub(crate) fn body(&mut self, piece: &[u8], keep: bool) -> bool {
        let Some(left) = self.left.checked_sub(piece.len() as u64) else { return false };
        self.left = left;
        if keep {
            make_room(&mut self.body, piece.len(), self.left);
            self.body.extend_from_slice(piece);
        }
        true
    }

    /// Octets of memory that it takes.
    pub(crate) fn octets(&self) -> usize {
        size_of::<Self>()
            + self.names.capacity()
            + self.properties.capacity()
            + self.body.capacity()
    }

    pub(crate) fn names(&self) -> (&[u8], &[u8]) {
        self.names.split_at_checked(self.exchange_octets).unwrap_or_default()
    }

    /// The body, without spare capacity as it may be kept for long.
    pub(crate) fn take_body(&mut self) -> Bytes {
        let mut body = std::mem::take(&mut self.body);
        body.shrink_to_fit();
        Bytes::from(body)
    }

    /// Ready for the next message.
    pub(crate) fn recycle(&mut self) {
        self.body = Vec::new();
        self.names.clear();
        self.properties.clear();
        self.properties.shrink_to(KEPT_CAPACITY);
    }
}
