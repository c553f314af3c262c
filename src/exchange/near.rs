//! Bindings that nearly match, for who wonders where a message has gone.

use amq_protocol::types::{AMQPValue, FieldTable};

use super::ExchangeType;
use super::header_match::{HeaderMatch, Mode};
use super::header_value;
use super::matching::{topic_matches, words};

/// Words of a key up to which it is compared word by word.
const WORDS_MAX: usize = 16;

/// In what a binding that does not match differs from the message, if that is one word of the key
/// or one header, or nothing but upper and lower case.
pub(crate) fn near_miss(
    kind: ExchangeType,
    binding_key: &[u8],
    arguments: Option<&FieldTable>,
    routing_key: &[u8],
    headers: Option<&FieldTable>,
) -> Option<String> {
    match kind {
        ExchangeType::Direct | ExchangeType::Topic => {
            if binding_key.eq_ignore_ascii_case(routing_key) {
                return Some("upper and lower case differ".into());
            }
            by_word(kind, binding_key, routing_key)
        }
        ExchangeType::Headers => by_header(&HeaderMatch::parse(arguments).ok()?, headers),
        _ => None,
    }
}

fn by_word(kind: ExchangeType, binding_key: &[u8], routing_key: &[u8]) -> Option<String> {
    let (pattern, key) = (words(binding_key), words(routing_key));
    if pattern.len() > WORDS_MAX || key.len() > WORDS_MAX {
        return None;
    }
    let matches = |key: &[&[u8]]| match kind {
        ExchangeType::Topic => topic_matches(binding_key, &key.join(&b'.')),
        _ => key == pattern,
    };
    // A key of one word that is another one is not near, unless it is a typing error.
    let is_near = |a: &[u8], b: &[u8]| key.len() > 1 || is_typing_error(a, b);
    let literal = |word: &&&[u8]| kind != ExchangeType::Topic || !matches!(**word, b"*" | b"#");
    for (at, &had) in key.iter().enumerate() {
        for &wanted in pattern.iter().filter(literal) {
            let mut other = key.clone();
            other.splice(at..=at, [wanted]);
            if matches(&other) && is_near(had, wanted) {
                let (had, wanted) = (text(had), text(wanted));
                return Some(format!("word {} of the key is '{had}', not '{wanted}'", at + 1));
            }
        }
        let mut shorter = key.clone();
        shorter.remove(at);
        if !shorter.is_empty() && matches(&shorter) {
            return Some(format!("the key has the word '{}' too many", text(had)));
        }
    }
    // First whether any word would do.
    let stars = pattern.iter().filter(|word| !literal(word));
    let missing: Vec<_> = stars.chain(pattern.iter().filter(literal)).copied().collect();
    for &wanted in &missing {
        for at in 0..=key.len() {
            let mut longer = key.clone();
            longer.insert(at, wanted);
            if !key.is_empty() && matches(&longer) {
                return Some(match wanted {
                    b"*" if kind == ExchangeType::Topic => "the key has a word too few".into(),
                    wanted => format!("the key lacks the word '{}'", text(wanted)),
                });
            }
        }
    }
    None
}

/// Whether the words differ in no more than two octets.
fn is_typing_error(a: &[u8], b: &[u8]) -> bool {
    distance(a, b) <= 2
}

/// In how many octets two words differ: replaced, left out or added.
pub(crate) fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, x) in a.iter().enumerate() {
        let mut next = vec![at + 1];
        for (pair, y) in row.windows(2).zip(b) {
            let [before, above] = pair else { continue };
            let beside = next.last().copied().unwrap_or_default();
            next.push((before + usize::from(x != y)).min(above + 1).min(beside + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn by_header(asked: &HeaderMatch, headers: Option<&FieldTable>) -> Option<String> {
    let header = |name: &str| headers.and_then(|headers| headers.inner().get(name));
    let missed = asked.conditions().iter().filter(|(name, wanted)| {
        !header(name.as_str())
            .is_some_and(|value| *wanted == AMQPValue::Void || header_value::matches(wanted, value))
    });
    let missed: Vec<_> = missed.collect();
    let told = |(name, wanted): &(amq_protocol::types::ShortString, AMQPValue)| {
        let wanted = show(wanted);
        match header(name.as_str()) {
            None => format!("there is no header '{name}', which should be {wanted}"),
            Some(value) => format!("header '{name}' is {}, not {wanted}", show(value)),
        }
    };
    match (asked.mode(), missed.as_slice()) {
        (Mode::All, [one]) => Some(told(one)),
        // One header that is there, or the only one that is asked for, comes nearest.
        (Mode::Any, missed) => {
            let there = missed.iter().find(|(name, _)| header(name.as_str()).is_some());
            there.or(missed.first().filter(|_| missed.len() == 1)).map(|one| told(one))
        }
        _ => None,
    }
}

/// A value as a reader would write it, with its type where texts and numbers look the same.
pub(crate) fn show(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => format!("the text '{text}'"),
        AMQPValue::ShortString(text) => format!("the text '{text}'"),
        AMQPValue::Void => "anything".into(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(pattern: &str, key: &str) -> Option<String> {
        near_miss(ExchangeType::Topic, pattern.as_bytes(), None, key.as_bytes(), None)
    }

    #[test]
    fn keys() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(topic("a.b.c", "a.x.c"), some("word 2 of the key is 'x', not 'b'"));
        assert_eq!(topic("a.b.c", "a.b"), some("the key lacks the word 'c'"));
        assert_eq!(topic("a.*", "a"), some("the key has a word too few"));
        assert_eq!(topic("a.*", "a.b.c"), some("the key has the word 'b' too many"));
        assert_eq!(topic("A.b", "a.b"), some("upper and lower case differ"));
        assert_eq!(topic("a.b", "x.y"), None);
        let direct = |binding: &str, key: &str| {
            near_miss(ExchangeType::Direct, binding.as_bytes(), None, key.as_bytes(), None)
        };
        assert_eq!(direct("mails", "mail"), some("word 1 of the key is 'mail', not 'mails'"));
        assert_eq!(direct("billing", "mail"), None);
    }
}
