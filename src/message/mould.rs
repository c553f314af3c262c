//! What messages have in common that differ in their bodies alone.

use leveret_protocol::properties::NO_PROPERTIES;

use crate::message::{Body, Front, Message, Parts};

/// Makes messages that are the same but for their bodies: of each the body alone is read and
/// copied to what there is.
pub(crate) struct Mould {
    front: Front,
    octets: Vec<u8>,
}

/// Of messages that have nothing but a body.
impl Default for Mould {
    fn default() -> Self {
        let (exchange, routing_key, properties): (&[u8], &[u8], _) = (b"", b"", NO_PROPERTIES);
        let (expiration_ms, body) = (None, Body::Borrowed(b""));
        let mut octets = Vec::new();
        let parts = Parts { exchange, routing_key, properties, expiration_ms, body };
        Self { front: Front::write(&parts, &mut octets), octets }
    }
}

impl Mould {
    /// What the messages are from now on, whatever the body.
    #[inline]
    pub(crate) fn set(&mut self, parts: &Parts<'_>) {
        self.front = Front::write(parts, &mut self.octets);
    }

    /// A message with this body.
    #[inline]
    pub(crate) fn message(&mut self, body: Body<'_>) -> Message {
        self.octets.truncate(self.front.len());
        Message::finished(self.front, None, &mut self.octets, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_mould_differ_in_their_bodies_alone() {
        let mut mould = Mould::default();
        let early = mould.message(Body::Borrowed(b"early"));
        assert_eq!(
            (early.exchange(), early.expiration_ms(), early.body()),
            ("", None, &b"early"[..])
        );
        let parts = |key| Parts {
            exchange: b"logs",
            routing_key: key,
            properties: b"\x18\0\x02\x07",
            expiration_ms: Some(5),
            body: Body::Borrowed(b""),
        };
        mould.set(&parts(b"key"));
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
        mould.set(&parts(b"kez"));
        let other = mould.message(Body::Borrowed(b"one"));
        assert!(!other.is_like(&made[0]));
    }
}
