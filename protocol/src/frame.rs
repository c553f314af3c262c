//! The frame: type, channel, size, payload, end octet. [amqp 0-9-1 §4.2.3]

use crate::constants::FRAME_HEADER_OCTETS;

/// The seven octets that a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Frame type; not checked.
    pub kind: u8,
    /// Channel number.
    pub channel: u16,
    /// Octets of payload, as claimed by the peer.
    pub size: u32,
}

impl FrameHeader {
    /// Reads the header at the front of `input`; `None` if it is not complete.
    #[inline]
    pub fn read(input: &[u8]) -> Option<Self> {
        let &[kind, c1, c0, s3, s2, s1, s0] = input.first_chunk::<FRAME_HEADER_OCTETS>()?;
        Some(Self {
            kind,
            channel: u16::from_be_bytes([c1, c0]),
            size: u32::from_be_bytes([s3, s2, s1, s0]),
        })
    }

    /// The header as octets.
    #[inline]
    pub fn to_octets(self) -> [u8; FRAME_HEADER_OCTETS] {
        let [c1, c0] = self.channel.to_be_bytes();
        let [s3, s2, s1, s0] = self.size.to_be_bytes();
        [self.kind, c1, c0, s3, s2, s1, s0]
    }
}

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Frame type; not checked.
    pub kind: u8,
    /// Channel number.
    pub channel: u16,
    /// What lies between header and end octet.
    pub payload: &'a [u8],
}
