//! Bodies of requests: read within limits, then as JSON with RabbitMQ's complaints.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::management::answer::{Outcome, Refusal};

/// Bodies that have more octets than that are large.
const SMALL_BYTES: u64 = 64 << 10;

/// Large bodies that are read or worked on at a time: they are all in memory, and what is made of
/// them is some times as large.
pub(super) const LARGE_BODIES_MAX: usize = 4;

/// Longest line that RabbitMQ prints a list of complaints on.
const LINE_MAX: usize = 78;

fn too_large() -> Refusal {
    Refusal::bad("Exceeded HTTP request body size limit")
}

/// Waits until there is room for what is announced, if it is large or not announced; the room is
/// taken until the request is answered. Refuses what has more than `limit` octets, or has waited
/// for `patience`.
pub(super) async fn room<'a>(
    large_bodies: &'a Semaphore,
    headers: &HeaderMap,
    limit: usize,
    patience: Duration,
) -> Outcome<Option<SemaphorePermit<'a>>> {
    let announced = match headers.get(CONTENT_LENGTH) {
        Some(value) => value.to_str().ok().and_then(|value| value.parse().ok()),
        None if headers.contains_key(TRANSFER_ENCODING) => None,
        None => Some(0),
    };
    match announced {
        Some(octets) if octets > limit as u64 => Err(too_large()),
        Some(octets) if octets <= SMALL_BYTES => Ok(None),
        _ => match tokio::time::timeout(patience, large_bodies.acquire()).await {
            // The semaphore is never closed.
            Ok(permit) => Ok(permit.ok()),
            Err(_) => {
                let text = "other large requests are being worked on: try again later";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text))
            }
        },
    }
}

/// Reads a body of `limit` octets at most, that comes within `patience`.
pub(super) async fn read(incoming: Incoming, limit: usize, patience: Duration) -> Outcome<Bytes> {
    match tokio::time::timeout(patience, Limited::new(incoming, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Refusal::bad(format!("the body cannot be read: {error}"))),
        Err(_) => Err(Refusal::bad("the body did not come in time")),
    }
}

/// The object that a body holds. Nothing, `null` and `undefined` count as an empty one.
pub(super) fn object(body: &[u8]) -> Outcome<Map<String, Value>> {
    if matches!(body, b"" | b"null" | b"undefined") {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::String(_)) => Err(Refusal::bad(
            "invalid payload: the request body JSON-decoded to a string. Is the input \
             doubly-JSON-encoded?",
        )),
        _ => Err(Refusal::bad("not_json")),
    }
}

/// As [`object`], of which these keys have to be there.
pub(super) fn object_with(body: &[u8], keys: &[&str]) -> Outcome<Map<String, Value>> {
    let object = object(body)?;
    let missing = keys.iter().filter(|key| object.get(**key).is_none());
    let missing: Vec<_> = missing.map(|key| format!("{{key_missing,{key}}}")).collect();
    if missing.is_empty() {
        return Ok(object);
    }
    let line = format!("[{}]", missing.join(","));
    Err(Refusal::bad(if line.len() <= LINE_MAX {
        line
    } else {
        format!("[{}]", missing.join(",\n "))
    }))
}

/// A truth value, which may be a text; `None` if it is not there.
pub(super) fn boolean(value: Option<&Value>) -> Outcome<Option<bool>> {
    match value {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(other) => Err(Refusal::bad(json!(["not_boolean", other]))),
    }
}

/// A whole number, which may be a text or a fraction.
pub(super) fn integer(value: &Value) -> Outcome<i64> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|n| n as i64)),
        Value::String(text) => text.trim_start_matches('+').parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Refusal::bad(json!(["not_integer", value])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_refused() {
        for empty in ["", "null", "undefined", "{}"] {
            assert_eq!(object(empty.as_bytes()).unwrap(), Map::new());
        }
        for bad in ["[]", "5", "{", "{} x", "{\"a\": \"\\ud800\"}"] {
            assert_eq!(object(bad.as_bytes()), Err(Refusal::bad("not_json")), "{bad}");
        }
        assert!(object(b"\"{}\"").is_err());
        assert!(object(b"{\"a\": \"\xff\"}").is_err());
    }

    #[test]
    fn missing_keys_are_named_on_one_line_or_on_several() {
        let missing = |keys: &[&str]| object_with(b"{\"a\": 1}", keys).unwrap_err();
        assert_eq!(missing(&["a", "b"]), Refusal::bad("[{key_missing,b}]"));
        let long = ["properties", "payload", "payload_encoding"];
        let lines = "[{key_missing,properties},\n {key_missing,payload},\n \
                     {key_missing,payload_encoding}]";
        assert_eq!(missing(&long), Refusal::bad(lines));
    }

    #[test]
    fn numbers_and_truth_may_be_texts() {
        assert_eq!(boolean(Some(&json!("true"))), Ok(Some(true)));
        assert_eq!(
            boolean(Some(&json!("troo"))),
            Err(Refusal::bad(json!(["not_boolean", "troo"])))
        );
        assert_eq!(integer(&json!("12")), Ok(12));
        assert_eq!(integer(&json!(1.7)), Ok(1));
        assert_eq!(integer(&json!("many")), Err(Refusal::bad(json!(["not_integer", "many"]))));
    }
}
