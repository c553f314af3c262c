//! Whether what a parameter holds is what it should be, said as RabbitMQ says it
//! `[rabbitmq parameters]`.

use serde_json::Value;

use crate::base::broker_uri::BrokerUri;
use crate::definitions::{JsonObject, term};

/// What is wrong with the URI of the broker itself, such as that whoever sets a link may not go to
/// its virtual host.
pub(crate) type CheckLocal<'a> = &'a dyn Fn(&BrokerUri) -> Option<String>;

/// Says what is wrong with the value of a key, if something is.
pub(in crate::link) type Check<'a> = Box<dyn Fn(&str, &Value) -> Vec<String> + 'a>;

/// A key that an object may have.
pub(in crate::link) struct Key<'a> {
    name: &'static str,
    check: Check<'a>,
    is_mandatory: bool,
}

/// A key that may be missing.
pub(in crate::link) fn optional<'a>(
    name: &'static str,
    check: impl Fn(&str, &Value) -> Vec<String> + 'a,
) -> Key<'a> {
    Key { name, check: Box::new(check), is_mandatory: false }
}

/// A key that has to be there.
pub(in crate::link) fn mandatory<'a>(
    name: &'static str,
    check: impl Fn(&str, &Value) -> Vec<String> + 'a,
) -> Key<'a> {
    Key { name, check: Box::new(check), is_mandatory: true }
}

/// What is wrong with an object that should have these keys and no others.
pub(in crate::link) fn object(name: &str, object: &JsonObject, keys: &[Key<'_>]) -> Vec<String> {
    let is_known = |key: &str| keys.iter().any(|known| known.name == key);
    let unknown: Vec<_> = object.iter().filter(|(key, _)| !is_known(key)).collect();
    let mut wrong = Vec::new();
    if !unknown.is_empty() {
        wrong.push(format!("Unrecognised terms {} in {name}", term::pairs(unknown)));
    }
    // RabbitMQ gathers its complaints from the last to the first.
    for key in keys.iter().rev() {
        match object.get(key.name) {
            Some(value) => wrong.extend((key.check)(key.name, value)),
            None if key.is_mandatory => {
                wrong.push(format!("Key \"{}\" not found in {name}", key.name));
            }
            None => {}
        }
    }
    wrong
}

/// What is wrong with an object within another one.
pub(in crate::link) fn inner(name: &str, value: &Value, keys: &[Key<'_>]) -> Vec<String> {
    match value {
        Value::Object(inner) => object(name, inner, keys),
        Value::Array(items) if items.is_empty() => Vec::new(),
        other => vec![format!("{name} not a list {}", term::value(other))],
    }
}

fn complain(is_right: bool, text: impl FnOnce() -> String) -> Vec<String> {
    if is_right { Vec::new() } else { vec![text()] }
}

/// It should be a text.
pub(in crate::link) fn binary(name: &str, value: &Value) -> Vec<String> {
    complain(value.is_string(), || {
        format!("{name} should be binary, actually was {}", term::value(value))
    })
}

/// It should be a text that a method can name.
pub(in crate::link) fn short(name: &str, value: &Value) -> Vec<String> {
    let is_long = value.as_str().is_some_and(|text| text.len() > usize::from(u8::MAX));
    match binary(name, value) {
        wrong if wrong.is_empty() => {
            complain(!is_long, || format!("{name} should be at most 255 bytes long"))
        }
        wrong => wrong,
    }
}

/// It should be true or false.
pub(in crate::link) fn boolean(name: &str, value: &Value) -> Vec<String> {
    complain(value.is_boolean(), || {
        format!("{name} should be boolean, actually was {}", term::value(value))
    })
}

/// It should be a whole number from 0 up to this one.
pub(in crate::link) fn up_to(most: u64) -> impl Fn(&str, &Value) -> Vec<String> {
    move |name, value| {
        if !value.is_number() {
            let value = term::value(value);
            return vec![format!("{name} should be a number, actually was {value}")];
        }
        complain(value.as_u64().is_some_and(|number| number <= most), || {
            format!("{name} should be a number from 0 to {most}, actually was {value}")
        })
    }
}

/// It should be one of these texts.
pub(in crate::link) fn one_of(words: &[&str]) -> impl Fn(&str, &Value) -> Vec<String> {
    move |name, value| {
        let wrong = binary(name, value);
        if !wrong.is_empty() {
            return wrong;
        }
        let is_one = value.as_str().is_some_and(|text| words.contains(&text));
        complain(is_one, || {
            let words: Vec<_> = words.iter().map(|word| term::text(word)).collect();
            let (words, value) = (words.join(","), term::value(value));
            format!("{name} should be one of [{words}], actually was {value}")
        })
    }
}

/// Anything goes.
pub(in crate::link) fn anything(_: &str, _: &Value) -> Vec<String> {
    Vec::new()
}

/// A URI, or several.
pub(in crate::link) fn uris(name: &str, value: &Value, local: CheckLocal<'_>) -> Vec<String> {
    let wrong = |value: &Value| match value {
        Value::String(text) => uri(text, local),
        other => Some(format!("{name} should be list, actually was {}", term::value(other))),
    };
    match value {
        Value::Array(items) => items.iter().find_map(wrong).into_iter().collect(),
        one => wrong(one).into_iter().collect(),
    }
}

fn uri(text: &str, local: CheckLocal<'_>) -> Option<String> {
    match BrokerUri::parse(text) {
        Ok(uri) if uri.is_local() => local(&uri),
        Ok(_) => None,
        Err(reason) => Some(reason),
    }
}
