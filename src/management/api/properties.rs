//! Properties of messages as JSON, and arguments as it is shown.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{FieldTable, ShortString};
use serde_json::{Value, json};

use crate::definitions::arguments::from_field_table;
use crate::management::answer::{Outcome, Refusal};
use crate::management::api::declaring::table;
use crate::management::json::Object;

/// A table of arguments or headers. What holds nothing is shown as RabbitMQ does.
pub(super) fn json_table(table: &FieldTable) -> Object {
    let table = from_field_table(table);
    table.into_iter().map(|(name, value)| (name, without_null(value))).collect()
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Null => "undefined".into(),
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        Value::Object(object) => {
            object.into_iter().map(|(name, value)| (name, without_null(value))).collect()
        }
        other => other,
    }
}

fn number<T: TryFrom<i64>>(value: &Value, name: &str) -> Outcome<T> {
    let number = value.as_i64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| Refusal::bad(json!(["not_int", name])))
}

fn text(value: &Value, name: &str) -> Outcome<ShortString> {
    let bad = || Refusal::bad(json!(["not_string", name]));
    let text = value.as_str().ok_or_else(bad)?;
    let long = |_| Refusal::bad(format!("the property {name} has more than 255 octets"));
    ShortString::try_new(text).map_err(long)
}

macro_rules! properties {
    (
        texts $($name:literal $get:ident $set:ident,)*
        numbers $($n_name:literal $n_get:ident $n_set:ident,)*
    ) => {
        /// The properties that a request gives.
        pub(crate) fn parse(properties: &Object) -> Outcome<BasicProperties> {
            let mut parsed = BasicProperties::default();
            $(if let Some(value) = properties.get($name) {
                parsed = parsed.$set(text(value, $name)?);
            })*
            $(if let Some(value) = properties.get($n_name) {
                parsed = parsed.$n_set(number(value, $n_name)?);
            })*
            if let Some(headers) = properties.get("headers") {
                parsed = parsed.with_headers(match headers {
                    Value::Object(headers) => table(headers)?,
                    // An empty property list of Erlang, and an empty array of PHP.
                    Value::Array(list) if list.is_empty() => FieldTable::default(),
                    _ => return Err(Refusal::bad("headers must be an object")),
                });
            }
            Ok(parsed)
        }

        /// The properties of a message, those that are set.
        fn fields(properties: &BasicProperties) -> Object {
            let mut fields = Object::new();
            $(if let Some(value) = properties.$get() {
                fields.insert($name.into(), value.as_str().into());
            })*
            $(if let Some(value) = properties.$n_get() {
                fields.insert($n_name.into(), (*value).into());
            })*
            if let Some(headers) = properties.headers() {
                fields.insert("headers".into(), json_table(headers).into());
            }
            fields
        }
    };
}

properties! {
    texts
    "app_id" app_id with_app_id,
    "cluster_id" cluster_id with_cluster_id,
    "content_encoding" content_encoding with_content_encoding,
    "content_type" content_type with_content_type,
    "correlation_id" correlation_id with_correlation_id,
    "expiration" expiration with_expiration,
    "message_id" message_id with_message_id,
    "reply_to" reply_to with_reply_to,
    "type" kind with_type,
    "user_id" user_id with_user_id,
    numbers
    "delivery_mode" delivery_mode with_delivery_mode,
    "priority" priority with_priority,
    "timestamp" timestamp with_timestamp,
}

/// The properties of a message as they are answered: an empty list if there are none, as an empty
/// property list of Erlang is. `delivery_count` is a header of what a quorum queue delivers again.
pub(super) fn render(properties: &BasicProperties, delivery_count: Option<u32>) -> Value {
    let mut fields = fields(properties);
    if let Some(count) = delivery_count {
        let headers = fields.entry("headers").or_insert_with(|| Object::new().into());
        if let Some(headers) = headers.as_object_mut() {
            headers.insert("x-delivery-count".into(), count.into());
        }
    }
    if fields.is_empty() { json!([]) } else { fields.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::json::object;

    #[test]
    fn properties_come_back_as_they_were_given() {
        let given = object! {
            "content_type": "text/plain", "delivery_mode": 2, "timestamp": 1_700_000_000,
            "headers": {"n": 1, "list": [1, "a"], "table": {"k": true}},
        };
        assert_eq!(render(&parse(&given).unwrap(), None), Value::Object(given));
        assert_eq!(render(&BasicProperties::default(), None), json!([]));
        let counted = render(&BasicProperties::default(), Some(2));
        assert_eq!(counted, json!({"headers": {"x-delivery-count": 2}}));
    }

    #[test]
    fn properties_of_the_wrong_kind_are_named() {
        let refusal = |given: Object| parse(&given).unwrap_err();
        let number = refusal(object! {"priority": "high"});
        assert_eq!(number, Refusal::bad(json!(["not_int", "priority"])));
        let text = refusal(object! {"app_id": 5});
        assert_eq!(text, Refusal::bad(json!(["not_string", "app_id"])));
        assert!(parse(&object! {"delivery_mode": 256}).is_err());
    }
}
