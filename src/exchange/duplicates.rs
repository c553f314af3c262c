//! `x-message-deduplication`: which messages were here before
//! `[rabbitmq message-deduplication]`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use super::ExchangeArgumentError;
use crate::base::argument;
use crate::base::field_value::{get, integer_or_digits, text};
use crate::message::duplicate_key::DuplicateKey;
use crate::time::clock::Timestamp;

/// Keys that an exchange without `x-cache-size` remembers.
const DEFAULT_SIZE: usize = 128;

/// How long a message with these headers is remembered, in milliseconds, if it says so itself.
pub(crate) fn own_ttl_ms(headers: &FieldTable) -> Option<u64> {
    let ms = get(headers, argument::CACHE_TTL).and_then(integer_or_digits)?;
    Some(u64::try_from(ms).unwrap_or(0))
}

/// Keys of messages that were routed, at most so many and for a limited time.
pub(crate) struct DuplicateCache {
    size: usize,
    ttl_ms: Option<u64>,
    places: HashMap<Arc<DuplicateKey>, (Timestamp, u64)>,
    /// Soonest to expire first, then oldest first.
    order: BTreeMap<(Timestamp, u64), Arc<DuplicateKey>>,
    next_sequence: u64,
    footprint: usize,
}

impl DuplicateCache {
    /// An empty cache. `arguments` are those of `exchange.declare`: `x-cache-size`, 128 if it is
    /// missing, `x-cache-ttl` in milliseconds, for ever if it is missing, and
    /// `x-cache-persistence`, which is checked and has no effect.
    ///
    /// # Errors
    ///
    /// If an argument is out of range (406).
    pub(crate) fn new(arguments: &FieldTable) -> Result<Self, ExchangeArgumentError> {
        let positive = |name| match get(arguments, name) {
            None => Ok(None),
            Some(value) => match integer_or_digits(value).map(u64::try_from) {
                Some(Ok(number)) if number > 0 => Ok(Some(number)),
                _ => Err(()),
            },
        };
        let size = positive(argument::CACHE_SIZE).map_err(|()| ExchangeArgumentError::CacheSize)?;
        let ttl_ms = positive(argument::CACHE_TTL).map_err(|()| ExchangeArgumentError::CacheTtl)?;
        let persistence = get(arguments, argument::CACHE_PERSISTENCE);
        if persistence.is_some_and(|value| !matches!(text(value), Some("disk" | "memory"))) {
            return Err(ExchangeArgumentError::CachePersistence);
        }
        let size = size.map_or(DEFAULT_SIZE, |size| usize::try_from(size).unwrap_or(usize::MAX));
        Ok(Self {
            size,
            ttl_ms,
            places: HashMap::new(),
            order: BTreeMap::new(),
            next_sequence: 0,
            footprint: 0,
        })
    }

    /// Remembers a key; `false` if it is remembered already, which does not prolong it. A full
    /// cache forgets the key that expires first, and of those the oldest.
    pub(crate) fn insert(
        &mut self,
        key: DuplicateKey,
        ttl_ms: Option<u64>,
        now: Timestamp,
    ) -> bool {
        while self.order.first_key_value().is_some_and(|((expires_at, _), _)| *expires_at <= now) {
            self.forget_first();
        }
        if self.places.contains_key(&key) {
            return false;
        }
        if self.places.len() >= self.size {
            self.forget_first();
        }
        let expires_at = ttl_ms.or(self.ttl_ms).map_or(Timestamp::NEVER, |ms| now.after_ms(ms));
        self.remember(key, expires_at);
        true
    }

    fn remember(&mut self, key: DuplicateKey, expires_at: Timestamp) {
        let place = (expires_at, self.next_sequence);
        self.next_sequence += 1;
        self.footprint += key.footprint();
        let key = Arc::new(key);
        self.places.insert(Arc::clone(&key), place);
        self.order.insert(place, key);
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.places.remove(&key);
            self.footprint -= key.footprint();
        }
    }

    /// The keys, and until when each is remembered, in the order in which they are forgotten.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&DuplicateKey, Timestamp)> {
        self.order.iter().map(|((expires_at, _), key)| (&**key, *expires_at))
    }

    /// Remembers these keys and no others.
    pub(crate) fn replace(&mut self, entries: impl IntoIterator<Item = (DuplicateKey, Timestamp)>) {
        while !self.order.is_empty() {
            self.forget_first();
        }
        for (key, expires_at) in entries {
            self.remember(key, expires_at);
        }
    }

    /// Octets that the keys occupy, about.
    pub(crate) fn footprint(&self) -> usize {
        self.footprint
    }
}

#[cfg(test)]
mod tests {
    use amq_protocol::types::AMQPValue;
    use proptest::prelude::*;

    use super::*;

    fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn key(number: i64) -> DuplicateKey {
        let headers = table(&[("x-deduplication-header", AMQPValue::LongLongInt(number))]);
        DuplicateKey::in_headers(&headers).unwrap()
    }

    fn cache(size: i64, ttl_ms: Option<i64>) -> DuplicateCache {
        let mut arguments = table(&[("x-cache-size", AMQPValue::LongLongInt(size))]);
        if let Some(ms) = ttl_ms {
            arguments.insert("x-cache-ttl".into(), AMQPValue::LongLongInt(ms));
        }
        DuplicateCache::new(&arguments).unwrap()
    }

    #[test]
    fn a_full_cache_forgets_the_oldest() {
        let now = Timestamp::from_millis(0);
        let mut cache = cache(2, None);
        let fresh: Vec<_> =
            [1, 2, 1, 3, 2, 1].iter().map(|&n| cache.insert(key(n), None, now)).collect();
        assert_eq!(fresh, [true, true, false, true, false, true]);
    }

    #[test]
    fn arguments_are_checked() {
        let refusal = |name: &str, value: AMQPValue| {
            DuplicateCache::new(&table(&[(name, value)])).err().map(|error| error.to_string())
        };
        let text = |text: &str| AMQPValue::LongString(text.into());
        for bad in [AMQPValue::LongInt(0), AMQPValue::LongInt(-1), text("many")] {
            assert_eq!(
                refusal("x-cache-size", bad.clone()).unwrap(),
                "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"
            );
            assert_eq!(
                refusal("x-cache-ttl", bad).unwrap(),
                "Invalid argument, 'x-cache-ttl' must be an integer greater than 0"
            );
        }
        assert_eq!(
            refusal("x-cache-persistence", text("tape")).unwrap(),
            "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'"
        );
        assert_eq!(refusal("x-cache-persistence", text("disk")), None);
        assert_eq!(refusal("x-cache-size", text("12")), None);
        assert_eq!(DuplicateCache::new(&FieldTable::default()).unwrap().size, DEFAULT_SIZE);
    }

    proptest! {
        /// As long as it is not full the cache knows exactly what was inserted and has not
        /// expired; it never holds more than its size.
        #[test]
        fn it_remembers_for_the_time_to_live(
            steps in prop::collection::vec(
                (0..20_i64, 0..5_u64, prop::option::of(0..40_u64)),
                0..200,
            ),
            size in 1..30_i64,
        ) {
            let mut cache = cache(size, Some(10));
            let mut model: HashMap<i64, u64> = HashMap::new();
            let mut now = 0;
            for (number, passed, ttl) in steps {
                now += passed;
                model.retain(|_, expires_at| *expires_at > now);
                let known = model.contains_key(&number);
                let fresh = cache.insert(key(number), ttl, Timestamp::from_millis(now));
                prop_assert!(!fresh || !known || size < 20);
                prop_assert!(fresh || known);
                if fresh {
                    model.insert(number, now + ttl.unwrap_or(10));
                }
                prop_assert!(cache.places.len() <= usize::try_from(size).unwrap());
                prop_assert_eq!(cache.places.len(), cache.order.len());
                let footprint: usize = cache.places.keys().map(|key| key.footprint()).sum();
                prop_assert_eq!(cache.footprint(), footprint);
            }
        }
    }
}
