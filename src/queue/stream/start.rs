//! Where a consumer of a stream begins: `x-stream-offset` `[rabbitmq streams#consuming]`.

use amq_protocol::types::AMQPValue;
use leveret_storage::Start;

use crate::base::field_value::{integer, string, type_name};
use crate::queue::stream::age;
use crate::time::clock::Timestamp;

/// The place that an argument means: a word, an offset, a time, or an interval that counts back
/// from `now`.
///
/// # Errors
/// RabbitMQ's text, as far as it has one: it ends the connection over other types and words.
pub(crate) fn parse(value: Option<&AMQPValue>, now: Timestamp) -> Result<Start, String> {
    let Some(value) = value else { return Ok(Start::Next) };
    if let Some(offset) = integer(value) {
        // What is before the first is the first.
        return Ok(Start::Offset(u64::try_from(offset).unwrap_or(0)));
    }
    if let AMQPValue::Timestamp(seconds) = value {
        let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        return Ok(Start::Timestamp(ms));
    }
    let Some(text) = string(value) else { return Err(refusal(value, type_name(value))) };
    match text {
        "first" => Ok(Start::First),
        "last" => Ok(Start::Last),
        "next" => Ok(Start::Next),
        interval => {
            let ms = age::parse_ms(interval).ok_or_else(|| refusal(value, interval))?;
            let from = now.as_millis().saturating_sub(ms);
            Ok(Start::Timestamp(i64::try_from(from).unwrap_or(i64::MAX)))
        }
    }
}

/// As Erlang prints the argument.
fn refusal(value: &AMQPValue, text: &str) -> String {
    format!("{{invalid_stream_offset_arg,{{{},<<\"{text}\">>}}}}", type_name(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_times_and_intervals_mean_places() {
        let now = Timestamp::from_millis(1_000_000);
        let text = |text: &str| AMQPValue::LongString(text.into());
        for (value, start) in [
            (text("first"), Start::First),
            (text("last"), Start::Last),
            (text("next"), Start::Next),
            (AMQPValue::LongLongInt(7), Start::Offset(7)),
            (AMQPValue::ShortShortInt(-7), Start::Offset(0)),
            (AMQPValue::Timestamp(9), Start::Timestamp(9000)),
            (text("5m"), Start::Timestamp(700_000)),
            (text("1Y"), Start::Timestamp(0)),
        ] {
            assert_eq!(parse(Some(&value), now), Ok(start));
        }
        assert_eq!(parse(None, now), Ok(Start::Next));
        let wrong = "{invalid_stream_offset_arg,{longstr,<<\"5x\">>}}";
        assert_eq!(parse(Some(&text("5x")), now), Err(wrong.into()));
        for wrong in [text("First"), text(""), AMQPValue::Boolean(true), AMQPValue::Double(1.0)] {
            assert!(parse(Some(&wrong), now).is_err());
        }
    }
}
