//! Arguments of queues, exchanges and bindings between JSON and AMQP field tables.

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use serde_json::{Number, Value};

use super::json::JsonObject;

/// An argument that has no place in a field table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("argument '{name}': {reason}")]
pub struct ArgumentError {
    /// The outermost argument.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Turns arguments of a definitions file into the field table that a client would have sent:
/// integers become `LongLongInt`, other numbers `Double`, text `LongString`, `null` `Void`.
///
/// # Errors
/// When a key is longer than 255 bytes, or an integer does not fit 64 signed bits.
pub fn to_field_table(arguments: &JsonObject) -> Result<FieldTable, ArgumentError> {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let refused = |reason| ArgumentError { name: name.clone(), reason };
        table.insert(key(name).map_err(refused)?, to_value(value).map_err(refused)?);
    }
    Ok(table)
}

fn key(name: &str) -> Result<ShortString, String> {
    ShortString::try_new(name).map_err(|_| "the name is longer than 255 bytes".to_owned())
}

fn to_value(value: &Value) -> Result<AMQPValue, String> {
    Ok(match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(boolean) => AMQPValue::Boolean(*boolean),
        Value::Number(number) => to_number(number)?,
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        Value::Array(array) => {
            let values: Result<Vec<_>, _> = array.iter().map(to_value).collect();
            AMQPValue::FieldArray(FieldArray::from(values?))
        }
        Value::Object(object) => {
            let mut table = FieldTable::default();
            for (name, value) in object {
                table.insert(key(name)?, to_value(value)?);
            }
            AMQPValue::FieldTable(table)
        }
    })
}

fn to_number(number: &Number) -> Result<AMQPValue, String> {
    if let Some(integer) = number.as_i64() {
        return Ok(AMQPValue::LongLongInt(integer));
    }
    match number.as_f64() {
        Some(float) if !number.is_u64() => Ok(AMQPValue::Double(float)),
        _ => Err(format!("the number {number} does not fit a signed 64-bit integer")),
    }
}

/// Turns a field table into arguments of a definitions file. What JSON cannot tell apart becomes
/// alike: all integers and timestamps are numbers, text that is not UTF-8 is repaired.
pub fn from_field_table(table: &FieldTable) -> JsonObject {
    let entries = table.inner().iter();
    entries.map(|(name, value)| (name.as_str().to_owned(), from_value(value))).collect()
}

fn from_value(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(boolean) => Value::from(*boolean),
        AMQPValue::ShortShortInt(number) => Value::from(*number),
        AMQPValue::ShortShortUInt(number) => Value::from(*number),
        AMQPValue::ShortInt(number) => Value::from(*number),
        AMQPValue::ShortUInt(number) => Value::from(*number),
        AMQPValue::LongInt(number) => Value::from(*number),
        AMQPValue::LongUInt(number) => Value::from(*number),
        AMQPValue::LongLongInt(number) => Value::from(*number),
        AMQPValue::Float(number) => Value::from(*number),
        AMQPValue::Double(number) => Value::from(*number),
        AMQPValue::DecimalValue(decimal) => {
            Value::from(f64::from(decimal.value) / 10_f64.powi(i32::from(decimal.scale)))
        }
        AMQPValue::ShortString(text) => Value::from(text.as_str()),
        AMQPValue::LongString(text) => Value::from(String::from_utf8_lossy(text.as_bytes())),
        AMQPValue::ByteArray(bytes) => Value::from(String::from_utf8_lossy(bytes.as_slice())),
        AMQPValue::FieldArray(array) => array.as_slice().iter().map(from_value).collect(),
        AMQPValue::Timestamp(seconds) => Value::from(*seconds),
        AMQPValue::FieldTable(table) => Value::Object(from_field_table(table)),
        AMQPValue::Void => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> JsonObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn each_json_type_has_its_amqp_type() {
        let arguments = object(json!({
            "x-max-length": 10, "factor": 1.5, "x-queue-type": "quorum", "x-flag": true,
            "nothing": null, "list": [1, "a"], "inner": {"k": -1}
        }));
        let table = to_field_table(&arguments).unwrap();
        let get = |name: &str| table.inner().get(name).unwrap();
        assert_eq!(get("x-max-length"), &AMQPValue::LongLongInt(10));
        assert_eq!(get("factor"), &AMQPValue::Double(1.5));
        assert_eq!(get("x-queue-type"), &AMQPValue::LongString("quorum".into()));
        assert_eq!(get("x-flag"), &AMQPValue::Boolean(true));
        assert_eq!(get("nothing"), &AMQPValue::Void);
        let list = vec![AMQPValue::LongLongInt(1), AMQPValue::LongString("a".into())];
        assert_eq!(get("list"), &AMQPValue::FieldArray(list.into()));
        assert!(matches!(get("inner"), AMQPValue::FieldTable(inner)
            if inner.inner().get("k") == Some(&AMQPValue::LongLongInt(-1))));
        assert_eq!(from_field_table(&table), arguments);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let error = to_field_table(&object(json!({"x": [u64::MAX]}))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "argument 'x': the number 18446744073709551615 does not fit a signed 64-bit integer"
        );
        let long = "k".repeat(256);
        assert!(to_field_table(&object(json!({ &long: 1 }))).is_err());
        assert!(to_field_table(&object(json!({ "inner": { &long: 1 } }))).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(|number: f64| Value::from(number)),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn arguments_survive_the_way_there_and_back(value in any_json()) {
            let arguments = JsonObject::from_iter([("x".to_owned(), value)]);
            let table = to_field_table(&arguments).unwrap();
            prop_assert_eq!(from_field_table(&table), arguments);
        }
    }
}
