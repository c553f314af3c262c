//! A message that an exchange keeps, with all that is needed to route it later.

use std::num::NonZeroU64;

use amq_protocol::types::FieldTable;
use leveret_protocol::properties::{Change, Changes};

use crate::exchange::negate_delay;
use crate::message::{Message, Parts};

/// What keeping a message costs besides the message, in octets: its place.
const PLACE_BYTES: usize = 32;

/// A message with the keys that route it.
#[derive(Clone)]
pub(crate) struct Kept {
    message: Message,
    /// Only if there are others than the message's own: those in `BCC` are no longer in it.
    keys: Option<Box<Keys>>,
    /// Its number in the store, if it is there.
    stored: Option<NonZeroU64>,
}

#[derive(Clone)]
struct Keys(Vec<Vec<u8>>);

impl Kept {
    /// Keeps a message that is routed by these keys.
    pub(crate) fn new(message: Message, routing_keys: &[&[u8]]) -> Self {
        let own = matches!(routing_keys, [key] if *key == message.routing_key_octets());
        let keys = || Box::new(Keys(routing_keys.iter().map(|key| key.to_vec()).collect()));
        Self { keys: (!own).then(keys), message, stored: None }
    }

    /// A message that comes from the store, where it has this number.
    pub(crate) fn stored(message: Message, keys: Option<Vec<Vec<u8>>>, number: u64) -> Self {
        let keys = keys.map(|keys| Box::new(Keys(keys)));
        Self { message, keys, stored: NonZeroU64::new(number) }
    }

    /// The same, not in the store.
    pub(crate) fn unstored(&self) -> Self {
        Self { stored: None, ..self.clone() }
    }

    /// Gives it a number in the store; they begin with 1.
    pub(crate) fn set_stored(&mut self, number: u64) {
        self.stored = NonZeroU64::new(number);
    }

    /// Its number in the store, if it is there.
    pub(crate) fn stored_number(&self) -> Option<u64> {
        self.stored.map(NonZeroU64::get)
    }

    /// The keys that route it, if there are others than its own.
    pub(crate) fn other_keys(&self) -> Option<&[Vec<u8>]> {
        self.keys.as_ref().map(|keys| keys.0.as_slice())
    }

    /// The message.
    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    /// The message alone.
    pub(crate) fn into_message(self) -> Message {
        self.message
    }

    /// Its routing key, then those in `CC` and `BCC`.
    pub(crate) fn routing_keys(&self) -> Vec<&[u8]> {
        match &self.keys {
            Some(keys) => keys.0.iter().map(Vec::as_slice).collect(),
            None => vec![self.message.routing_key_octets()],
        }
    }

    /// Whether it has no routing key but its own.
    pub(crate) fn has_one_key(&self) -> bool {
        self.keys.is_none()
    }

    /// Octets that it occupies, about.
    pub(crate) fn footprint(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |keys| {
            keys.0.iter().map(|key| key.len() + size_of::<Vec<u8>>()).sum::<usize>()
        });
        self.message.footprint() + keys + PLACE_BYTES
    }
}

/// The message as its receivers get it after a delay: the header `x-delay` is negative.
pub(crate) fn after_delay(message: &Message, headers: &FieldTable) -> Message {
    let properties = message.raw_properties();
    // The message's own octets, not the headers that it was published with: `BCC` is gone.
    let Some(raw) = properties.raw_headers() else { return message.clone() };
    let headers = negate_delay(raw, headers);
    let changes = Changes { headers: Change::Set(&headers), ..Changes::default() };
    let Ok(properties) = properties.with(&changes) else { return message.clone() };
    let parts = Parts {
        exchange: message.exchange_octets(),
        routing_key: message.routing_key_octets(),
        properties: &properties,
        expiration_ms: message.expiration_ms(),
        body: message.body_to_share(),
    };
    let deaths = message.deaths().map(|deaths| Box::new(deaths.clone()));
    Message::with_deaths(parts, deaths, &mut Vec::new())
}
