//! AMQP 0-9-1 frames for the load command: read in place, written into big buffers.
//!
//! A load generator must cost far less than the broker it measures, so nothing here allocates
//! per frame: [`ReadBuffer`] hands out frames that borrow its bytes, and the writers append to
//! a `Vec<u8>` that is encoded once and sent many times. The file depends on nothing else of the
//! crate, so that a bench can include it too. \[amqp 0-9-1 4.2.3\]

use std::io::{self, Read};

/// Frame type of a method. \[amqp 0-9-1 frame-method\]
pub(crate) const FRAME_METHOD: u8 = 1;
/// Frame type of a content header. \[amqp 0-9-1 frame-header\]
pub(crate) const FRAME_HEADER: u8 = 2;
/// Frame type of a content body. \[amqp 0-9-1 frame-body\]
pub(crate) const FRAME_BODY: u8 = 3;
/// Octet that ends every frame. \[amqp 0-9-1 frame-end\]
pub(crate) const FRAME_END: u8 = 0xCE;
/// Bytes of a frame besides its payload: type, channel, length and end octet.
pub(crate) const FRAME_OVERHEAD_BYTES: usize = 8;
/// What a client sends first. \[amqp 0-9-1 4.2.2\]
pub(crate) const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
/// Capacity of a [`ReadBuffer`]; also the largest frame that can be read, in bytes.
pub(crate) const READ_BUFFER_BYTES: usize = 256 * 1024;

/// Class and method number of a method.
pub(crate) type MethodId = (u16, u16);

/// The numbers of the methods that are read or written. \[amqp 0-9-1 class reference\]
pub(crate) mod method {
    use super::MethodId;

    pub(crate) const CONNECTION_START: MethodId = (10, 10);
    pub(crate) const CONNECTION_START_OK: MethodId = (10, 11);
    pub(crate) const CONNECTION_TUNE: MethodId = (10, 30);
    pub(crate) const CONNECTION_TUNE_OK: MethodId = (10, 31);
    pub(crate) const CONNECTION_OPEN: MethodId = (10, 40);
    pub(crate) const CONNECTION_OPEN_OK: MethodId = (10, 41);
    pub(crate) const CONNECTION_CLOSE: MethodId = (10, 50);
    pub(crate) const CONNECTION_CLOSE_OK: MethodId = (10, 51);
    pub(crate) const CHANNEL_OPEN: MethodId = (20, 10);
    pub(crate) const CHANNEL_OPEN_OK: MethodId = (20, 11);
    pub(crate) const CHANNEL_CLOSE: MethodId = (20, 40);
    pub(crate) const EXCHANGE_DECLARE: MethodId = (40, 10);
    pub(crate) const EXCHANGE_DECLARE_OK: MethodId = (40, 11);
    pub(crate) const EXCHANGE_DELETE: MethodId = (40, 20);
    pub(crate) const EXCHANGE_DELETE_OK: MethodId = (40, 21);
    pub(crate) const QUEUE_DECLARE: MethodId = (50, 10);
    pub(crate) const QUEUE_DECLARE_OK: MethodId = (50, 11);
    pub(crate) const QUEUE_BIND: MethodId = (50, 20);
    pub(crate) const QUEUE_BIND_OK: MethodId = (50, 21);
    pub(crate) const QUEUE_DELETE: MethodId = (50, 40);
    pub(crate) const QUEUE_DELETE_OK: MethodId = (50, 41);
    pub(crate) const BASIC_QOS: MethodId = (60, 10);
    pub(crate) const BASIC_QOS_OK: MethodId = (60, 11);
    pub(crate) const BASIC_CONSUME: MethodId = (60, 20);
    pub(crate) const BASIC_CONSUME_OK: MethodId = (60, 21);
    pub(crate) const BASIC_CANCEL: MethodId = (60, 30);
    pub(crate) const BASIC_PUBLISH: MethodId = (60, 40);
    pub(crate) const BASIC_RETURN: MethodId = (60, 50);
    pub(crate) const BASIC_DELIVER: MethodId = (60, 60);
    pub(crate) const BASIC_ACK: MethodId = (60, 80);
    pub(crate) const BASIC_NACK: MethodId = (60, 120);
    pub(crate) const CONFIRM_SELECT: MethodId = (85, 10);
    pub(crate) const CONFIRM_SELECT_OK: MethodId = (85, 11);
}

/// Heartbeats have the greatest frame type. \[amqp 0-9-1 frame-heartbeat\]
const FRAME_TYPE_MAX: u8 = 8;

/// Bytes that are no AMQP 0-9-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// A frame ends in something else than the frame-end octet.
    #[error("a frame ends in octet {0:#04x} instead of 0xce")]
    FrameEnd(u8),
    /// What should be a frame begins as none does: with these octets.
    #[error("it does not speak AMQP 0-9-1 there, but says {:?}", String::from_utf8_lossy(.0))]
    Foreign([u8; 4]),
    /// A frame's payload is larger than the read buffer.
    #[error("a frame announces {0} bytes of payload, more than the read buffer holds")]
    FrameTooLarge(usize),
    /// A method or content header is shorter than its fields.
    #[error("a method or content header is shorter than its fields")]
    Truncated,
}

/// One frame, borrowed from the buffer it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Frame type, one of the `FRAME_` constants.
    pub kind: u8,
    /// Channel number, 0 for the connection itself.
    pub channel: u16,
    /// Payload without header and end octet.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The method's number and its arguments, or `None` when this is no method frame.
    pub(crate) fn method(&self) -> Option<(MethodId, Fields<'a>)> {
        if self.kind != FRAME_METHOD {
            return None;
        }
        let ([class_high, class_low, method_high, method_low], arguments) =
            self.payload.split_first_chunk()?;
        let id = (
            u16::from_be_bytes([*class_high, *class_low]),
            u16::from_be_bytes([*method_high, *method_low]),
        );
        Some((id, Fields(arguments)))
    }
}

/// Splits the first frame off `bytes`; `None` while it is not complete.
pub(crate) fn split_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, WireError> {
    let Some((header, rest)) = bytes.split_first_chunk::<7>() else { return Ok(None) };
    let [kind, channel_high, channel_low, length @ ..] = *header;
    let length = u32::from_be_bytes(length) as usize;
    if length > READ_BUFFER_BYTES - FRAME_OVERHEAD_BYTES {
        if kind > FRAME_TYPE_MAX {
            return Err(WireError::Foreign([kind, channel_high, channel_low, header[3]]));
        }
        return Err(WireError::FrameTooLarge(length));
    }
    let Some((payload, tail)) = rest.split_at_checked(length) else { return Ok(None) };
    match tail.first() {
        Some(&FRAME_END) => {
            let channel = u16::from_be_bytes([channel_high, channel_low]);
            Ok(Some(Frame { kind, channel, payload }))
        }
        Some(&other) => Err(WireError::FrameEnd(other)),
        None => Ok(None),
    }
}

/// A buffer that is filled from a socket in big reads and walked frame by frame.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self { bytes: vec![0; READ_BUFFER_BYTES], start: 0, end: 0 }
    }
}

impl ReadBuffer {
    /// Reads once from `source` behind the bytes that are still unread.
    ///
    /// Returns the number of bytes, 0 at the end of the stream.
    pub(crate) fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let free = self.bytes.get_mut(self.end..).unwrap_or_default();
        let count = source.read(free)?;
        self.end += count;
        Ok(count)
    }

    /// Takes the next complete frame; `None` when more must be read first.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, WireError> {
        let unread = self.bytes.get(self.start..self.end).unwrap_or_default();
        let frame = split_frame(unread)?;
        if let Some(frame) = &frame {
            self.start += frame.payload.len() + FRAME_OVERHEAD_BYTES;
        }
        Ok(frame)
    }
}

/// Reads the fields of a method or content header one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (chunk, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(*chunk)
    }

    /// Reads an octet.
    pub(crate) fn octet(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.take()?))
    }

    /// Reads a short integer.
    pub(crate) fn short(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    /// Reads a long integer.
    pub(crate) fn long(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    /// Reads a long long integer.
    pub(crate) fn long_long(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    /// Reads a short string.
    pub(crate) fn short_string(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::from(self.octet()?);
        let (text, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(text)
    }
}

/// Appends a method frame whose arguments `arguments` appends.
pub(crate) fn put_method(
    out: &mut Vec<u8>,
    channel: u16,
    (class, method): MethodId,
    arguments: impl FnOnce(&mut Vec<u8>),
) {
    put_frame(out, FRAME_METHOD, channel, |out| {
        out.extend_from_slice(&class.to_be_bytes());
        out.extend_from_slice(&method.to_be_bytes());
        arguments(out);
    });
}

/// Appends a content header of class basic; `properties` are the flags and the list, encoded.
pub(crate) fn put_content_header(
    out: &mut Vec<u8>,
    channel: u16,
    body_size: u64,
    properties: &[u8],
) {
    put_frame(out, FRAME_HEADER, channel, |out| {
        out.extend_from_slice(&[0, 60, 0, 0]);
        out.extend_from_slice(&body_size.to_be_bytes());
        out.extend_from_slice(properties);
    });
}

/// Appends a frame whose payload `payload` appends.
pub(crate) fn put_frame(
    out: &mut Vec<u8>,
    kind: u8,
    channel: u16,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    put_long_prefixed(out, payload);
    out.push(FRAME_END);
}

/// Appends a short string; what is beyond 255 bytes is cut off.
pub(crate) fn put_short_string(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.push(length);
    out.extend(text.bytes().take(usize::from(length)));
}

/// Appends a long string.
pub(crate) fn put_long_string(out: &mut Vec<u8>, text: &[u8]) {
    put_long_prefixed(out, |out| out.extend_from_slice(text));
}

/// Appends a value of a field table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TableValue {
    /// A boolean, type `t`.
    Boolean(bool),
    /// A signed 64-bit integer, type `l`.
    Integer(i64),
    /// A long string, type `S`.
    Text(String),
    /// A nested table, type `F`.
    Table(Table),
}

/// A field table in the order of its fields.
pub(crate) type Table = Vec<(String, TableValue)>;

/// Appends a field table. \[amqp 0-9-1 4.2.5.5, with RabbitMQ's types\]
pub(crate) fn put_table(out: &mut Vec<u8>, table: &[(String, TableValue)]) {
    put_long_prefixed(out, |out| {
        for (name, value) in table {
            put_short_string(out, name);
            match value {
                TableValue::Boolean(value) => out.extend_from_slice(&[b't', u8::from(*value)]),
                TableValue::Integer(value) => {
                    out.push(b'l');
                    out.extend_from_slice(&value.to_be_bytes());
                }
                TableValue::Text(value) => {
                    out.push(b'S');
                    put_long_string(out, value.as_bytes());
                }
                TableValue::Table(value) => {
                    out.push(b'F');
                    put_table(out, value);
                }
            }
        }
    });
}

/// Appends a 32-bit length and then what `content` appends.
fn put_long_prefixed(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    content(out);
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(prefix) = out.get_mut(at..at + 4) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
}
