//! `x-delayed-message`: which type routes, and how long a message is kept
//! `[rabbitmq delayed-message-exchange]`.

use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_protocol::table::{TableWriter, entries};

use super::{ExchangeArgumentError, ExchangeType};
use crate::base::argument;
use crate::base::field_value::{get, integer, text};

/// Argument of the exchange: the type that routes what is due.
pub(crate) const DELAYED_TYPE: &str = argument::DELAYED_TYPE;

/// Header of the message: milliseconds to wait.
const DELAY: &str = argument::DELAY;

/// Longest delay in milliseconds, about 49 days; a longer one is none, as with the plugin.
const DELAY_MAX_MS: u64 = u32::MAX as u64;

/// The type that routes the messages of an `x-delayed-message` exchange once they are due.
pub(super) fn delayed_type(arguments: &FieldTable) -> Result<ExchangeType, ExchangeArgumentError> {
    let name = get(arguments, DELAYED_TYPE)
        .and_then(text)
        .ok_or(ExchangeArgumentError::DelayedTypeMissing)?;
    match ExchangeType::from_name(name) {
        Some(ExchangeType::DelayedMessage) => Err(ExchangeArgumentError::DelayedTypeItself),
        Some(kind) => Ok(kind),
        None => Err(ExchangeArgumentError::unknown_type(name)),
    }
}

/// How long a message with these headers is kept, in milliseconds; `None` if it goes on at once.
///
/// Integers of any width, digits in a string, and floats, which are cut, are understood.
pub(crate) fn delay_ms(headers: &FieldTable) -> Option<u64> {
    let delay = u64::try_from(delay(headers)?).ok()?;
    (1..=DELAY_MAX_MS).contains(&delay).then_some(delay)
}

fn delay(headers: &FieldTable) -> Option<i64> {
    let value = get(headers, DELAY)?;
    match value {
        AMQPValue::LongString(_) | AMQPValue::ShortString(_) => text(value)?.parse().ok(),
        // The cast cuts the fraction and stops at the ends of the range.
        AMQPValue::Float(seconds) => Some(*seconds as i64),
        AMQPValue::Double(seconds) => Some(*seconds as i64),
        _ => integer(value),
    }
}

/// The headers as receivers get them, encoded: `x-delay` is negative, so that the message is not
/// delayed again and can be told to have been delayed. `raw` are the headers as they came, and
/// `headers` the same, parsed. As RabbitMQ writes them they are sorted by name.
pub(crate) fn negate_delay(raw: &[u8], headers: &FieldTable) -> Vec<u8> {
    let Some(delay) = delay(headers) else { return raw.to_vec() };
    let negative = delay.saturating_neg();
    let mut sorted: Vec<_> = entries(raw).collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut table = TableWriter::new();
    for (name, entry) in sorted {
        if name != DELAY.as_bytes() {
            table.entry(entry);
        } else if let Ok(negative) = i32::try_from(negative) {
            table.long(DELAY, negative);
        } else {
            table.long_long(DELAY, negative);
        }
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::parse_table;

    use super::*;

    fn headers(value: AMQPValue) -> FieldTable {
        let mut table = FieldTable::default();
        table.insert(DELAY.into(), value);
        table
    }

    #[test]
    fn what_counts_as_a_delay() {
        let text = |text: &str| AMQPValue::LongString(text.into());
        for (value, expected) in [
            (AMQPValue::LongInt(5000), Some(5000)),
            (AMQPValue::ShortShortUInt(200), Some(200)),
            (AMQPValue::LongUInt(u32::MAX), Some(u64::from(u32::MAX))),
            (AMQPValue::LongLongInt(i64::from(u32::MAX) + 1), None),
            (AMQPValue::LongInt(0), None),
            (AMQPValue::LongInt(-5), None),
            (AMQPValue::LongLongInt(i64::MIN), None),
            (text("5000"), Some(5000)),
            (text("soon"), None),
            (AMQPValue::Double(2.9), Some(2)),
            (AMQPValue::Double(f64::NAN), None),
            (AMQPValue::Double(f64::INFINITY), None),
            (AMQPValue::Boolean(true), None),
            (AMQPValue::Timestamp(5), None),
        ] {
            assert_eq!(delay_ms(&headers(value.clone())), expected, "{value:?}");
        }
        assert_eq!(delay_ms(&FieldTable::default()), None);
    }

    #[test]
    fn a_negated_delay_is_none() {
        for (delay, after) in [
            (5000, AMQPValue::LongInt(-5000)),
            (i64::from(u32::MAX), AMQPValue::LongLongInt(-i64::from(u32::MAX))),
        ] {
            let mut raw = TableWriter::new();
            raw.long_string("z", b"last").long_long(DELAY, delay).long_string("a", b"first");
            let negated = negate_delay(&raw.finish(), &headers(AMQPValue::LongLongInt(delay)));
            let names: Vec<_> = entries(&negated).map(|(name, _)| name).collect();
            assert_eq!(names, [b"a".as_slice(), DELAY.as_bytes(), b"z"]);
            let negated = parse_table(&negated).unwrap();
            assert_eq!(get(&negated, DELAY), Some(&after));
            assert_eq!(delay_ms(&negated), None);
        }
    }

    #[test]
    fn every_other_type_can_be_delayed() {
        let arguments = |name: &str| {
            let mut table = FieldTable::default();
            table.insert(DELAYED_TYPE.into(), AMQPValue::LongString(name.into()));
            table
        };
        for kind in ExchangeType::ALL {
            let found = delayed_type(&arguments(kind.as_str()));
            if kind == ExchangeType::DelayedMessage {
                let text = "Invalid argument, 'x-delayed-message' can't be used for \
                            'x-delayed-type'";
                assert_eq!(found.unwrap_err().to_string(), text);
            } else {
                assert_eq!(found, Ok(kind));
            }
        }
        let reason = |table: &FieldTable| delayed_type(table).unwrap_err().to_string();
        assert_eq!(reason(&arguments("other")), "unknown exchange type 'other'");
        assert_eq!(reason(&arguments("")), "invalid exchange type ''");
        assert_eq!(reason(&arguments("none")), "invalid exchange type 'none'");
        assert_eq!(
            reason(&FieldTable::default()),
            "Invalid argument, 'x-delayed-type' must be an existing exchange type"
        );
    }
}
