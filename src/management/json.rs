//! Objects of answers: values at dotted names, chosen columns, and the order of values.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// An object of an answer.
pub(super) type Object = Map<String, Value>;

/// The object that `json!` makes of fields.
macro_rules! object {
    ($($fields:tt)*) => {
        match serde_json::json!({ $($fields)* }) {
            serde_json::Value::Object(object) => object,
            _ => serde_json::Map::new(), // braces make nothing else
        }
    };
}
pub(super) use object;

/// The value at a name such as `message_stats.publish_details.rate`.
pub(super) fn at<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let mut parts = name.split('.').filter(|part| !part.is_empty());
    let mut value = object.get(parts.next()?)?;
    for part in parts {
        value = value.as_object()?.get(part)?;
    }
    Some(value)
}

/// Columns that a request asks for: names, each a list of parts. Without the parameter all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Columns(Option<Vec<Vec<String>>>);

impl Columns {
    /// Reads the parameter `columns`.
    pub(super) fn parse(parameter: Option<&str>) -> Self {
        let parts = |name: &str| name.split('.').map(str::to_owned).collect();
        let names = |text: &str| text.split(',').filter(|n| !n.is_empty()).map(parts).collect();
        Self(parameter.map(names))
    }

    /// Of an object what is asked for.
    pub(super) fn of(&self, object: Object) -> Object {
        match &self.0 {
            None => object,
            Some(names) => {
                let names: Vec<&[String]> = names.iter().map(Vec::as_slice).collect();
                pick(object, &names)
            }
        }
    }
}

fn pick(object: Object, names: &[&[String]]) -> Object {
    let mut picked = Object::new();
    for (key, value) in object {
        let below: Vec<&[String]> = names
            .iter()
            .filter_map(|name| name.split_first())
            .filter(|(first, _)| **first == key)
            .map(|(_, rest)| rest)
            .collect();
        if below.is_empty() {
            continue;
        }
        let all = below.iter().any(|rest| rest.is_empty());
        picked.insert(key, if all { value } else { pick_value(value, &below) });
    }
    picked
}

fn pick_value(value: Value, names: &[&[String]]) -> Value {
    match value {
        Value::Object(object) => Value::Object(pick(object, names)),
        Value::Array(items) => items.into_iter().map(|item| pick_value(item, names)).collect(),
        other => other,
    }
}

/// Values in RabbitMQ's order: numbers, truth and nothing, objects, lists, texts. What is not
/// there counts as 0.
pub(super) fn compare(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::Bool(_) | Value::Null => 1,
        Value::Object(_) => 2,
        Value::Array(_) => 3,
        Value::String(_) => 4,
    };
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => {
                let float = |number: &serde_json::Number| number.as_f64().unwrap_or_default();
                float(one).total_cmp(&float(other))
            }
        },
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other).map(|(one, other)| compare(one, other));
            pairs.fold(Ordering::Equal, Ordering::then).then(one.len().cmp(&other.len()))
        }
        (Value::Object(one), Value::Object(other)) => one.len().cmp(&other.len()),
        _ => rank(one).cmp(&rank(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_be_nested() {
        let object = object! {
            "name": "q", "messages": 3, "list": [{"a": 1, "b": 2}],
            "details": {"rate": 0.5, "samples": []},
        };
        let of = |names: &str| Columns::parse(Some(names)).of(object.clone());
        assert_eq!(of("name,nothing"), object! {"name": "q"});
        assert_eq!(of("details.rate,messages"), object! {"details": {"rate": 0.5}, "messages": 3});
        assert_eq!(of("list.a"), object! {"list": [{"a": 1}]});
        assert_eq!(of("details.rate,details"), object! {"details": {"rate": 0.5, "samples": []}});
        assert_eq!(of(""), Object::new());
        assert_eq!(Columns::parse(None).of(object.clone()), object);
    }

    #[test]
    fn values_at_dotted_names_are_found() {
        let object = object! {"a": {"b": {"c": 1}}};
        assert_eq!(at(&object, "a.b.c"), Some(&Value::from(1)));
        assert_eq!(at(&object, "a.x.c"), None);
        assert_eq!(at(&object, "a.b.c.d"), None);
    }

    #[test]
    fn values_of_all_kinds_have_an_order() {
        let order = serde_json::json!([-1, 0.5, 2, false, true, {}, [1], [1, 2], "a", "b"]);
        let order = order.as_array().unwrap();
        for pair in order.windows(2) {
            assert_eq!(compare(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
        }
    }
}
