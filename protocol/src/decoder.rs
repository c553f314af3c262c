//! Cuts input into frames, wherever the network happened to cut it.

use std::ops::RangeInclusive;

use crate::constants::{
    FRAME_BODY, FRAME_END, FRAME_HEADER_OCTETS, FRAME_MAX_BEFORE_TUNE, FRAME_OVERHEAD,
};
use crate::content::{ContentHeader, make_room};
use crate::frame::{Frame, FrameHeader};
use crate::method::PublishMethod;
use crate::properties::RawProperties;

/// Capacity, in octets, that the carry buffer of an idle connection keeps.
const KEPT_CAPACITY: usize = 4 * 1024;
/// First octets of a body frame that are kept for an error's text: one more than it shows.
const SNIPPET_OCTETS: usize = 17;

/// What the decoder found in its input.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole frame.
    Frame(Frame<'a>),
    /// Some octets of a body frame that is not all there yet.
    BodyPart {
        /// The frame's channel.
        channel: u16,
        /// The next octets of its payload, never empty.
        octets: &'a [u8],
    },
    /// The end of a body frame that came in parts.
    BodyEnd {
        /// The frame's channel.
        channel: u16,
    },
    /// A frame that does not end with [`FRAME_END`]; decoding goes on after it.
    BadEnd {
        /// The frame; of one that came in parts only the first octets.
        frame: Frame<'a>,
        /// What was in the place of the end octet.
        end: u8,
    },
    /// A frame whose payload is larger than allowed; decoding goes on after it.
    TooLarge(FrameHeader),
}

/// A body frame of which only a part has arrived.
#[derive(Debug)]
struct Partial {
    channel: u16,
    left: usize,
    first: [u8; SNIPPET_OCTETS],
    first_octets: usize,
}

/// Where in the input the decoder is. Keeps at most one incomplete frame that is not a body.
#[derive(Debug)]
pub struct Decoder {
    /// The front of a frame.
    carry: Vec<u8>,
    /// Whether `carry` was handed out and can be emptied.
    carry_used: bool,
    partial: Option<Partial>,
    /// Octets to be ignored.
    skip: u64,
    payload_max: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a frame.
    pub fn new() -> Self {
        Self {
            carry: Vec::new(),
            carry_used: false,
            partial: None,
            skip: 0,
            payload_max: FRAME_MAX_BEFORE_TUNE,
        }
    }

    /// Sets the largest payload. RabbitMQ forgives clients that forget to count the eight octets
    /// around it, so this is `frame_max` itself. [rabbitmq reader]
    pub fn set_frame_max(&mut self, frame_max: u32) {
        self.payload_max = frame_max;
    }

    /// Largest payload, in octets.
    #[inline]
    pub fn payload_max(&self) -> u32 {
        self.payload_max
    }

    /// Whether the next octet of input is the first of a frame.
    #[inline]
    pub fn is_at_frame(&self) -> bool {
        (self.carry.is_empty() || self.carry_used) && self.partial.is_none() && self.skip == 0
    }

    /// Octets of memory that it takes for a frame of which a part has come.
    pub fn kept_octets(&self) -> usize {
        self.carry.capacity()
    }

    /// Forgets what was handed out last.
    #[inline]
    pub(crate) fn forget_used(&mut self) {
        if self.carry_used {
            self.drop_carry();
        }
    }

    /// Takes octets from the front of `input`; returns how many, and what they brought. With
    /// nothing brought, all of `input` was taken. Body frames for which `streams` is true come in
    /// parts if they are not whole; other frames are kept until they are.
    pub fn next<'a>(
        &'a mut self,
        input: &'a [u8],
        streams: impl Fn(&FrameHeader) -> bool,
    ) -> (usize, Option<Piece<'a>>) {
        self.forget_used();
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(input.len());
        self.skip -= skipped as u64;
        let input = input.get(skipped..).unwrap_or_default();
        if input.is_empty() {
            return (skipped, None);
        }
        let (used, piece) = if self.partial.is_some() {
            self.next_part(input)
        } else {
            self.next_frame(input, streams)
        };
        (skipped + used, piece)
    }

    fn drop_carry(&mut self) {
        self.carry.clear();
        self.carry.shrink_to(KEPT_CAPACITY);
        self.carry_used = false;
    }

    fn next_frame<'a>(
        &'a mut self,
        input: &'a [u8],
        streams: impl Fn(&FrameHeader) -> bool,
    ) -> (usize, Option<Piece<'a>>) {
        let mut used = 0;
        if !self.carry.is_empty() {
            used += self.fill_carry(FRAME_HEADER_OCTETS, input);
        }
        let kept = self.carry.len();
        let rest = input.get(used..).unwrap_or_default();
        let front = if kept == 0 { rest } else { &self.carry };
        let Some(header) = FrameHeader::read(front) else {
            self.carry.extend_from_slice(rest);
            return (input.len(), None);
        };
        if header.size > self.payload_max {
            // Of the frame, at most its header is in the carry buffer.
            self.skip = u64::from(header.size) + 1;
            self.carry_used = kept > 0;
            let of_header = if kept == 0 { FRAME_HEADER_OCTETS } else { 0 };
            return (used + of_header, Some(Piece::TooLarge(header)));
        }
        let octets = header.size as usize + FRAME_OVERHEAD;
        if kept == 0
            && let Some(frame) = input.get(..octets)
        {
            return (octets, Some(whole(header, frame)));
        }
        if header.kind == FRAME_BODY && kept <= FRAME_HEADER_OCTETS && streams(&header) {
            self.begin_part(header);
            let of_header = if kept == 0 { FRAME_HEADER_OCTETS } else { 0 };
            used += of_header;
            let (more, piece) = self.next_part(input.get(used..).unwrap_or_default());
            return (used + more, piece);
        }
        used += self.fill_carry(octets, input.get(used..).unwrap_or_default());
        if self.carry.len() < octets {
            return (used, None);
        }
        self.carry_used = true;
        (used, Some(whole(header, &self.carry)))
    }

    /// Moves input to the carry buffer until that has `octets`; returns how many were moved.
    fn fill_carry(&mut self, octets: usize, input: &[u8]) -> usize {
        let missing = octets.saturating_sub(self.carry.len()).min(input.len());
        let left = octets.saturating_sub(self.carry.len() + missing);
        make_room(&mut self.carry, missing, left as u64);
        self.carry.extend_from_slice(input.get(..missing).unwrap_or_default());
        missing
    }

    fn begin_part(&mut self, header: FrameHeader) {
        self.drop_carry();
        self.partial = Some(Partial {
            channel: header.channel,
            left: header.size as usize,
            first: [0; SNIPPET_OCTETS],
            first_octets: 0,
        });
    }

    fn next_part<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Piece<'a>>) {
        let (Some(partial), Some(&end)) = (&mut self.partial, input.first()) else {
            return (0, None);
        };
        let channel = partial.channel;
        if partial.left > 0 {
            let octets = input.get(..partial.left.min(input.len())).unwrap_or_default();
            let free = partial.first.get_mut(partial.first_octets..).unwrap_or_default();
            let seen = free.len().min(octets.len());
            for (to, from) in free.iter_mut().zip(octets) {
                *to = *from;
            }
            partial.first_octets += seen;
            partial.left -= octets.len();
            return (octets.len(), Some(Piece::BodyPart { channel, octets }));
        }
        if end == FRAME_END {
            self.partial = None;
            return (1, Some(Piece::BodyEnd { channel }));
        }
        // The carry buffer is empty while a body frame comes in parts.
        let first = partial.first.get(..partial.first_octets).unwrap_or_default();
        self.carry.extend_from_slice(first);
        self.carry_used = true;
        self.partial = None;
        let frame = Frame { kind: FRAME_BODY, channel, payload: &self.carry };
        (1, Some(Piece::BadEnd { frame, end }))
    }
}

/// A frame of which all octets are there, `octets` being exactly those.
fn whole(header: FrameHeader, octets: &[u8]) -> Piece<'_> {
    let payload = octets.get(FRAME_HEADER_OCTETS..octets.len() - 1).unwrap_or_default();
    let frame = Frame { kind: header.kind, channel: header.channel, payload };
    match octets.last() {
        Some(&FRAME_END) => Piece::Frame(frame),
        end => Piece::BadEnd { frame, end: end.copied().unwrap_or_default() },
    }
}

/// A basic.publish with all of its content, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholePublish<'a> {
    /// Octets that it takes.
    pub octets: usize,
    /// Its channel.
    pub channel: u16,
    /// The method's arguments.
    pub method: PublishMethod<'a>,
    /// Property flags and values, valid.
    pub properties: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

/// Takes a payload that begins with `ids` off the front of the input, if it is there as a whole
/// frame of this kind and channel and within the limit.
#[inline]
pub(crate) fn take_frame(
    input: &[u8],
    kind: u8,
    channel: u16,
    payload_max: u32,
) -> Option<(&[u8], &[u8])> {
    let header = FrameHeader::read(input)?;
    if header.kind != kind || header.channel != channel || header.size > payload_max {
        return None;
    }
    let (frame, rest) = input.split_at_checked(header.size as usize + FRAME_OVERHEAD)?;
    let (&end, front) = frame.split_last()?;
    if end != FRAME_END {
        return None;
    }
    Some((front.get(FRAME_HEADER_OCTETS..)?, rest))
}

/// Reads a basic.publish whose method, header and body (none or one frame) lie at the front of the
/// input. `None` means that it is not that, not all there, or not sound: the slow path finds out.
#[inline]
pub fn read_publish(input: &[u8], payload_max: u32, body_max: u64) -> Option<WholePublish<'_>> {
    use crate::constants::{FRAME_HEADER, FRAME_METHOD};
    let channel = FrameHeader::read(input)?.channel;
    let (payload, rest) = take_frame(input, FRAME_METHOD, channel, payload_max)?;
    let (&[0, 60, 0, 40], arguments) = payload.split_first_chunk()? else { return None };
    let method = PublishMethod::read(arguments)?;
    let (payload, mut rest) = take_frame(rest, FRAME_HEADER, channel, payload_max)?;
    let header = ContentHeader::read(payload)?;
    if header.class_id != 60 || header.weight != 0 || header.body_size > body_max {
        return None;
    }
    let mut body: &[u8] = &[];
    if header.body_size > 0 {
        (body, rest) = take_frame(rest, FRAME_BODY, channel, payload_max)?;
        if body.len() as u64 != header.body_size {
            return None;
        }
    }
    RawProperties(header.properties).validate().ok()?;
    let octets = input.len() - rest.len();
    Some(WholePublish { octets, channel, method, properties: header.properties, body })
}

/// Octets of a basic.ack frame.
const ACK_OCTETS: usize = 21;

/// Those of them before the delivery tag.
const BEFORE_ACKED_TAG: usize = 11;

/// How many basic.acks are read together, at most.
const ACKS_MAX: u64 = 256;

/// One basic.ack, or several on one channel with delivery tags that follow each other.
#[derive(Debug)]
pub(crate) struct Acks {
    /// Octets of the input that they take.
    pub(crate) octets: usize,
    pub(crate) channel: u16,
    pub(crate) delivery_tags: RangeInclusive<u64>,
    /// All deliveries up to this one are meant.
    pub(crate) multiple: bool,
}

impl Acks {
    /// Reads a basic.ack at the front of the input; if it is to be `joined`, with those that come
    /// behind it.
    #[inline]
    pub(crate) fn read(input: &[u8], joined: bool) -> Option<Self> {
        let frame = input.first_chunk::<ACK_OCTETS>()?;
        let &[1, c1, c0, 0, 0, 0, 13, 0, 60, 0, 80, .., bits, FRAME_END] = frame else {
            return None;
        };
        let first = acked_tag(frame);
        let (mut last, multiple) = (first, bits & 1 != 0);
        let mut rest = input.get(ACK_OCTETS..).unwrap_or_default();
        let last_max = if joined && !multiple { first.saturating_add(ACKS_MAX - 1) } else { first };
        while last < last_max
            && let Some((next, behind)) = rest.split_first_chunk::<ACK_OCTETS>()
            && next.first_chunk::<BEFORE_ACKED_TAG>() == frame.first_chunk()
            && next.last_chunk() == Some(&[0, FRAME_END])
            && acked_tag(next) == last + 1
        {
            (last, rest) = (last + 1, behind);
        }
        Some(Self {
            octets: input.len() - rest.len(),
            channel: u16::from_be_bytes([c1, c0]),
            delivery_tags: first..=last,
            multiple,
        })
    }
}

/// The delivery tag in a basic.ack frame.
#[inline]
fn acked_tag(frame: &[u8; ACK_OCTETS]) -> u64 {
    let tag = frame.get(BEFORE_ACKED_TAG..).and_then(|rest| rest.first_chunk());
    tag.map_or(0, |tag| u64::from_be_bytes(*tag))
}
