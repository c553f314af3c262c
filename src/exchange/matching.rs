//! Whether one binding matches, by itself: what the tables do for all bindings at once. For who
//! wants to know by which binding a message came.

use amq_protocol::types::{AMQPValue, FieldTable};

use super::ExchangeType;
use super::header_match::HeaderMatch;
use super::header_value;

/// Whether a binding key of a topic exchange, in which `*` is a word and `#` any number of them,
/// matches a routing key.
pub(crate) fn topic_matches(binding_key: &[u8], routing_key: &[u8]) -> bool {
    let words = words(routing_key);
    // Which numbers of words the pattern so far can stand for.
    let mut reached = vec![false; words.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for pattern in self::words(binding_key) {
        let mut next = vec![false; reached.len()];
        let mut any = false;
        for (at, place) in next.iter_mut().enumerate() {
            if pattern == b"#" {
                any |= reached.get(at).copied().unwrap_or_default();
                *place = any;
            } else if let Some(before) = at.checked_sub(1) {
                let word = words.get(before).copied().unwrap_or_default();
                *place = reached.get(before) == Some(&true) && (pattern == b"*" || pattern == word);
            }
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

/// The words of a key; the empty key has none.
pub(crate) fn words(key: &[u8]) -> Vec<&[u8]> {
    if key.is_empty() { Vec::new() } else { key.split(|octet| *octet == b'.').collect() }
}

/// Whether a header has the value that a binding of a headers exchange asks for: numbers are
/// compared whatever their width, texts whatever their length.
pub fn header_matches(wanted: &AMQPValue, header: &AMQPValue) -> bool {
    header_value::matches(wanted, header)
}

/// Whether a binding lets a message pass. Of the types that pick one of several destinations, any
/// binding may.
pub(crate) fn binding_matches(
    kind: ExchangeType,
    binding_key: &[u8],
    arguments: Option<&FieldTable>,
    routing_keys: &[&[u8]],
    headers: Option<&FieldTable>,
) -> bool {
    match kind {
        ExchangeType::Direct => routing_keys.contains(&binding_key),
        ExchangeType::Topic => routing_keys.iter().any(|key| topic_matches(binding_key, key)),
        ExchangeType::Headers => {
            HeaderMatch::parse(arguments).is_ok_and(|asked| asked.matches(headers))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, key, expected) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.#", "a", true),
            ("#.b", "a.c.b", true),
            ("#", "", true),
            ("*", "", false),
            ("a.#.b.*", "a.b.b.c", true),
            ("a.#.b.*", "a.b", false),
            ("", "", true),
            ("", "a", false),
        ] {
            let matches = topic_matches(pattern.as_bytes(), key.as_bytes());
            assert_eq!(matches, expected, "{pattern} {key}");
        }
    }
}
