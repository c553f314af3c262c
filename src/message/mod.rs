//! A message: immutable, shared by all queues that hold it. Small ones that came in a row and
//! differ in their bodies alone lie in one allocation, a [`run`].

pub(crate) mod amqp10;
pub(crate) mod deaths;
pub(crate) mod duplicate_key;
pub(crate) mod mould;
pub(crate) mod run;
pub(crate) mod stored;

use std::fmt;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::FieldTable;
use bytes::Bytes;
use leveret_protocol::properties::RawProperties;
use triomphe::ThinArc;

use crate::limits::INLINE_BODY_MAX_BYTES;
use crate::message::deaths::Deaths;

/// No `expiration` property.
const NO_EXPIRATION: u64 = u64::MAX;

/// Where a body is among the octets: where it begins, and how many are its own. They are one number
/// so that a message is two, which are handed on in registers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(u64);

impl Place {
    /// Not among the octets: the body is large.
    const ELSEWHERE: Self = Self(u64::MAX);

    #[inline]
    fn new(from: u32, len: u32) -> Self {
        Self(u64::from(from) << 32 | u64::from(len))
    }

    #[inline]
    fn from(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline]
    fn len(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }
}

/// What lies before the octets of messages. The octets are, in this order, exchange, routing key,
/// properties and the bodies that are small.
struct Head {
    rare: Option<Box<Rare>>,
    front: Front,
    /// Octets that each of the messages takes besides its body, about.
    share: u32,
}

/// What few messages have: such a message is alone in its allocation.
struct Rare {
    deaths: Option<Box<Deaths>>,
    large_body: Option<Bytes>,
}

impl Head {
    /// Of so many messages.
    fn new(front: Front, rare: Option<Box<Rare>>, messages: usize) -> Self {
        let deaths = rare.as_ref().and_then(|rare| rare.deaths.as_ref());
        let remembered = deaths.map_or(0, |deaths| deaths.footprint());
        let octets = saturating(std::mem::size_of::<Self>() + front.len() + remembered);
        // Most are alone, and a division costs as much as an allocation.
        let share = if messages > 1 { octets.div_ceil(saturating(messages)) } else { octets };
        Self { rare, front, share }
    }
}

/// What is known of a message before its body.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Front {
    expiration_ms: u64,
    properties_len: u32,
    exchange_len: u8,
    routing_key_len: u8,
    priority: u8,
    persistent: bool,
}

impl Front {
    /// Writes exchange, routing key and properties.
    fn write(parts: &Parts<'_>, octets: &mut Vec<u8>) -> Self {
        let properties = RawProperties(parts.properties);
        octets.clear();
        let exchange_len = append_short(octets, parts.exchange);
        let routing_key_len = append_short(octets, parts.routing_key);
        octets.extend_from_slice(parts.properties);
        Self {
            expiration_ms: parts.expiration_ms.unwrap_or(NO_EXPIRATION),
            properties_len: u32::try_from(parts.properties.len()).unwrap_or(u32::MAX),
            exchange_len,
            routing_key_len,
            priority: properties.priority().unwrap_or(0),
            persistent: properties.delivery_mode() == Some(2),
        }
    }

    /// Octets that it takes.
    #[inline]
    fn len(self) -> usize {
        let names = usize::from(self.exchange_len) + usize::from(self.routing_key_len);
        names + self.properties_len as usize
    }
}

/// A message that was published: where to, its properties and its body. Clones share it.
#[derive(Clone)]
pub struct Message {
    run: ThinArc<Head, u8>,
    body: Place,
}

/// The body of a message that is being made.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// Octets to copy.
    Borrowed(&'a [u8]),
    /// Octets to share if they are many.
    Shared(Bytes),
}

impl Body<'_> {
    /// Size in octets.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are no octets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a message has it in itself, and does not share it.
    #[inline]
    pub(crate) fn is_small(&self) -> bool {
        self.len() <= INLINE_BODY_MAX_BYTES
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Body::Borrowed(octets) => octets,
            Body::Shared(octets) => octets,
        }
    }
}

/// What a message is made of. `properties` are the property flags and list as AMQP encodes them.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Exchange that it was published to; at most 255 octets.
    pub exchange: &'a [u8],
    /// Routing key; at most 255 octets.
    pub routing_key: &'a [u8],
    /// Properties, encoded.
    pub properties: &'a [u8],
    /// `expiration` in milliseconds.
    pub expiration_ms: Option<u64>,
    /// Body.
    pub body: Body<'a>,
}

impl Message {
    /// Makes a message; `scratch` is reused from call to call.
    pub fn new(parts: Parts<'_>, scratch: &mut Vec<u8>) -> Self {
        Self::with_deaths(parts, None, scratch)
    }

    /// As [`Message::new`], for a message that has died before or remembers how it was routed.
    pub(crate) fn with_deaths(
        parts: Parts<'_>,
        deaths: Option<Box<Deaths>>,
        scratch: &mut Vec<u8>,
    ) -> Self {
        let front = Front::write(&parts, scratch);
        Self::finished(front, deaths, scratch, parts.body)
    }

    /// With what comes before the body in `octets`, to which a small one is added.
    #[inline]
    fn finished(
        front: Front,
        deaths: Option<Box<Deaths>>,
        octets: &mut Vec<u8>,
        body: Body<'_>,
    ) -> Self {
        let (mut place, mut large_body) = (Place::ELSEWHERE, None);
        if body.is_small() {
            place = Place::new(saturating(octets.len()), saturating(body.len()));
            octets.extend_from_slice(body.as_slice());
        } else {
            large_body = Some(match body {
                Body::Borrowed(octets) => Bytes::copy_from_slice(octets),
                Body::Shared(octets) => octets,
            });
        }
        let is_rare = deaths.is_some() || large_body.is_some();
        let rare = is_rare.then(|| Box::new(Rare { deaths, large_body }));
        Self { run: allocated(front, rare, 1, octets), body: place }
    }

    fn front(&self) -> Front {
        self.head().front
    }

    /// Whether it differs from the other in its body alone, and both have small ones.
    #[inline]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        if self.body == Place::ELSEWHERE || other.body == Place::ELSEWHERE {
            return false;
        }
        let (head, other_head) = (self.head(), other.head());
        std::ptr::eq(head, other_head)
            || (head.front == other_head.front && self.front_octets() == other.front_octets())
    }

    fn head(&self) -> &Head {
        &self.run.header.header
    }

    fn octets(&self, from: usize, len: usize) -> &[u8] {
        self.run.slice.get(from..from + len).unwrap_or_default()
    }

    /// The octets of exchange, routing key and properties.
    pub(crate) fn front_octets(&self) -> &[u8] {
        self.octets(0, self.front().len())
    }

    /// Exchange that it was published to; empty for the default exchange. Of a dead letter, the
    /// dead-letter exchange.
    pub fn exchange(&self) -> &str {
        std::str::from_utf8(self.exchange_octets()).unwrap_or_default()
    }

    /// [`Message::exchange`] as octets.
    pub fn exchange_octets(&self) -> &[u8] {
        self.octets(0, usize::from(self.front().exchange_len))
    }

    /// Routing key that it was published with; empty if that is not UTF-8.
    pub fn routing_key(&self) -> &str {
        std::str::from_utf8(self.routing_key_octets()).unwrap_or_default()
    }

    /// Routing key as octets, of which AMQP allows any, up to 255.
    pub fn routing_key_octets(&self) -> &[u8] {
        let front = self.front();
        self.octets(usize::from(front.exchange_len), usize::from(front.routing_key_len))
    }

    /// All properties, parsed from their encoding at each call.
    pub fn properties(&self) -> BasicProperties {
        self.raw_properties().parse().unwrap_or_default()
    }

    /// Headers, parsed at each call; empty if there are none. A name that is not UTF-8 has one of
    /// the characters U+EF80 to U+EFFF for each octet that does not belong; published again it is
    /// the same octets.
    pub fn headers(&self) -> FieldTable {
        self.raw_properties().headers().and_then(Result::ok).unwrap_or_default()
    }

    /// Properties as AMQP encodes them: flags, then the values that are set.
    pub(crate) fn raw_properties(&self) -> RawProperties<'_> {
        let front = self.front();
        let from = usize::from(front.exchange_len) + usize::from(front.routing_key_len);
        RawProperties(self.octets(from, front.properties_len as usize))
    }

    /// Body.
    pub fn body(&self) -> &[u8] {
        match self.shared_body() {
            Some(body) => body,
            None => self.octets(self.body.from(), self.body.len()),
        }
    }

    /// Body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }

    /// Octets in the body.
    #[inline]
    pub(crate) fn body_len(&self) -> usize {
        self.shared_body().map_or(self.body.len(), Bytes::len)
    }

    /// Body for another message, with which it is shared if it is large.
    pub(crate) fn body_to_share(&self) -> Body<'_> {
        match self.shared_body() {
            Some(body) => Body::Shared(body.clone()),
            None => Body::Borrowed(self.body()),
        }
    }

    /// The body if it is large and therefore shared rather than part of the message.
    #[inline]
    pub(crate) fn shared_body(&self) -> Option<&Bytes> {
        if self.body != Place::ELSEWHERE {
            return None;
        }
        self.head().rare.as_ref()?.large_body.as_ref()
    }

    /// `priority` property; 0 if it is not set.
    pub fn priority(&self) -> u8 {
        self.front().priority
    }

    /// Whether `delivery_mode` is 2.
    #[inline]
    pub fn is_persistent(&self) -> bool {
        self.front().persistent
    }

    /// `expiration` property in milliseconds.
    pub fn expiration_ms(&self) -> Option<u64> {
        Some(self.front().expiration_ms).filter(|&ms| ms != NO_EXPIRATION)
    }

    /// How often and where the message was dead-lettered.
    pub(crate) fn deaths(&self) -> Option<&Deaths> {
        self.head().rare.as_ref()?.deaths.as_deref()
    }

    /// How often its delivery failed in the quorum queues that it came from by dead-lettering.
    pub(crate) fn failures(&self) -> u32 {
        self.deaths().map_or(0, |deaths| deaths.failures)
    }

    /// Tells it from all other messages for as long as somebody holds it.
    pub(crate) fn address(&self) -> usize {
        let place = if self.body == Place::ELSEWHERE { 0 } else { self.body.from() };
        std::ptr::from_ref(self.head()).addr() + place
    }

    /// Octets that the message occupies, about: what memory limits count. What it shares with
    /// others of its run counts in equal parts.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        self.head().share as usize + self.body_len()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange())
            .field("routing_key", &String::from_utf8_lossy(self.routing_key_octets()))
            .field("body_len", &self.body().len())
            .finish_non_exhaustive()
    }
}

/// The octets of so many messages, with what lies before them. The head is put together here: it
/// would take longer to copy what was just written in pieces.
#[inline(never)]
fn allocated(
    front: Front,
    rare: Option<Box<Rare>>,
    messages: usize,
    octets: &[u8],
) -> ThinArc<Head, u8> {
    ThinArc::from_header_and_slice(Head::new(front, rare, messages), octets)
}

/// A number of octets, of which there are less than 4 GiB.
fn saturating(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// Appends a short string, cut to the 255 octets that AMQP allows; tells its length.
fn append_short(scratch: &mut Vec<u8>, text: &[u8]) -> u8 {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    scratch.extend_from_slice(text.get(..usize::from(len)).unwrap_or_default());
    len
}

/// The header that tells how often a message was returned to a quorum queue.
pub(crate) const DELIVERY_COUNT: &str = "x-delivery-count";

/// Properties with the header `x-delivery-count` `[rabbitmq quorum-queues]`.
pub(crate) fn with_delivery_count(properties: &[u8], count: u32) -> Vec<u8> {
    use leveret_protocol::table::{TableWriter, entries};
    use leveret_protocol::{Change, Changes};
    let properties = RawProperties(properties);
    let mut headers = TableWriter::new();
    let before = properties.raw_headers().unwrap_or_default();
    for (_, entry) in entries(before).filter(|(name, _)| *name != DELIVERY_COUNT.as_bytes()) {
        headers.entry(entry);
    }
    headers.long_long(DELIVERY_COUNT, count.into());
    let headers = headers.finish();
    let changes = Changes { headers: Change::Set(&headers), ..Changes::default() };
    properties.with(&changes).unwrap_or_else(|_| properties.0.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_there_as_octets() {
        let parts = Parts {
            exchange: b"logs",
            routing_key: b"\xff",
            properties: b"\0\0",
            expiration_ms: None,
            body: Body::Borrowed(b"\xffa"),
        };
        let message = Message::new(parts, &mut Vec::new());
        assert_eq!((message.exchange(), message.exchange_octets()), ("logs", &b"logs"[..]));
        assert_eq!((message.routing_key(), message.routing_key_octets()), ("", &b"\xff"[..]));
        assert_eq!((message.text(), message.body()), ("\u{fffd}a".to_owned(), &b"\xffa"[..]));
        assert!(message.headers().inner().is_empty());
    }
}
