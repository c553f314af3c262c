//! What the bodies of declarations have in common.

use amq_protocol::types::FieldTable;
use serde_json::Value;

use crate::definitions::arguments::to_field_table;
use crate::management::answer::{Outcome, Refusal};
use crate::management::body::boolean;
use crate::management::json::Object;

/// A truth value that is false unless it is given.
pub(crate) fn flag(body: &Object, name: &str) -> Outcome<bool> {
    match body.get(name) {
        Some(Value::Null) => Ok(false),
        value => Ok(boolean(value)?.unwrap_or(false)),
    }
}

/// The arguments of a queue, an exchange or a binding.
pub(crate) fn arguments(body: &Object) -> Outcome<FieldTable> {
    match body.get("arguments") {
        None | Some(Value::Null) => Ok(FieldTable::default()),
        // An empty property list of Erlang.
        Some(Value::Array(list)) if list.is_empty() => Ok(FieldTable::default()),
        Some(Value::Object(arguments)) => {
            to_field_table(arguments).map_err(|error| Refusal::bad(error.to_string()))
        }
        Some(_) => Err(Refusal::bad("arguments must be an object")),
    }
}
