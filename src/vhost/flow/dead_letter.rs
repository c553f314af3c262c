//! Dead-lettering: from the queue that a message died in to its dead-letter exchange
//! `[rabbitmq dlx]`.

use std::sync::Arc;

use leveret_protocol::properties::{Change, Changes};
use leveret_storage::Target;

use crate::base::names::QueueName;
use crate::insight::journal::{DropReason, EventKind};
use crate::message::deaths::{Death, DeathReason, Deaths};
use crate::message::stored::Gone;
use crate::message::{Message, Parts};
use crate::persist::{self, Moved, Stays};
use crate::queue::effects::{DeadLetter, Effects};
use crate::queue::{DeadLetterTarget, Enqueued, Queue};
use crate::time::clock::Timestamp;
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
        let keys: Vec<&[u8]> = deaths.routing_keys().iter().map(Vec::as_slice).collect();
        let subject = Subject { routing_keys: &keys, headers: None, message: &message };
        let route = self.route(exchange, &subject, Pass::Publish);
        let mut is_delivered = route.taken || !route.queues.is_empty();
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
        is_delivered &= self.bury_in(queue, letter, &message, targets, effects);
        is_delivered
    }

    /// Puts a dead letter into these queues, and stores it there with the write that settles it
    /// where it was: then it is in the one place or in the other, whatever happens. Where it is
    /// kept until it is delivered it stays for those that may not take it, with a note of who has
    /// it by then. Tells whether all have taken it.
    fn bury_in(
        &self,
        queue: &Arc<Queue>,
        letter: &mut DeadLetter,
        message: &Message,
        targets: Vec<Arc<Queue>>,
        effects: &mut Effects,
    ) -> bool {
        let keeps = queue.keeps_dead_letters();
        let body_bytes = message.body_len() as u64;
        // A stream refuses nothing.
        let is_sure = |target: &Arc<Queue>| {
            !keeps || target.stream().is_some() || target.promise_room(body_bytes)
        };
        let (sure, unsure): (Vec<_>, Vec<_>) = targets.into_iter().partition(is_sure);
        let mut is_delivered = true;
        let mut put = |letter: &mut DeadLetter,
                       targets: &[Arc<Queue>],
                       origin,
                       moved: &Moved<'_>| {
            let mut messages = vec![message.clone()];
            let (now, stored) = (self.now(), persist::nothing);
            let outcome = |at: usize, _, outcome| match (outcome, targets.get(at)) {
                (Enqueued::Accepted | Enqueued::Duplicate, Some(target)) => {
                    letter.delivered_to.push(target.name().clone());
                }
                _ => is_delivered = false,
            };
            self.enqueue_from(now, moved, origin, targets, &mut messages, effects, stored, outcome)
        };
        let id = queue.storage().id;
        let left =
            letter.stored.map(|sequence| Gone { queue: id, first: sequence, last: sequence });
        let stays = left.filter(|_| !unsure.is_empty() && !sure.is_empty()).map(|_| {
            let arrived_in = sure.iter().map(|target| target.name().clone());
            self.staying(queue, letter, arrived_in)
        });
        let number = stays.as_ref().map(|stays| stays.target.sequence);
        let origin = if keeps { Origin::Promised } else { Origin::Broker };
        let is_in_log = put(letter, &sure, origin, &Moved { left: left.as_slice(), stays });
        letter.stored = number.filter(|_| is_in_log).or(letter.stored);
        if !unsure.is_empty() {
            put(letter, &unsure, Origin::Denied, &Moved::default());
        }
        is_delivered
    }

    /// A dead letter as it stays in its queue when it has arrived in some others.
    fn staying(
        &self,
        queue: &Queue,
        letter: &DeadLetter,
        arrived_in: impl Iterator<Item = QueueName>,
    ) -> Stays {
        let message = &letter.message;
        let mut deaths = deaths_of(message);
        deaths.arrived_in = letter.delivered_to.iter().cloned().chain(arrived_in).collect();
        let parts = Parts {
            exchange: message.exchange_octets(),
            routing_key: message.routing_key_octets(),
            properties: message.raw_properties().0,
            expiration_ms: message.expiration_ms(),
            body: message.body_to_share(),
        };
        let is_expired = letter.reason == DeathReason::Expired;
        let expires_at = if is_expired { self.now() } else { Timestamp::NEVER };
        let id = queue.storage().id;
        Stays {
            target: Target { queue: id, sequence: queue.reserve(1) },
            message: Message::with_deaths(parts, Some(Box::new(deaths)), &mut Vec::new()),
            expires: [(id, expires_at)],
        }
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
        let mut deaths = deaths_of(message);
        deaths.arrived_in = Vec::new();
        deaths.record(Death {
            queue: queue.name().clone(),
            reason: letter.reason,
            count: 1,
            first_at: self.now(),
            exchange: message.exchange_octets().into(),
            routing_keys: deaths.told_keys(),
            original_expiration_ms: message.expiration_ms(),
        });
        if queue.is_quorum() {
            let failures =
                u32::from(letter.failures) + u32::from(letter.reason == DeathReason::Rejected);
            deaths.failures = deaths.failures.saturating_add(failures);
        }
        if let Some(key) = &target.routing_key {
            deaths.set_routing_keys(Arc::from([key.clone().into_bytes()]));
        }
        let headers = deaths.headers(properties.raw_headers().unwrap_or_default());
        let changes = Changes {
            headers: Change::Set(&headers),
            expiration: Change::Remove,
            ..Changes::default()
        };
        let properties = properties.with(&changes).ok()?;
        let routing_keys = Arc::clone(deaths.routing_keys());
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

/// What a message remembers of its deaths, if only how it was routed.
fn deaths_of(message: &Message) -> Deaths {
    match message.deaths() {
        Some(deaths) => deaths.clone(),
        None => Deaths::routed_by(routing_keys(message), 0),
    }
}

/// The routing key of a message that never died and had no `BCC`, and those in its header `CC`.
fn routing_keys(message: &Message) -> Vec<Vec<u8>> {
    let mut keys = vec![message.routing_key_octets().to_vec()];
    if let Some(Ok(headers)) = message.raw_properties().headers() {
        keys.extend(sender_selected_keys(&headers).unwrap_or_default());
    }
    keys
}
