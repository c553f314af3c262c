//! The last basic.publish of a connection: mostly the next differs from it in its body alone, and
//! need not be read anew.

use crate::constants::{FRAME_BODY, FRAME_END};
use crate::decoder::{read_publish, take_frame};
use crate::event::{Body, Publish};

/// Octets of properties that are worth remembering; a message with more is read as any frame.
const PROPERTIES_MAX: usize = 1024;

/// Octets of a frame before its size: its kind and the channel.
const BEFORE_SIZE: usize = 3;

/// Octets of a method's frame before the name of the exchange in basic.publish: the frame's header,
/// the method's id, what is reserved, the length of the name.
const BEFORE_EXCHANGE: usize = 7 + 4 + 2 + 1;

/// Octets of a content header's frame before the size of the body: the frame's header, class and
/// weight.
const BEFORE_BODY_SIZE: usize = 7 + 4;

/// What it had before its body.
#[derive(Debug, Default)]
pub(crate) struct LastPublish {
    /// Tells it from those before that were different; 0 if there was none.
    number: u64,
    /// The method's frame, and that of the content header up to the size of the body.
    front: Vec<u8>,
    method_octets: usize,
    /// What comes behind the size of the body: the properties, and the end of the frame.
    back: Vec<u8>,
    channel: u16,
    exchange_octets: usize,
    routing_key_octets: usize,
    mandatory: bool,
    immediate: bool,
}

/// What is allowed, in octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of a frame's payload.
    pub(crate) payload_max: u32,
    /// Of a body.
    pub(crate) body_max: u64,
}

impl LastPublish {
    /// Tells it from those before that were different; 0 if there was none.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

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
        bounds: Bounds,
    ) -> Option<(usize, &'a [u8])> {
        if self.number != 0
            && let Some((body, rest)) = self.read_like(input, bounds)
        {
            return Some((input.len() - rest.len(), body));
        }
        self.read_anew(input, bounds)
    }

    /// Reads one that has the same method and properties, on whatever channel: its body, and what
    /// comes behind it.
    #[inline]
    fn read_like<'a>(&mut self, input: &'a [u8], bounds: Bounds) -> Option<(&'a [u8], &'a [u8])> {
        let (method, header) = self.front.split_at_checked(self.method_octets)?;
        let (channel, rest) = strip_but_for_channel(input, method)?;
        let (same, rest) = strip_but_for_channel(rest, header)?;
        if same != channel {
            return None;
        }
        let read = self.read_body(channel, rest, bounds)?;
        if channel != self.channel {
            self.set_channel(channel);
        }
        Some(read)
    }

    /// The same on the same channel.
    #[inline]
    fn read_alike<'a>(&self, input: &'a [u8], bounds: Bounds) -> Option<(&'a [u8], &'a [u8])> {
        self.read_body(self.channel, input.strip_prefix(&*self.front)?, bounds)
    }

    /// From the size of the body on.
    #[inline]
    fn read_body<'a>(
        &self,
        channel: u16,
        input: &'a [u8],
        bounds: Bounds,
    ) -> Option<(&'a [u8], &'a [u8])> {
        let (size, rest) = input.split_first_chunk()?;
        let (size, rest) = (u64::from_be_bytes(*size), rest.strip_prefix(&*self.back)?);
        if size == 0 {
            return Some((&[], rest));
        }
        let (body, rest) = take_frame(rest, FRAME_BODY, channel, bounds.payload_max)?;
        (body.len() as u64 == size && size <= bounds.body_max).then_some((body, rest))
    }

    fn set_channel(&mut self, channel: u16) {
        self.channel = channel;
        for frame in [0, self.method_octets] {
            let place = self.front.get_mut(frame + 1..frame + BEFORE_SIZE).unwrap_or_default();
            place.copy_from_slice(&channel.to_be_bytes());
        }
    }

    fn read_anew<'a>(&mut self, input: &'a [u8], bounds: Bounds) -> Option<(usize, &'a [u8])> {
        let publish = read_publish(input, bounds.payload_max, bounds.body_max)?;
        if publish.properties.len() > PROPERTIES_MAX {
            return None;
        }
        let (exchange, routing_key) = (publish.method.exchange, publish.method.routing_key);
        (self.exchange_octets, self.routing_key_octets) = (exchange.len(), routing_key.len());
        self.method_octets = BEFORE_EXCHANGE + exchange.len() + 1 + routing_key.len() + 2;
        self.front.clear();
        self.front.extend_from_slice(input.get(..self.method_octets + BEFORE_BODY_SIZE)?);
        self.back.clear();
        self.back.extend_from_slice(publish.properties);
        self.back.push(FRAME_END);
        self.channel = publish.channel;
        (self.mandatory, self.immediate) = (publish.method.mandatory, publish.method.immediate);
        self.number += 1;
        Some((publish.octets, publish.body))
    }

    /// It as an event, with this body.
    #[inline]
    pub(crate) fn event<'a>(&'a self, body: &'a [u8]) -> Publish<'a> {
        let names = self.front.get(BEFORE_EXCHANGE..).unwrap_or_default();
        let (exchange, rest) = names.split_at_checked(self.exchange_octets).unwrap_or_default();
        let routing_key = rest.get(1..=self.routing_key_octets).unwrap_or_default();
        Publish {
            channel: self.channel,
            number: self.number,
            exchange,
            routing_key,
            mandatory: self.mandatory,
            immediate: self.immediate,
            properties: self.back.split_last().map_or(&[], |(_, properties)| properties),
            body: Body::Borrowed(body),
        }
    }
}

/// Takes a frame's front off the input, whatever the channel in it.
#[inline]
fn strip_but_for_channel<'a>(input: &'a [u8], front: &[u8]) -> Option<(u16, &'a [u8])> {
    let (&[kind, c1, c0], rest) = input.split_first_chunk::<BEFORE_SIZE>()?;
    let (known, front) = front.split_first_chunk::<BEFORE_SIZE>()?;
    let rest = rest.strip_prefix(front).filter(|_| known.first() == Some(&kind))?;
    Some((u16::from_be_bytes([c1, c0]), rest))
}

/// The bodies of basic.publishes that differ from the last one in them alone, one after the other.
#[derive(Debug)]
pub struct PublishesAlike<'a> {
    last: &'a LastPublish,
    bounds: Bounds,
    input: &'a [u8],
    rest: &'a [u8],
}

impl<'a> PublishesAlike<'a> {
    pub(crate) fn new(last: &'a LastPublish, bounds: Bounds, input: &'a [u8]) -> Self {
        Self { last, bounds, input, rest: input }
    }

    /// Whether what comes next begins as the last one does: else there is none.
    #[inline]
    pub fn begins(&self) -> bool {
        self.rest.starts_with(&self.last.front)
    }

    /// Octets of the input that the publishes took which it has given.
    pub fn used(&self) -> usize {
        self.input.len() - self.rest.len()
    }
}

impl<'a> Iterator for PublishesAlike<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (body, rest) = self.last.read_alike(self.rest, self.bounds)?;
        self.rest = rest;
        Some(body)
    }
}
