//! Why an exchange or a binding is refused, in RabbitMQ's words.

use thiserror::Error;

/// An argument of `exchange.declare` that the exchange type refuses (406 `PRECONDITION_FAILED`).
///
/// The text is RabbitMQ's reply text without the leading `PRECONDITION_FAILED - `.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeArgumentError {
    /// Both `hash-header` and `hash-property` are given.
    #[error("hash-header and hash-property are mutually exclusive")]
    HashHeaderAndProperty,
    /// `hash-property` names something else than `correlation_id`, `message_id` or `timestamp`.
    #[error("Unsupported property: {0}")]
    UnsupportedProperty(String),
    /// `hash-header` or `hash-property` is no string. RabbitMQ fails with an internal error here,
    /// so there is no text to repeat.
    #[error("Invalid {argument} type {type_name}; expected longstr")]
    NotAString {
        /// The argument's name.
        argument: &'static str,
        /// RabbitMQ's name of the type that was given.
        type_name: &'static str,
    },
    /// An argument that has to be there is not, or is of another type.
    #[error("Argument {argument} missing")]
    Missing {
        /// The argument's name.
        argument: &'static str,
    },
    /// `x-delayed-type` is missing or no string.
    #[error("Invalid argument, 'x-delayed-type' must be an existing exchange type")]
    DelayedTypeMissing,
    /// `x-delayed-type` is `x-delayed-message`.
    #[error("Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'")]
    DelayedTypeItself,
    /// Nobody knows a type of that name, or there is no name.
    #[error("{verdict} exchange type '{name}'")]
    UnknownType {
        /// RabbitMQ's word for it.
        verdict: &'static str,
        /// The name.
        name: String,
    },
    /// `x-recent-history-length` is no positive integer, here as RabbitMQ prints it.
    #[error("Invalid argument {0}, 'x-recent-history-length' must be a positive integer")]
    HistoryLength(String),
    /// `x-cache-size` is no positive integer.
    #[error("Missing or invalid argument, 'x-cache-size' must be an integer greater than 0")]
    CacheSize,
    /// `x-cache-ttl` is no positive integer.
    #[error("Invalid argument, 'x-cache-ttl' must be an integer greater than 0")]
    CacheTtl,
    /// `x-cache-persistence` is something else.
    #[error("Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'")]
    CachePersistence,
}

impl ExchangeArgumentError {
    /// An exchange type that does not exist.
    pub fn unknown_type(name: &str) -> Self {
        let verdict = if is_atom(name) { "invalid" } else { "unknown" };
        Self::UnknownType { verdict, name: name.to_owned() }
    }
}

/// Whether Erlang has the word for something else, some of those at least that people try: such a
/// type RabbitMQ calls invalid, and any other unknown.
fn is_atom(name: &str) -> bool {
    let word = matches!(name, "bad" | "bar" | "default" | "foo" | "invalid" | "test" | "unknown");
    let value = matches!(name, "" | "error" | "false" | "none" | "null" | "true" | "undefined");
    word || value || matches!(name, "queue" | "random" | "stream")
}

/// A binding that the exchange type refuses (406 `PRECONDITION_FAILED`).
///
/// The text is RabbitMQ's reply text without the leading `PRECONDITION_FAILED - `.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BindError {
    /// `x-match` has an unknown value, here as RabbitMQ prints it.
    #[error("Invalid x-match field value {0}; expected all, any, all-with-x, or any-with-x")]
    XMatchValue(String),
    /// `x-match` is no string.
    #[error("Invalid x-match field type {type_name} (value {value}); expected longstr")]
    XMatchType {
        /// RabbitMQ's name of the type that was given.
        type_name: &'static str,
        /// The value as RabbitMQ prints it.
        value: String,
    },
    /// The binding key of an `x-consistent-hash` or `x-super-stream` exchange is no integer, here
    /// as RabbitMQ prints it.
    #[error("The binding key must be an integer: {0}")]
    WeightNotAnInteger(String),
    /// The weight is zero or negative.
    #[error("The binding key must be greater than 0")]
    WeightTooSmall,
    /// A binding of an `x-local-random` exchange has a binding key, here as text.
    #[error("Non empty binding '{0}' key not permitted")]
    KeyNotEmpty(String),
}
