//! JSON values as RabbitMQ prints them in its complaints, which is as Erlang has them.

use serde_json::Value;

use crate::base::erlang_term;

/// A text.
pub(crate) fn text(text: &str) -> String {
    erlang_term::binary(text.as_bytes())
}

/// Any value.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(self::value).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(object) => {
            let pair = |(name, value): (&String, &Value)| {
                format!("{} => {}", text(name), self::value(value))
            };
            let pairs: Vec<_> = object.iter().map(pair).collect();
            format!("#{{{}}}", pairs.join(","))
        }
    }
}

/// Names with their values: `[{<<"a">>,1}]`.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a Value)>) -> String {
    let pairs = pairs.into_iter().map(|(name, item)| format!("{{{},{}}}", text(name), value(item)));
    format!("[{}]", pairs.collect::<Vec<_>>().join(","))
}
