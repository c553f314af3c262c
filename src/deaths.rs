//! What a message remembers of being dead-lettered `[rabbitmq dlx]`.

use std::collections::BTreeMap;

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};

use crate::clock::Timestamp;
use crate::names::QueueName;

/// Why a message was dead-lettered `[rabbitmq dlx]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathReason {
    /// Rejected or nacked without requeue.
    Rejected,
    /// Its time to live ran out.
    Expired,
    /// A length limit was exceeded.
    MaxLen,
    /// It was returned more often than the queue's delivery limit allows.
    DeliveryLimit,
}

impl DeathReason {
    /// The word in the header `x-death`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLen => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// Deaths of a message in one queue for one reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Death {
    /// Queue that it died in.
    pub queue: QueueName,
    /// Why.
    pub reason: DeathReason,
    /// How often.
    pub count: i64,
    /// When for the first time.
    pub first_at: Timestamp,
    /// Exchange that it was published to.
    pub exchange: Vec<u8>,
    /// Routing keys that it had, those in `CC` included.
    pub routing_keys: Vec<Vec<u8>>,
    /// `expiration`, which is taken from it at its first death, in milliseconds.
    pub original_expiration_ms: Option<u64>,
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
    pub(crate) routing_keys: Vec<Vec<u8>>,
}

impl Deaths {
    /// Of a message that has not died yet and was routed by these keys.
    pub(crate) fn routed_by(routing_keys: Vec<Vec<u8>>) -> Self {
        Self { routing_keys, ..Self::default() }
    }

    /// Counts a death, which becomes the most recent one.
    pub(crate) fn record(&mut self, death: Death) {
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
    pub(crate) fn is_cycle(&self, queue: &QueueName) -> bool {
        let Some(at) = self.deaths.iter().position(|death| death.queue == *queue) else {
            return false;
        };
        self.deaths.iter().take(at + 1).all(|death| death.reason != DeathReason::Rejected)
    }

    /// Writes `x-death`, `x-first-death-*` and `x-last-death-*`.
    pub(crate) fn write_headers(&self, headers: &mut BTreeMap<ShortString, AMQPValue>) {
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
