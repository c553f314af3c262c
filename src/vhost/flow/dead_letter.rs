//! Dead-lettering: from the queue that a message died in to its dead-letter exchange
//! `[rabbitmq dlx]`.

use std::sync::Arc;

use leveret_protocol::properties::{Change, Changes};

use crate::insight::journal::{DropReason, EventKind};
use crate::message::deaths::{Death, DeathReason, Deaths};
use crate::message::stored::Gone;
use crate::message::{Message, Parts};
use crate::persist;
use crate::queue::effects::{DeadLetter, Effects};
use crate::queue::{DeadLetterTarget, Enqueued, Queue};
use crate::vhost::Origin;
use crate::vhost::VirtualHost;
use crate::vhost::flow::publish::sender_selected_keys;
use crate::vhost::flow::route::{Pass, Subject};
use crate::vhost::topology::exchange::Exchange;

impl VirtualHost {
    /// Publishes a dead letter of `queue` to its dead-letter exchange. If that does not exist, or
    /// leads nowhere, or a queue refuses it, the message is dropped without a word, unless the
    /// queue keeps its dead letters until they are delivered
    /// `[rabbitmq quorum-queues#dead-lettering]`.
    pub(in crate::vhost) fn dead_letter(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        mut letter: DeadLetter,
        effects: &mut Effects,
    ) {
        let Some(target) = queue.dead_letter_target() else {
            queue.note_buried(&letter, effects);
            return;
        };
        let is_delivered = self
            .find_exchange(target.exchange.as_str())
            .is_some_and(|exchange| self.bury(queue, &mut letter, &target, &exchange, effects));
        if is_delivered {
            queue.count_arrived();
            queue.note_buried(&letter, effects);
        } else {
            queue.keep_discard(letter, self.now(), effects);
        }
    }

    /// Publishes a dead letter to the queues that do not have it yet; tells whether every queue
    /// has it by now, and there is one.
    fn bury(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        letter: &mut DeadLetter,
        target: &DeadLetterTarget,
        exchange: &Arc<Exchange>,
        effects: &mut Effects,
    ) -> bool {
        let reason = letter.reason;
        let Some(message) = self.rewrite(queue, letter, target) else { return true };
        let Some(deaths) = message.deaths() else { return true };
        let keys: Vec<&[u8]> = deaths.routing_keys.iter().map(Vec::as_slice).collect();
        let subject = Subject { routing_keys: &keys, headers: None, message: &message };
        let route = self.route(exchange, &subject, Pass::Publish);
        let mut is_delivered = route.taken || !route.queues.is_empty();
        effects.moved_to_streams |= route.queues.iter().any(|target| target.stream().is_some());
        let targets = route.queues.into_iter().filter(|target| {
            if letter.delivered_to.contains(target.name()) {
                return false;
            }
            let is_cycle = reason != DeathReason::Rejected && deaths.is_cycle(target.name());
            if is_cycle {
                tracing::warn!(
                    "message dropped: dead-lettered from {} it would come to {} again and again",
                    queue.resource(),
                    target.resource()
                );
                queue.note_dropped(&letter.message, DropReason::Cycle(reason), self.now());
            }
            !is_cycle
        });
        let targets: Vec<_> = targets.collect();
        if !targets.is_empty() || route.taken {
            self.note_derived(&message, &letter.message, || EventKind::DeadLettered {
                queue: queue.name().clone(),
                reason,
                exchange: target.exchange.clone(),
                to: targets.iter().map(|target| target.name().clone()).collect(),
            });
        }
        // Where it is kept until it is delivered it stays until all have taken it, unless it is
        // sure that they do: then it is in the one place or in the other, whatever happens.
        let is_unsure = |target: &Arc<Queue>| target.stream().is_some() || target.may_refuse();
        let origin = match queue.keeps_dead_letters() && targets.iter().any(is_unsure) {
            true => Origin::Client,
            false => Origin::Broker,
        };
        let mut message = vec![message];
        let left = letter.stored.filter(|_| origin == Origin::Broker).map(|sequence| Gone {
            queue: queue.storage().id,
            first: sequence,
            last: sequence,
        });
        self.enqueue_from(
            self.now(),
            left.as_slice(),
            origin,
            &targets,
            &mut message,
            effects,
            persist::nothing,
            |at, _, outcome| match (outcome, targets.get(at)) {
                (Enqueued::Accepted | Enqueued::Duplicate, Some(target)) => {
                    letter.delivered_to.push(target.name().clone());
                }
                _ => is_delivered = false,
            },
        );
        is_delivered
    }

    /// The message as it is published again, with its deaths.
    fn rewrite(
        &self,
        queue: &Queue,
        letter: &DeadLetter,
        target: &DeadLetterTarget,
    ) -> Option<Message> {
        let message = &letter.message;
        let properties = message.raw_properties();
        let mut deaths = match message.deaths() {
            Some(deaths) => deaths.clone(),
            None => Deaths::routed_by(routing_keys(message)),
        };
        deaths.record(Death {
            queue: queue.name().clone(),
            reason: letter.reason,
            count: 1,
            first_at: self.now(),
            exchange: message.exchange_octets().into(),
            routing_keys: Arc::clone(&deaths.routing_keys),
            original_expiration_ms: message.expiration_ms(),
        });
        if queue.is_quorum() {
            let failures =
                u32::from(letter.failures) + u32::from(letter.reason == DeathReason::Rejected);
            deaths.failures = deaths.failures.saturating_add(failures);
        }
        if let Some(key) = &target.routing_key {
            deaths.routing_keys = Arc::from([key.clone().into_bytes()]);
        }
        let headers = deaths.headers(properties.raw_headers().unwrap_or_default());
        let changes = Changes {
            headers: Change::Set(&headers),
            expiration: Change::Remove,
            ..Changes::default()
        };
        let properties = properties.with(&changes).ok()?;
        let routing_keys = Arc::clone(&deaths.routing_keys);
        let parts = Parts {
            exchange: target.exchange.as_str().as_bytes(),
            routing_key: routing_keys.first()?,
            properties: &properties,
            expiration_ms: None,
            body: message.body_to_share(),
        };
        Some(Message::with_deaths(parts, Some(Box::new(deaths)), &mut Vec::new()))
    }
}

/// The routing key of a message that never died, and those in its header `CC`.
fn routing_keys(message: &Message) -> Vec<Vec<u8>> {
    let mut keys = vec![message.routing_key_octets().to_vec()];
    if let Some(Ok(headers)) = message.raw_properties().headers() {
        keys.extend(sender_selected_keys(&headers).unwrap_or_default());
    }
    keys
}
