//! The last basic.publish of a connection: mostly the next differs from it in its body alone, and
//! need not be read anew.

use crate::constants::{FRAME_BODY, FRAME_HEADER};
use crate::content::ContentHeader;
use crate::decoder::{read_publish, take_frame};
use crate::event::{Body, Publish};

/// Octets of properties that are worth remembering; a message with more is read as any frame.
const PROPERTIES_MAX: usize = 1024;

/// Octets of a frame before its size: its kind and the channel.
const BEFORE_SIZE: usize = 3;

/// Octets of a method's frame before the name of the exchange in basic.publish: the frame's header,
/// the method's id, what is reserved, the length of the name.
const BEFORE_EXCHANGE: usize = 7 + 4 + 2 + 1;

/// What it had before its body.
#[derive(Debug, Default)]
pub(crate) struct LastPublish {
    /// Tells it from those before that were different; 0 if there was none.
    number: u64,
    /// The method's frame.
    method: Vec<u8>,
    properties: Vec<u8>,
    channel: u16,
    exchange_octets: usize,
    routing_key_octets: usize,
    mandatory: bool,
    immediate: bool,
}

impl LastPublish {
    /// Its channel.
    #[inline]
    pub(crate) fn channel(&self) -> u16 {
        self.channel
    }

    /// Reads a basic.publish whose method, header and body (none or one frame) lie at the front of
    /// the input, and remembers it: how many octets it takes, and its body. `None` means that it is
    /// not that, not all there, not sound, or has large properties.
    #[inline]
    pub(crate) fn read<'a>(
        &mut self,
        input: &'a [u8],
        payload_max: u32,
        body_max: u64,
    ) -> Option<(usize, &'a [u8])> {
        match self.read_like(input, payload_max, body_max) {
            None => self.read_anew(input, payload_max, body_max),
            read => read,
        }
    }

    /// Reads one that has the same method and properties, on whatever channel.
    #[inline]
    fn read_like<'a>(
        &mut self,
        input: &'a [u8],
        payload_max: u32,
        body_max: u64,
    ) -> Option<(usize, &'a [u8])> {
        if self.number == 0 {
            return None;
        }
        let (channel, rest) = self.strip_method(input)?;
        let (payload, mut rest) = take_frame(rest, FRAME_HEADER, channel, payload_max)?;
        let header = ContentHeader::read(payload)?;
        let is_sound = header.class_id == 60 && header.weight == 0 && header.body_size <= body_max;
        if !is_sound || header.properties != self.properties {
            return None;
        }
        let mut body: &[u8] = &[];
        if header.body_size > 0 {
            (body, rest) = take_frame(rest, FRAME_BODY, channel, payload_max)?;
            if body.len() as u64 != header.body_size {
                return None;
            }
        }
        self.channel = channel;
        Some((input.len() - rest.len(), body))
    }

    /// The channel and what comes after the method, if that is the same but for the channel.
    #[inline]
    fn strip_method<'a>(&self, input: &'a [u8]) -> Option<(u16, &'a [u8])> {
        let (front, arguments) = self.method.split_at_checked(BEFORE_SIZE)?;
        let (&[kind, c1, c0], rest) = input.split_first_chunk::<BEFORE_SIZE>()?;
        let rest = rest.strip_prefix(arguments).filter(|_| front.first() == Some(&kind))?;
        Some((u16::from_be_bytes([c1, c0]), rest))
    }

    fn read_anew<'a>(
        &mut self,
        input: &'a [u8],
        payload_max: u32,
        body_max: u64,
    ) -> Option<(usize, &'a [u8])> {
        let publish = read_publish(input, payload_max, body_max)?;
        if publish.properties.len() > PROPERTIES_MAX {
            return None;
        }
        let (exchange, routing_key) = (publish.method.exchange, publish.method.routing_key);
        (self.exchange_octets, self.routing_key_octets) = (exchange.len(), routing_key.len());
        let method = BEFORE_EXCHANGE + exchange.len() + 1 + routing_key.len() + 2;
        self.method.clear();
        self.method.extend_from_slice(input.get(..method)?);
        if self.properties != publish.properties {
            self.properties.clear();
            self.properties.extend_from_slice(publish.properties);
        }
        self.channel = publish.channel;
        (self.mandatory, self.immediate) = (publish.method.mandatory, publish.method.immediate);
        self.number += 1;
        Some((publish.octets, publish.body))
    }

    /// It as an event, with this body.
    #[inline]
    pub(crate) fn event<'a>(&'a self, body: &'a [u8]) -> Publish<'a> {
        let names = self.method.get(BEFORE_EXCHANGE..).unwrap_or_default();
        let (exchange, rest) = names.split_at_checked(self.exchange_octets).unwrap_or_default();
        let routing_key = rest.get(1..=self.routing_key_octets).unwrap_or_default();
        Publish {
            channel: self.channel,
            number: self.number,
            exchange,
            routing_key,
            mandatory: self.mandatory,
            immediate: self.immediate,
            properties: &self.properties,
            body: Body::Borrowed(body),
        }
    }
}
