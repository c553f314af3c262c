//! What a message remembers of being dead-lettered `[rabbitmq dlx]`.

use std::sync::Arc;

use leveret_protocol::table::{TableWriter, entries};
use serde::{Deserialize, Serialize};

use crate::base::names::QueueName;
use crate::base::octets::{Reader, Writer};
use crate::time::clock::Timestamp;

/// Why a message was dead-lettered `[rabbitmq dlx]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeathReason {
    /// Rejected or nacked without requeue.
    Rejected,
    /// Its time to live ran out.
    Expired,
    /// A length limit was exceeded.
    #[serde(rename = "maxlen")]
    MaxLen,
    /// It was returned more often than the queue's delivery limit allows.
    DeliveryLimit,
}

impl DeathReason {
    fn from_word(word: &str) -> Option<Self> {
        [Self::Rejected, Self::Expired, Self::MaxLen, Self::DeliveryLimit]
            .into_iter()
            .find(|reason| reason.as_str() == word)
    }

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
    pub exchange: Arc<[u8]>,
    /// Routing keys that it had, those in `CC` included.
    pub routing_keys: Arc<[Vec<u8>]>,
    /// `expiration`, which is taken from it at its first death, in milliseconds.
    pub original_expiration_ms: Option<u64>,
}

/// What a message remembers of its deaths. It travels with the message and not in its headers, so
/// that a client that publishes a copy of the headers starts anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Deaths {
    /// Most recent first.
    deaths: Vec<Death>,
    /// Queue, reason and exchange of the first death.
    first: Option<(QueueName, DeathReason, Arc<[u8]>)>,
    /// The keys by which the message was routed last.
    routing_keys: Arc<[Vec<u8>]>,
    /// How many of the last of these came in its header `BCC`: they route it, and nobody is told.
    blind: usize,
    /// How often its delivery failed in the quorum queues that it was in: it was rejected, or the
    /// connection or the channel ended.
    pub(crate) failures: u32,
    /// Of one that has died and is kept until it is delivered: queues that it has arrived in.
    pub(crate) arrived_in: Vec<QueueName>,
}

impl Deaths {
    /// Of a message that has not died yet and was routed by these keys, of which so many at the end
    /// came in `BCC`.
    pub(crate) fn routed_by(routing_keys: Vec<Vec<u8>>, blind: usize) -> Self {
        Self { routing_keys: routing_keys.into(), blind, ..Self::default() }
    }

    /// The keys by which the message was routed last.
    pub(crate) fn routing_keys(&self) -> &Arc<[Vec<u8>]> {
        &self.routing_keys
    }

    /// It is routed by other keys, of which none came in `BCC`.
    pub(crate) fn set_routing_keys(&mut self, routing_keys: Arc<[Vec<u8>]>) {
        (self.routing_keys, self.blind) = (routing_keys, 0);
    }

    /// The keys by which the message was routed last, as receivers are told.
    pub(crate) fn told_keys(&self) -> Arc<[Vec<u8>]> {
        if self.blind == 0 {
            return Arc::clone(&self.routing_keys);
        }
        let told = self.routing_keys.len().saturating_sub(self.blind);
        self.routing_keys.get(..told).unwrap_or_default().into()
    }

    /// Octets that this takes, about, with the keys: clients choose how many there are.
    pub(crate) fn footprint(&self) -> usize {
        let keys = |keys: &[Vec<u8>]| -> usize {
            keys.iter().map(|key| std::mem::size_of::<Vec<u8>>() + key.len()).sum()
        };
        let of_deaths = self.deaths.iter().map(|death| {
            let exchange = death.exchange.len();
            std::mem::size_of::<Death>() + exchange + keys(&death.routing_keys)
        });
        std::mem::size_of::<Self>() + keys(&self.routing_keys) + of_deaths.sum::<usize>()
    }

    /// The most recent one first.
    pub(crate) fn all(&self) -> &[Death] {
        &self.deaths
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

    /// The headers of a dead letter: those that it had, octet for octet, and `x-death`,
    /// `x-first-death-*` and `x-last-death-*` in RabbitMQ's order.
    pub(crate) fn headers(&self, headers: &[u8]) -> Vec<u8> {
        let mut table = TableWriter::new();
        for (_, entry) in entries(headers).filter(|(name, _)| !is_death_header(name)) {
            table.entry(entry);
        }
        table.tables(DEATHS_HEADER, self.deaths.iter().map(Death::to_table));
        let last = self.deaths.first().map(|d| (d.queue.clone(), d.reason, d.exchange.clone()));
        for (names, death) in [(FIRST_DEATH, &self.first), (LAST_DEATH, &last)] {
            if let Some((queue, reason, exchange)) = death {
                table
                    .long_string(names[0], reason.as_str().as_bytes())
                    .long_string(names[1], queue.as_str().as_bytes())
                    .long_string(names[2], exchange);
            }
        }
        table.finish()
    }
}

/// In the store.
impl Deaths {
    /// Appends them.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.deaths.len()).unwrap_or(u32::MAX));
        for death in &self.deaths {
            writer
                .octets(death.queue.as_str().as_bytes())
                .octets(death.reason.as_str().as_bytes())
                .u64(death.count.cast_unsigned())
                .u64(death.first_at.as_micros())
                .octets(&death.exchange)
                .u64(death.original_expiration_ms.unwrap_or(u64::MAX))
                .keys(&death.routing_keys);
        }
        writer.u8(self.first.is_some().into());
        if let Some((queue, reason, exchange)) = &self.first {
            writer.octets(queue.as_str().as_bytes()).octets(reason.as_str().as_bytes());
            writer.octets(exchange);
        }
        writer.keys(&self.routing_keys).u32(self.failures);
        let arrived_in: Vec<_> = self.arrived_in.iter().map(|name| name.as_str().into()).collect();
        writer.keys(&arrived_in).u32(u32::try_from(self.blind).unwrap_or(u32::MAX));
    }

    /// Takes them again; `None` if they are damaged.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let deaths = reader.list(|reader| {
            Some(Death {
                queue: reader.text()?.into(),
                reason: DeathReason::from_word(reader.text()?)?,
                count: reader.u64()?.cast_signed(),
                first_at: Timestamp::from_micros(reader.u64()?),
                exchange: reader.octets()?.into(),
                original_expiration_ms: Some(reader.u64()?).filter(|&ms| ms != u64::MAX),
                routing_keys: reader.keys()?.into(),
            })
        })?;
        let first = match reader.u8()? {
            0 => None,
            _ => {
                let queue = reader.text()?.into();
                let reason = DeathReason::from_word(reader.text()?)?;
                Some((queue, reason, reader.octets()?.into()))
            }
        };
        let routing_keys: Arc<[Vec<u8>]> = reader.keys()?.into();
        // Older stores do not have these.
        let failures = reader.u32().unwrap_or(0);
        let arrived_in = reader.keys().unwrap_or_default();
        let names = arrived_in.iter().map(|name| std::str::from_utf8(name).ok().map(Into::into));
        let arrived_in = names.collect::<Option<_>>()?;
        let blind = reader.u32().map_or(0, |blind| blind as usize).min(routing_keys.len());
        Some(Self { deaths, first, routing_keys, blind, failures, arrived_in })
    }
}

/// The header with all deaths.
pub(crate) const DEATHS_HEADER: &str = "x-death";

/// Headers for the reason, the queue and the exchange of a death.
const FIRST_DEATH: [&str; 3] =
    ["x-first-death-reason", "x-first-death-queue", "x-first-death-exchange"];
const LAST_DEATH: [&str; 3] =
    ["x-last-death-reason", "x-last-death-queue", "x-last-death-exchange"];

/// Whether a header is one that dead-lettering writes.
fn is_death_header(name: &[u8]) -> bool {
    name == DEATHS_HEADER.as_bytes()
        || name.starts_with(b"x-first-death-")
        || name.starts_with(b"x-last-death-")
}

impl Death {
    fn to_table(&self) -> TableWriter {
        let mut table = TableWriter::new();
        if let Some(ms) = self.original_expiration_ms {
            table.long_string("original-expiration", ms.to_string().as_bytes());
        }
        table
            .long_long("count", self.count)
            .long_string("reason", self.reason.as_str().as_bytes())
            .long_string("queue", self.queue.as_str().as_bytes())
            .timestamp("time", self.first_at.as_seconds())
            .long_string("exchange", &self.exchange)
            .long_strings("routing-keys", self.routing_keys.iter().map(Vec::as_slice));
        table
    }
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
            exchange: b"x".as_slice().into(),
            routing_keys: vec![b"k".to_vec()].into(),
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

    #[test]
    fn headers_keep_what_was_there_and_follow_rabbitmqs_order() {
        let mut before = TableWriter::new();
        before.long_string("z", b"mine").long_string("x-death", b"forged").long_long("a", 1);
        let before = before.finish();
        let mut deaths = Deaths::default();
        deaths
            .record(Death { original_expiration_ms: Some(60), ..death("q", DeathReason::Expired) });
        let headers = deaths.headers(&before);
        let names: Vec<_> =
            entries(&headers).map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        let expected = [
            "z",
            "a",
            "x-death",
            "x-first-death-reason",
            "x-first-death-queue",
            "x-first-death-exchange",
            "x-last-death-reason",
            "x-last-death-queue",
            "x-last-death-exchange",
        ];
        assert_eq!(names, expected);
        let table = Death { original_expiration_ms: Some(60), ..death("q", DeathReason::Expired) }
            .to_table()
            .finish();
        let fields: Vec<_> = entries(&table).map(|(name, _)| name.to_vec()).collect();
        let expected = [
            &b"original-expiration"[..],
            b"count",
            b"reason",
            b"queue",
            b"time",
            b"exchange",
            b"routing-keys",
        ];
        assert_eq!(fields, expected);
    }
}
