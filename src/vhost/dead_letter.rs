//! Dead-lettering: from the queue that a message died in to its dead-letter exchange
//! `[rabbitmq dlx]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, LongString};
use leveret_protocol::properties::{Change, Changes, RawProperties};

use crate::clock::Timestamp;
use crate::message::{Body, Message, Parts};
use crate::names::QueueName;
use crate::queue::effects::{DeadLetter, DeathReason, Effects};
use crate::queue::{DeadLetterTarget, Queue};
use crate::vhost::VirtualHost;
use crate::vhost::publish::sender_selected_keys;
use crate::vhost::route::Subject;

/// Deaths of a message in one queue for one reason.
#[derive(Clone, Debug, PartialEq)]
struct Death {
    queue: QueueName,
    reason: DeathReason,
    count: i64,
    first_at: Timestamp,
    exchange: Vec<u8>,
    routing_keys: Vec<Vec<u8>>,
    original_expiration_ms: Option<u64>,
}

/// What a message remembers of its deaths. It travels with the message and not in its headers, so
/// that a client that publishes a copy of the headers starts anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deaths {
    /// Most recent first.
    deaths: Vec<Death>,
    /// Queue, reason and exchange of the first death.
    first: Option<(QueueName, DeathReason, Vec<u8>)>,
    /// The keys by which the message was routed last.
    routing_keys: Vec<Vec<u8>>,
}

impl Deaths {
    /// Counts a death, which becomes the most recent one.
    fn record(&mut self, death: Death) {
        if self.first.is_none() {
            self.first = Some((death.queue.clone(), death.reason, death.exchange.clone()));
        }
        let same = |other: &Death| other.queue == death.queue && other.reason == death.reason;
        match self.deaths.iter().position(same) {
            Some(at) => {
                let mut known = self.deaths.remove(at);
                known.count += 1;
                self.deaths.insert(0, known);
            }
            None => self.deaths.insert(0, death),
        }
    }

    /// Whether the message would come back to `queue` without anybody having rejected it since:
    /// it would go round for ever.
    fn is_cycle(&self, queue: &QueueName) -> bool {
        let Some(at) = self.deaths.iter().position(|death| death.queue == *queue) else {
            return false;
        };
        self.deaths.iter().take(at + 1).all(|death| death.reason != DeathReason::Rejected)
    }

    /// Writes `x-death`, `x-first-death-*` and `x-last-death-*`.
    fn write_headers(&self, headers: &mut BTreeMap<amq_protocol::types::ShortString, AMQPValue>) {
        let mut put = |name: String, value| headers.insert(name.into(), value);
        let deaths: Vec<_> = self.deaths.iter().map(Death::to_table).collect();
        put("x-death".into(), AMQPValue::FieldArray(FieldArray::from(deaths)));
        let last = self.deaths.first().map(|d| (d.queue.clone(), d.reason, d.exchange.clone()));
        for (which, death) in [("first", &self.first), ("last", &last)] {
            if let Some((queue, reason, exchange)) = death {
                put(format!("x-{which}-death-queue"), text(queue.as_str()));
                put(format!("x-{which}-death-reason"), text(reason.as_str()));
                put(format!("x-{which}-death-exchange"), text(exchange.as_slice()));
            }
        }
    }
}

impl Death {
    fn to_table(&self) -> AMQPValue {
        let keys: Vec<_> = self.routing_keys.iter().map(|key| text(key.as_slice())).collect();
        let mut table = FieldTable::default();
        table.insert("count".into(), AMQPValue::LongLongInt(self.count));
        table.insert("reason".into(), text(self.reason.as_str()));
        table.insert("queue".into(), text(self.queue.as_str()));
        table.insert("time".into(), AMQPValue::Timestamp(self.first_at.as_seconds()));
        table.insert("exchange".into(), text(self.exchange.as_slice()));
        table.insert("routing-keys".into(), AMQPValue::FieldArray(FieldArray::from(keys)));
        if let Some(ms) = self.original_expiration_ms {
            table.insert("original-expiration".into(), text(ms.to_string().as_bytes()));
        }
        AMQPValue::FieldTable(table)
    }
}

fn text(octets: impl AsRef<[u8]>) -> AMQPValue {
    AMQPValue::LongString(LongString::from(octets.as_ref().to_vec()))
}

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
        let subject = Subject {
            routing_keys: &keys,
            headers: None,
            properties: RawProperties(message.properties()),
        };
        let now = self.now();
        for target in self.route(&exchange, &subject).queues {
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
            None => Deaths {
                routing_keys: routing_keys(message, &headers.clone().into()),
                ..Deaths::default()
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn death(queue: &str, reason: DeathReason) -> Death {
        Death {
            queue: queue.into(),
            reason,
            count: 1,
            first_at: Timestamp::from_millis(5000),
            exchange: b"x".to_vec(),
            routing_keys: vec![b"k".to_vec()],
            original_expiration_ms: None,
        }
    }

    #[test]
    fn a_repeated_death_counts_up_and_moves_to_the_front() {
        let mut deaths = Deaths::default();
        deaths.record(death("a", DeathReason::Expired));
        deaths.record(death("b", DeathReason::Rejected));
        deaths.record(death("a", DeathReason::Expired));
        let order: Vec<_> =
            deaths.deaths.iter().map(|d| (d.queue.as_str().to_owned(), d.count)).collect();
        assert_eq!(order, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }

    #[test]
    fn a_rejection_breaks_the_cycle() {
        let mut deaths = Deaths::default();
        deaths.record(death("a", DeathReason::Expired));
        assert!(deaths.is_cycle(&"a".into()));
        assert!(!deaths.is_cycle(&"b".into()));
        deaths.record(death("b", DeathReason::Rejected));
        assert!(!deaths.is_cycle(&"a".into()));
    }
}
