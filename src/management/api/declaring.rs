//! What the bodies of declarations have in common.

use amq_protocol::types::FieldTable;
use serde_json::Value;

use crate::definitions::arguments::to_field_table;
use crate::management::answer::{Outcome, Refusal};
use crate::management::body::boolean;
use crate::management::json::Object;

/// A truth value that is false unless it is given.
pub(crate) fn flag(body: &Object, name: &str) -> Outcome<bool> {
    Ok(boolean(body.get(name))?.unwrap_or(false))
}

/// The arguments of a queue, an exchange or a binding.
pub(crate) fn arguments(body: &Object) -> Outcome<FieldTable> {
    match body.get("arguments") {
        None | Some(Value::Null) => Ok(FieldTable::default()),
        // An empty property list of Erlang.
        Some(Value::Array(list)) if list.is_empty() => Ok(FieldTable::default()),
        Some(Value::Object(arguments)) => table(arguments),
        Some(_) => Err(Refusal::bad("arguments must be an object")),
    }
}

/// A table of arguments or headers, in which RabbitMQ wants no `null`.
pub(crate) fn table(given: &Object) -> Outcome<FieldTable> {
    if given.values().any(holds_null) {
        return Err(Refusal::bad("null_not_allowed"));
    }
    to_field_table(given).map_err(|error| Refusal::bad(error.to_string()))
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(fields) => fields.values().any(holds_null),
        _ => false,
    }
}
