//! Values that a policy can set, with RabbitMQ's complaints about others.

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::base::argument;
use crate::base::erlang_term;
use crate::base::field_value::{integer, string};
use crate::queue::{QueueArguments, QueueType};

/// What a value has to be.
enum Kind {
    Text,
    /// A whole number from this one on.
    From(i64),
    /// A whole number of these.
    OneOf(&'static [i64]),
    /// A text of these.
    Word(&'static [&'static str]),
    /// What the argument of a stream may be.
    OfStreams,
}

use Kind::{From, OfStreams, OneOf, Text, Word};

/// Keys with what their values have to be, and what a value is called that is none.
const KEYS: &[(&str, Kind, &str)] = &[
    (argument::ALTERNATE_EXCHANGE, Text, "alternate exchange name"),
    ("consumer-timeout", From(0), "consumer timeout"),
    ("dead-letter-exchange", Text, "dead letter exchange name"),
    ("dead-letter-routing-key", Text, "dead letter routing key"),
    ("dead-letter-strategy", Word(&["at-most-once", "at-least-once"]), "dead letter strategy"),
    ("delivery-limit", From(i64::MIN), "delivery limit"),
    ("expires", From(1), "queue expiry"),
    ("federation-upstream", Text, "federation upstream name"),
    ("federation-upstream-pattern", Text, "federation upstream pattern name"),
    ("federation-upstream-set", Text, "federation upstream set name"),
    ("initial-cluster-size", From(0), "cluster size"),
    ("max-age", OfStreams, "max age"),
    ("max-in-memory-bytes", From(0), "maximum memory in bytes"),
    ("max-in-memory-length", From(0), "maximum memory in bytes"),
    ("max-length", From(0), "maximum length"),
    ("max-length-bytes", From(0), "maximum length in bytes"),
    ("message-ttl", From(0), "message TTL"),
    ("overflow", Word(&["drop-head", "reject-publish", "reject-publish-dlx"]), "overflow value"),
    (
        "queue-leader-locator",
        Word(&["client-local", "balanced", "random", "least-leaders"]),
        "queue leader locator value",
    ),
    ("queue-mode", Word(&["default", "lazy"]), "queue-mode value"),
    ("queue-version", OneOf(&[1, 2]), "queue-version value"),
    ("stream-max-segment-size-bytes", OfStreams, "segment size"),
];

impl Kind {
    fn permits(&self, key: &str, value: &AMQPValue) -> bool {
        match self {
            Text => string(value).is_some(),
            From(first) => integer(value).is_some_and(|number| number >= *first),
            OneOf(numbers) => integer(value).is_some_and(|number| numbers.contains(&number)),
            OfStreams => {
                let mut alone = FieldTable::default();
                alone.insert(key.into(), value.clone());
                QueueArguments::from_policy(&alone, QueueType::Stream).is_ok()
            }
            Word(words) => string(value).is_some_and(|word| words.contains(&word)),
        }
    }
}

/// Fails with a sentence about the first value that its key cannot have. Keys that are not known
/// here are nobody's business.
pub(super) fn check(definition: &FieldTable) -> Result<(), String> {
    for (key, value) in definition.inner() {
        let known = KEYS.iter().find(|(known, ..)| *known == key.as_str());
        if let Some((_, kind, name)) = known
            && !kind.permits(key.as_str(), value)
        {
            let given = match value {
                AMQPValue::Void => "null".to_owned(),
                value => erlang_term::value(value),
            };
            return Err(format!("{given} is not a valid {name}"));
        }
        if key.as_str() == "federation-upstream-pattern"
            && let Some(pattern) = string(value)
            && let Err(error) = regex::Regex::new(pattern)
        {
            return Err(format!(
                "could not compile pattern {pattern} to a regular expression. Error: {error}"
            ));
        }
    }
    Ok(())
}
