//! The last basic.publishes of a connection: mostly the next differs from the last one, or from the
//! one that followed that before, in its body alone, and need not be read anew.

use crate::constants::{FRAME_BODY, FRAME_END};
use crate::decoder::{WholePublish, read_publish, take_frame};
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

/// How many different ones are remembered: so many routing keys may come by turns.
const KNOWN_MAX: usize = 8;

/// Those that were different. The last one is at hand.
#[derive(Debug, Default)]
pub(crate) struct LastPublishes {
    known: Vec<LastPublish>,
    /// Where the last one is.
    last: usize,
    /// By where it is, something of the names of each.
    marks: [u32; KNOWN_MAX],
    /// How many there have been.
    count: u64,
}

impl LastPublishes {
    /// The last one, if there was any.
    #[inline]
    pub(crate) fn last(&self) -> Option<&LastPublish> {
        self.known.get(self.last)
    }

    /// The channel of the last one.
    #[inline]
    pub(crate) fn channel(&self) -> Option<u16> {
        self.last().map(|last| last.channel)
    }

    /// The last one as an event, with this body.
    #[inline]
    pub(crate) fn event<'a>(&'a self, body: &'a [u8]) -> Option<Publish<'a>> {
        self.last().map(|last| last.event(body))
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
        if let Some(last) = self.known.get_mut(self.last)
            && let Some((body, rest)) = last.read_like(input, bounds)
        {
            return Some((input.len() - rest.len(), body));
        }
        self.read_other(input, bounds)
    }

    /// The same of one that is not like the last.
    fn read_other<'a>(&mut self, input: &'a [u8], bounds: Bounds) -> Option<(usize, &'a [u8])> {
        let next = self.last().map_or(self.last, |last| last.followed_by);
        if next != self.last
            && let Some(known) = self.known.get_mut(next)
            && let Some((body, rest)) = known.read_like(input, bounds)
        {
            self.last = next;
            return Some((input.len() - rest.len(), body));
        }
        let publish = read_publish(input, bounds.payload_max, bounds.body_max)?;
        if publish.properties.len() > PROPERTIES_MAX {
            return None;
        }
        let at = self.remember(input, &publish)?;
        if let Some(before) = self.known.get_mut(self.last) {
            before.followed_by = at;
        }
        self.last = at;
        Some((publish.octets, publish.body))
    }

    /// Remembers a publish at the front of the input: where.
    fn remember(&mut self, input: &[u8], publish: &WholePublish<'_>) -> Option<usize> {
        let mark = mark(publish);
        let marks = self.marks.get(..self.known.len())?;
        let at = match marks.iter().position(|known| *known == mark) {
            Some(at) => at,
            None if self.known.len() < KNOWN_MAX => {
                self.known.push(LastPublish::default());
                self.known.len() - 1
            }
            None => self.count as usize % KNOWN_MAX,
        };
        *self.marks.get_mut(at)? = mark;
        let known = self.known.get_mut(at)?;
        if known.is(publish) {
            known.set_channel(publish.channel);
        } else {
            self.count += 1;
            known.set(input, publish, self.count)?;
        }
        Some(at)
    }
}

/// Something by which most publishes to other names are told from this.
fn mark(publish: &WholePublish<'_>) -> u32 {
    let (exchange, key) = (publish.method.exchange, publish.method.routing_key);
    let mut mark = (key.len() as u64) << 8 | exchange.len() as u64;
    for name in [exchange, key] {
        let (words, rest) = name.as_chunks();
        let rest = rest.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
        for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([rest]) {
            mark = (mark ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        }
    }
    mark as u32
}

/// What one had before its body.
#[derive(Debug, Default)]
pub(crate) struct LastPublish {
    /// Tells it from those before that were different.
    number: u64,
    /// Where the one is that came next, the last time that one was read anew.
    followed_by: usize,
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
    /// Tells it from those before that were different; not 0.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Its channel.
    #[inline]
    pub(crate) fn channel(&self) -> u16 {
        self.channel
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

    /// Whether it is this but for its channel and its body.
    fn is(&self, publish: &WholePublish<'_>) -> bool {
        let (exchange, routing_key) = self.names();
        let method = &publish.method;
        (exchange, routing_key) == (method.exchange, method.routing_key)
            && (self.mandatory, self.immediate) == (method.mandatory, method.immediate)
            && self.number != 0
            && self.properties() == publish.properties
    }

    /// It is this one, which lies at the front of the input, from now on.
    fn set(&mut self, input: &[u8], publish: &WholePublish<'_>, number: u64) -> Option<()> {
        let (exchange, routing_key) = (publish.method.exchange, publish.method.routing_key);
        let method_octets = BEFORE_EXCHANGE + exchange.len() + 1 + routing_key.len() + 2;
        let front = input.get(..method_octets + BEFORE_BODY_SIZE)?;
        (self.exchange_octets, self.routing_key_octets) = (exchange.len(), routing_key.len());
        self.method_octets = method_octets;
        self.front.clear();
        self.front.extend_from_slice(front);
        self.back.clear();
        self.back.extend_from_slice(publish.properties);
        self.back.push(FRAME_END);
        self.channel = publish.channel;
        (self.mandatory, self.immediate) = (publish.method.mandatory, publish.method.immediate);
        self.number = number;
        Some(())
    }

    /// Its exchange and its routing key.
    #[inline]
    fn names(&self) -> (&[u8], &[u8]) {
        let names = self.front.get(BEFORE_EXCHANGE..).unwrap_or_default();
        let (exchange, rest) = names.split_at_checked(self.exchange_octets).unwrap_or_default();
        (exchange, rest.get(1..=self.routing_key_octets).unwrap_or_default())
    }

    #[inline]
    fn properties(&self) -> &[u8] {
        self.back.split_last().map_or(&[], |(_, properties)| properties)
    }

    /// It as an event, with this body.
    #[inline]
    fn event<'a>(&'a self, body: &'a [u8]) -> Publish<'a> {
        let (exchange, routing_key) = self.names();
        Publish {
            channel: self.channel,
            number: self.number,
            exchange,
            routing_key,
            mandatory: self.mandatory,
            immediate: self.immediate,
            properties: self.properties(),
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
    last: Option<&'a LastPublish>,
    bounds: Bounds,
    input: &'a [u8],
    rest: &'a [u8],
}

impl<'a> PublishesAlike<'a> {
    pub(crate) fn new(last: Option<&'a LastPublish>, bounds: Bounds, input: &'a [u8]) -> Self {
        Self { last, bounds, input, rest: input }
    }

    /// Whether what comes next begins as the last one does: else there is none.
    #[inline]
    pub fn begins(&self) -> bool {
        self.last.is_some_and(|last| self.rest.starts_with(&last.front))
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
        let (body, rest) = self.last?.read_alike(self.rest, self.bounds)?;
        self.rest = rest;
        Some(body)
    }
}
