//! What messages have in common that differ in their bodies alone.

use crate::message::{Body, Front, Message, Parts};

/// Makes messages that are the same but for their bodies: of each the body alone is read and
/// copied to what there is.
pub(crate) struct Mould {
    pub(super) front: Front,
    octets: Vec<u8>,
    /// How often it was changed.
    edition: u32,
}

impl Mould {
    /// That of messages that are this, whatever the body.
    pub(crate) fn of(parts: &Parts<'_>) -> Self {
        /// Room for the body of a small message.
        const ROOM: usize = 64;
        let before = parts.exchange.len() + parts.routing_key.len() + parts.properties.len();
        let mut octets = Vec::with_capacity(before + ROOM);
        Self { front: Front::write(parts, &mut octets), octets, edition: 0 }
    }

    /// The exchange's name and the routing key that the messages have.
    #[inline]
    pub(crate) fn names(&self) -> (&[u8], &[u8]) {
        let (from, key) = (self.front.exchange_len, self.front.routing_key_len);
        let names = self.octets.get(..usize::from(from) + usize::from(key)).unwrap_or_default();
        names.split_at_checked(usize::from(from)).unwrap_or_default()
    }

    /// Whether the messages have this exchange and routing key.
    #[inline]
    pub(crate) fn has_names(&self, exchange: &[u8], routing_key: &[u8]) -> bool {
        let (own_exchange, own_key) = self.names();
        are_same(own_key, routing_key) && are_same(own_exchange, exchange)
    }

    /// Whether they have these properties.
    #[inline]
    pub(crate) fn has_properties(&self, properties: &[u8]) -> bool {
        let to = self.front.len();
        let from = to - self.front.properties_len as usize;
        self.octets.get(from..to).is_some_and(|own| are_same(own, properties))
    }

    /// Octets of memory that it has for messages.
    pub(crate) fn octets(&self) -> usize {
        self.octets.capacity()
    }

    /// Another number when the messages are others than before.
    #[inline]
    pub(super) fn edition(&self) -> u32 {
        self.edition
    }

    /// Exchange, routing key and properties that the messages have.
    pub(super) fn front_octets(&self) -> &[u8] {
        self.octets.get(..self.front.len()).unwrap_or_default()
    }

    /// What the messages are from now on, whatever the body.
    #[inline]
    pub(crate) fn set(&mut self, parts: &Parts<'_>) {
        self.front = Front::write(parts, &mut self.octets);
        self.edition = self.edition.wrapping_add(1);
    }

    /// A message with this body.
    #[inline]
    pub(crate) fn message(&mut self, body: Body<'_>) -> Message {
        self.octets.truncate(self.front.len());
        Message::finished(self.front, None, &mut self.octets, body)
    }
}

/// Whether two texts are the same. The default exchange and a message without properties are
/// known without a call.
#[inline]
fn are_same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([a, b], [c, d]) => a == c && b == d,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_mould_differ_in_their_bodies_alone() {
        let parts = |key| Parts {
            exchange: b"logs",
            routing_key: key,
            properties: b"\x18\0\x02\x07",
            expiration_ms: Some(5),
            body: Body::Borrowed(b""),
        };
        let mut mould = Mould::of(&parts(b"key"));
        let large = vec![7; 100_000];
        let bodies: [&[u8]; 4] = [b"one", b"", &large, b"two"];
        let made: Vec<_> = bodies.iter().map(|body| mould.message(Body::Borrowed(body))).collect();
        for (message, body) in made.iter().zip(bodies) {
            assert_eq!((message.exchange(), message.routing_key()), ("logs", "key"));
            assert_eq!((message.priority(), message.is_persistent()), (7, true));
            assert_eq!((message.expiration_ms(), message.body()), (Some(5), body));
        }
        assert!(made[0].is_like(&made[1]) && made[1].is_like(&made[3]));
        assert!(!made[0].is_like(&made[2]));
        assert!(mould.has_names(b"logs", b"key") && mould.has_properties(b"\x18\0\x02\x07"));
        assert!(!mould.has_names(b"log", b"skey") && !mould.has_properties(b"\x18\0\x02"));
        mould.set(&parts(b"kez"));
        assert!(!mould.has_names(b"logs", b"key"));
        let other = mould.message(Body::Borrowed(b"one"));
        assert!(!other.is_like(&made[0]));
    }
}
