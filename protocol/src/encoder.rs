//! What a server sends, as frames appended to an [`Output`].

use amq_protocol::frame::WriteContext;
use amq_protocol::protocol::{AMQPClass, gen_class};
use bytes::Bytes;

use crate::constants::{
    CLASS_BASIC, FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD,
    FRAME_OVERHEAD, SHORT_STRING_MAX,
};
use crate::frame::FrameHeader;
use crate::output::{Output, SHARED_OCTETS_MIN};
use crate::properties::NO_PROPERTIES;

/// A body to send.
#[derive(Clone, Copy, Debug)]
pub enum BodyRef<'a> {
    /// Will be copied.
    Slice(&'a [u8]),
    /// Will be copied if small, shared if large.
    Shared(&'a Bytes),
}

impl<'a> BodyRef<'a> {
    pub(crate) fn as_slice(self) -> &'a [u8] {
        match self {
            Self::Slice(octets) => octets,
            Self::Shared(octets) => octets,
        }
    }
}

impl<'a> From<&'a [u8]> for BodyRef<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Slice(octets)
    }
}

impl<'a> From<&'a Bytes> for BodyRef<'a> {
    fn from(octets: &'a Bytes) -> Self {
        Self::Shared(octets)
    }
}

/// A message as basic.deliver, get-ok and return carry it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Exchange it was published to; cut after 255 octets.
    pub exchange: &'a [u8],
    /// Routing key it was published with; cut after 255 octets.
    pub routing_key: &'a [u8],
    /// Property flags and values as on the wire; empty means none.
    pub properties: &'a [u8],
    /// Its body.
    pub body: BodyRef<'a>,
}

/// Octets of the payload of a header's frame before the properties.
const CONTENT_HEADER: usize = 12;

#[inline]
fn short(octets: &[u8]) -> &[u8] {
    octets.get(..SHORT_STRING_MAX).unwrap_or(octets)
}

impl Output {
    /// Any method without content.
    pub fn method(&mut self, channel: u16, method: &AMQPClass) {
        // Writing to memory cannot fail, and no value is longer than its length field can say.
        let Ok(written) = gen_class(method)(WriteContext::from(Vec::new())) else { return };
        let (payload, _) = written.into_inner();
        self.frame(FRAME_METHOD, channel, &payload);
    }

    /// A frame of any kind.
    pub fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let header = FrameHeader { kind, channel, size: payload.len() as u32 };
        self.copied.reserve(payload.len() + FRAME_OVERHEAD);
        self.copied.extend_from_slice(&header.to_octets());
        self.copied.extend_from_slice(payload);
        self.copied.push(FRAME_END);
    }

    /// A heartbeat.
    pub fn heartbeat(&mut self) {
        self.copied.extend_from_slice(&[FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END]);
    }

    /// basic.ack, which confirms publishes.
    #[inline]
    pub fn ack(&mut self, channel: u16, delivery_tag: u64, multiple: bool) {
        self.outcome(channel, 80, delivery_tag, u8::from(multiple));
    }

    /// basic.nack, which refuses publishes. RabbitMQ sets `requeue` in it, which means nothing.
    #[inline]
    pub fn nack(&mut self, channel: u16, delivery_tag: u64, multiple: bool) {
        const REQUEUE: u8 = 2;
        self.outcome(channel, 120, delivery_tag, u8::from(multiple) | REQUEUE);
    }

    #[inline]
    fn outcome(&mut self, channel: u16, method_id: u8, delivery_tag: u64, bits: u8) {
        let [c1, c0] = channel.to_be_bytes();
        let [t7, t6, t5, t4, t3, t2, t1, t0] = delivery_tag.to_be_bytes();
        self.copied.extend_from_slice(&[
            FRAME_METHOD,
            c1,
            c0,
            0,
            0,
            0,
            13,
            0,
            60,
            0,
            method_id,
            t7,
            t6,
            t5,
            t4,
            t3,
            t2,
            t1,
            t0,
            bits,
            FRAME_END,
        ]);
    }

    /// basic.deliver with its content. `frame_max` is in octets, 0 for no limit.
    #[inline]
    pub fn deliver(
        &mut self,
        channel: u16,
        consumer_tag: &[u8],
        delivery_tag: u64,
        redelivered: bool,
        message: &Message<'_>,
        frame_max: u32,
    ) {
        let consumer_tag = short(consumer_tag);
        let (exchange, routing_key) = (short(message.exchange), short(message.routing_key));
        let size = 4 + 1 + consumer_tag.len() + 8 + 1 + 1 + exchange.len() + 1 + routing_key.len();
        self.message(channel, (60, size), message, frame_max, |room| {
            room.short(consumer_tag);
            room.tag_and_names(delivery_tag, redelivered, exchange, routing_key);
        });
    }

    /// basic.get-ok with its content. `frame_max` is in octets, 0 for no limit.
    pub fn get_ok(
        &mut self,
        channel: u16,
        delivery_tag: u64,
        redelivered: bool,
        message_count: u32,
        message: &Message<'_>,
        frame_max: u32,
    ) {
        let (exchange, routing_key) = (short(message.exchange), short(message.routing_key));
        let size = 4 + 8 + 1 + 1 + exchange.len() + 1 + routing_key.len() + 4;
        self.message(channel, (71, size), message, frame_max, |room| {
            room.tag_and_names(delivery_tag, redelivered, exchange, routing_key);
            room.put(message_count.to_be_bytes());
        });
    }

    /// basic.return with its content; the text is taken as it is, up to 255 octets. `frame_max` is
    /// in octets, 0 for no limit.
    pub fn basic_return(
        &mut self,
        channel: u16,
        reply_code: u16,
        reply_text: &str,
        message: &Message<'_>,
        frame_max: u32,
    ) {
        let text = crate::reply_code::short_text(reply_text).as_bytes();
        let (exchange, routing_key) = (short(message.exchange), short(message.routing_key));
        let size = 4 + 2 + 1 + text.len() + 1 + exchange.len() + 1 + routing_key.len();
        self.message(channel, (50, size), message, frame_max, |room| {
            room.put(reply_code.to_be_bytes());
            [text, exchange, routing_key].into_iter().for_each(|octets| room.short(octets));
        });
    }

    /// A method with content. `arguments` writes the arguments of the method, of which the id is
    /// given, and the size of what its frame holds.
    #[inline]
    fn message(
        &mut self,
        channel: u16,
        (method_id, size): (u8, usize),
        message: &Message<'_>,
        frame_max: u32,
        arguments: impl FnOnce(&mut Room<'_>),
    ) {
        let properties = match message.properties {
            [] => NO_PROPERTIES,
            properties => properties,
        };
        let body = message.body.as_slice();
        let payload_max = match frame_max as usize {
            0 => u32::MAX as usize,
            frame_max => frame_max.saturating_sub(FRAME_OVERHEAD).max(1),
        };
        let is_small = body.len() <= payload_max && body.len() < SHARED_OCTETS_MIN;
        let small_body = if is_small { body } else { &[] };
        let body_frame = if small_body.is_empty() { 0 } else { FRAME_OVERHEAD + small_body.len() };
        // All at once: each piece by itself would look whether there is room for it.
        let octets = size + CONTENT_HEADER + properties.len() + 2 * FRAME_OVERHEAD + body_frame;
        let at = self.copied.len();
        self.copied.resize(at + octets, 0);
        let mut room = Room(self.copied.get_mut(at..).unwrap_or_default());
        let [c1, c0] = channel.to_be_bytes();
        let [s3, s2, s1, s0] = (size as u32).to_be_bytes();
        room.put([FRAME_METHOD, c1, c0, s3, s2, s1, s0, 0, CLASS_BASIC as u8, 0, method_id]);
        arguments(&mut room);
        let [s3, s2, s1, s0] = ((CONTENT_HEADER + properties.len()) as u32).to_be_bytes();
        room.put([FRAME_END, FRAME_HEADER, c1, c0, s3, s2, s1, s0]);
        let [b7, b6, b5, b4, b3, b2, b1, b0] = (body.len() as u64).to_be_bytes();
        room.put([0, CLASS_BASIC as u8, 0, 0, b7, b6, b5, b4, b3, b2, b1, b0]);
        room.copy(properties);
        room.put([FRAME_END]);
        if !is_small {
            self.large_body(channel, message.body, payload_max);
        } else if !small_body.is_empty() {
            let [s3, s2, s1, s0] = (small_body.len() as u32).to_be_bytes();
            room.put([FRAME_BODY, c1, c0, s3, s2, s1, s0]);
            room.copy(small_body);
            room.put([FRAME_END]);
        }
    }

    fn large_body(&mut self, channel: u16, body: BodyRef<'_>, payload_max: usize) {
        for piece in body.as_slice().chunks(payload_max) {
            let header = FrameHeader { kind: FRAME_BODY, channel, size: piece.len() as u32 };
            self.copied.extend_from_slice(&header.to_octets());
            match body {
                BodyRef::Shared(whole) if piece.len() >= SHARED_OCTETS_MIN => {
                    self.share(whole.slice_ref(piece));
                }
                _ => self.copied.extend_from_slice(piece),
            }
            self.copied.push(FRAME_END);
        }
    }
}

/// Octets at the end of a buffer, which are written from the front on. There is room for all.
struct Room<'a>(&'a mut [u8]);

impl Room<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, octets: [u8; N]) {
        if let Some((front, rest)) = std::mem::take(&mut self.0).split_first_chunk_mut() {
            *front = octets;
            self.0 = rest;
        }
    }

    #[inline]
    fn copy(&mut self, octets: &[u8]) {
        match *octets {
            [] => {}
            [a, b] => self.put([a, b]), // no properties
            _ => {
                let room = std::mem::take(&mut self.0).split_at_mut_checked(octets.len());
                if let Some((front, rest)) = room {
                    front.copy_from_slice(octets);
                    self.0 = rest;
                }
            }
        }
    }

    /// A short string: its length, then itself.
    #[inline]
    fn short(&mut self, octets: &[u8]) {
        self.put([octets.len() as u8]);
        self.copy(octets);
    }

    #[inline]
    fn tag_and_names(&mut self, tag: u64, redelivered: bool, exchange: &[u8], routing_key: &[u8]) {
        let [t7, t6, t5, t4, t3, t2, t1, t0] = tag.to_be_bytes();
        let (flag, octets) = (u8::from(redelivered), exchange.len() as u8);
        self.put([t7, t6, t5, t4, t3, t2, t1, t0, flag, octets]);
        self.copy(exchange);
        self.short(routing_key);
    }
}
