//! Pieces of the text that people read.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leveret::internals::describe_body;
use serde_json::Value;

/// A text of an object; empty if it is none.
pub(super) fn string<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number of an object; 0 if it is none.
pub(super) fn number(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn is_true(object: &Value, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// Messages in a second, of those that are counted under a name.
pub(super) fn rate(object: &Value, name: &str) -> f64 {
    let details = object.pointer(&format!("/message_stats/{name}_details/rate"));
    details.and_then(Value::as_f64).unwrap_or_default()
}

/// The elements of a list that may not be there.
pub(super) fn elements<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// `1 queue`, `2 queues`.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Arguments, in one line; `none` if there are none.
pub(super) fn arguments(object: &Value, name: &str) -> String {
    let arguments = object.get(name).and_then(Value::as_object);
    let pairs = arguments.into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!("{name} = '{text}'"),
        other => format!("{name} = {other}"),
    });
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() { "none".into() } else { pairs.join(", ") }
}

/// An exchange in a sentence.
pub(super) fn exchange(name: &str) -> String {
    if name.is_empty() { "the default exchange".into() } else { format!("exchange '{name}'") }
}

/// Octets, in the unit that suits them.
pub(super) fn size(octets: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| octets >= *unit) {
        Some((unit, name)) => {
            let tenths = u128::from(octets) * 10 / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => count(octets, "octet"),
    }
}

/// A span of time in its two largest units.
pub(super) fn span(ms: u64) -> String {
    let text = humantime::format_duration(Duration::from_secs(ms / 1000)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A moment that the API tells in milliseconds since 1970.
pub(super) fn moment(ms: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_millis(ms)) {
        // What can be written ends with the year 9999.
        Some(moment) if ms < 253_402_300_800_000 => {
            humantime::format_rfc3339_seconds(moment).to_string()
        }
        _ => format!("{ms} ms after 1970"),
    }
}

/// A message that the API shows, in one line.
pub(super) fn message(message: &Value) -> String {
    let payload = string(message, "payload");
    let body = match string(message, "payload_encoding") {
        "base64" => describe_body(&STANDARD.decode(payload).unwrap_or_default()),
        _ => describe_body(payload.as_bytes()),
    };
    let mut text = format!(
        "{body} from {} with key '{}'",
        exchange(string(message, "exchange")),
        string(message, "routing_key")
    );
    if is_true(message, "redelivered") {
        text.push_str(", redelivered");
    }
    if let Some(expires_at) = message.get("expires_at").and_then(Value::as_u64) {
        text.push_str(&format!(", expires at {}", moment(expires_at)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_and_times_are_told_in_units_that_suit_them() {
        assert_eq!(size(1), "1 octet");
        assert_eq!(size(1535), "1.4 KiB");
        assert_eq!(size(u64::MAX), "17179869183.9 GiB");
        assert_eq!(span(3_723_456), "1h 2m");
        assert_eq!(moment(1_000), "1970-01-01T00:00:01Z");
        assert_eq!(moment(u64::MAX), "18446744073709551615 ms after 1970");
    }

    #[test]
    fn a_message_is_one_line() {
        let shown = json!({"payload": "AP8=", "payload_encoding": "base64", "exchange": "",
            "routing_key": "q", "redelivered": true, "expires_at": 1000});
        let line = "2 octets from the default exchange with key 'q', redelivered, expires at \
                    1970-01-01T00:00:01Z";
        assert_eq!(message(&shown), line);
    }
}
