//! `x-recent-history`: the last messages, for those who come late
//! `[rabbitmq recent-history-exchange]`.

use std::collections::VecDeque;

use amq_protocol::types::{AMQPValue, FieldTable};

use super::ExchangeArgumentError;
use crate::base::argument;
use crate::base::erlang_term;
use crate::base::field_value::{get, integer};

/// Messages that an exchange without `x-recent-history-length` remembers.
const DEFAULT_LENGTH: usize = 20;

/// How many messages to remember.
pub(super) fn length(arguments: &FieldTable) -> Result<usize, ExchangeArgumentError> {
    let Some(value) = get(arguments, argument::RECENT_HISTORY_LENGTH) else {
        return Ok(DEFAULT_LENGTH);
    };
    match integer(value).map(usize::try_from) {
        Some(Ok(length)) if length > 0 => Ok(length),
        _ => Err(ExchangeArgumentError::HistoryLength(erlang_term::value(value))),
    }
}

/// Whether a message with these headers is remembered.
pub(crate) fn is_remembered(headers: &FieldTable) -> bool {
    get(headers, argument::RECENT_HISTORY_NO_STORE) != Some(&AMQPValue::Boolean(true))
}

/// The last things of many.
pub(crate) struct History<T> {
    length: usize,
    recent: VecDeque<T>,
}

impl<T> History<T> {
    /// Remembers nothing yet. `arguments` are those of `exchange.declare`.
    ///
    /// # Errors
    ///
    /// If `x-recent-history-length` is no positive integer (406).
    pub(crate) fn new(arguments: &FieldTable) -> Result<Self, ExchangeArgumentError> {
        Ok(Self { length: length(arguments)?, recent: VecDeque::new() })
    }

    /// Remembers a thing; returns the one that is forgotten for it.
    pub(crate) fn push(&mut self, thing: T) -> Option<T> {
        let forgotten =
            if self.recent.len() >= self.length { self.recent.pop_front() } else { None };
        self.recent.push_back(thing);
        forgotten
    }

    /// Forgets everything; what it was, oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.recent.drain(..)
    }

    /// What is remembered, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.recent.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(value: AMQPValue) -> FieldTable {
        let mut table = FieldTable::default();
        table.insert("x-recent-history-length".into(), value);
        table
    }

    #[test]
    fn only_the_last_are_remembered() {
        let mut history = History::new(&arguments(AMQPValue::LongInt(2))).unwrap();
        let forgotten: Vec<_> = (1..=4).filter_map(|n| history.push(n)).collect();
        assert_eq!(forgotten, [1, 2]);
        assert_eq!(history.iter().copied().collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn lengths() {
        assert_eq!(length(&FieldTable::default()), Ok(20));
        assert_eq!(length(&arguments(AMQPValue::ShortShortUInt(7))), Ok(7));
        for (value, printed) in [
            (AMQPValue::LongInt(0), "0"),
            (AMQPValue::LongLongInt(-3), "-3"),
            (AMQPValue::LongString("ten".into()), "<<\"ten\">>"),
        ] {
            assert_eq!(
                length(&arguments(value)).unwrap_err().to_string(),
                format!(
                    "Invalid argument {printed}, 'x-recent-history-length' must be a positive \
                     integer"
                )
            );
        }
    }
}
