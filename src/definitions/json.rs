//! Lenient reading of the shapes that RabbitMQ's versions gave to the same thing.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A JSON object whose keys the file chooses.
pub type JsonObject = Map<String, Value>;

/// Reads `null` like an absent field.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads an object; one may be written as a list of pairs, which is what an Erlang property list
/// became in some exports, an empty one as `[]` or `null`.
pub(crate) fn object_or_pairs<'de, D>(deserializer: D) -> Result<JsonObject, D::Error>
where
    D: Deserializer<'de>,
{
    match Value::deserialize(deserializer)? {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(JsonObject::new()),
        Value::Array(array) => array.into_iter().map(pair).collect(),
        _ => Err(serde::de::Error::custom("invalid type: expected an object")),
    }
}

/// A pair of a name and its value.
fn pair<E: serde::de::Error>(value: Value) -> Result<(String, Value), E> {
    if let Value::Array(pair) = value
        && let Ok([Value::String(name), value]) = <[Value; 2]>::try_from(pair)
    {
        return Ok((name, value));
    }
    Err(E::custom("invalid type: expected an object"))
}

/// Reads tags from a list of texts, or from one text with commas between them.
pub(super) fn tags<'de, D>(deserializer: D) -> Result<Vec<String>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "invalid type: expected a list of tags or text with commas")]
    enum Tags {
        List(Vec<String>),
        Text(String),
        Absent(()),
    }
    let tags = match Tags::deserialize(deserializer)? {
        Tags::List(list) => list,
        Tags::Text(text) => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
        Tags::Absent(()) => Vec::new(),
    };
    Ok(tags.into_iter().filter(|tag| !tag.is_empty()).collect())
}
