//! Dead-lettering: from the queue that a message died in to its dead-letter exchange
//! `[rabbitmq dlx]`.

use std::sync::Arc;

use amq_protocol::types::FieldTable;
use leveret_protocol::properties::{Change, Changes, RawProperties};

use crate::deaths::{Death, DeathReason, Deaths};
use crate::message::{Body, Message, Parts};
use crate::queue::effects::{DeadLetter, Effects};
use crate::queue::{DeadLetterTarget, Queue};
use crate::vhost::VirtualHost;
use crate::vhost::publish::sender_selected_keys;
use crate::vhost::route::{Pass, Subject};

impl VirtualHost {
    /// Publishes a dead letter of `queue` to its dead-letter exchange. If that does not exist, the
    /// message is dropped without a word.
    pub(super) fn dead_letter(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        letter: DeadLetter,
        effects: &mut Effects,
    ) {
        let Some(target) = queue.dead_letter_target() else { return };
        let Some(exchange) = self.find_exchange(target.exchange.as_str()) else { return };
        let reason = letter.reason;
        let Some((message, deaths)) = self.rewrite(queue, &letter, &target) else { return };
        let keys: Vec<&[u8]> = deaths.routing_keys.iter().map(Vec::as_slice).collect();
        let subject = Subject { routing_keys: &keys, headers: None, message: &message };
        let now = self.now();
        for target in self.route(&exchange, &subject, Pass::Publish).queues {
            if reason != DeathReason::Rejected && deaths.is_cycle(target.name()) {
                tracing::warn!(
                    "message dropped: dead-lettered from {} it would come to {} again and again",
                    queue.resource(),
                    target.resource()
                );
                continue;
            }
            target.enqueue([message.clone()], now, effects, |_| {});
        }
    }

    /// The message as it is published again, and its deaths.
    fn rewrite(
        &self,
        queue: &Queue,
        letter: &DeadLetter,
        target: &DeadLetterTarget,
    ) -> Option<(Message, Deaths)> {
        let message = &letter.message;
        let properties = RawProperties(message.properties());
        let mut headers =
            properties.headers().and_then(Result::ok).unwrap_or_default().inner().clone();
        let mut deaths = match message.deaths() {
            Some(deaths) => deaths.clone(),
            None => Deaths::routed_by(routing_keys(message, &headers.clone().into())),
        };
        deaths.record(Death {
            queue: queue.name().clone(),
            reason: letter.reason,
            count: 1,
            first_at: self.now(),
            exchange: message.exchange().to_vec(),
            routing_keys: deaths.routing_keys.clone(),
            original_expiration_ms: message.expiration_ms(),
        });
        if let Some(key) = &target.routing_key {
            deaths.routing_keys = vec![key.clone().into_bytes()];
        }
        deaths.write_headers(&mut headers);
        let headers = FieldTable::from(headers);
        let changes = Changes {
            headers: Change::Set(&headers),
            expiration: Change::Remove,
            ..Changes::default()
        };
        let properties = properties.with(&changes).ok()?;
        let parts = Parts {
            exchange: target.exchange.as_str().as_bytes(),
            routing_key: deaths.routing_keys.first()?,
            properties: &properties,
            expiration_ms: None,
            body: match message.shared_body() {
                Some(body) => Body::Shared(body.clone()),
                None => Body::Borrowed(message.body()),
            },
        };
        let rewritten =
            Message::with_deaths(parts, Some(Box::new(deaths.clone())), &mut Vec::new());
        Some((rewritten, deaths))
    }
}

/// The routing key of a message that never died, and those in its header `CC`.
fn routing_keys(message: &Message, headers: &FieldTable) -> Vec<Vec<u8>> {
    let mut keys = vec![message.routing_key().to_vec()];
    keys.extend(sender_selected_keys(headers).unwrap_or_default());
    keys
}
