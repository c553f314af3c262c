//! What one binding of a headers exchange asks of a message, parsed at bind.

use amq_protocol::types::{AMQPValue, FieldTable, ShortString};

use super::{BindError, header_value};
use crate::base::argument;
use crate::base::erlang_term;
use crate::base::field_value::type_name;

/// The parsed arguments of a binding. [rabbitmq headers exchange]
#[derive(Debug, Clone)]
pub(super) struct HeaderMatch {
    mode: Mode,
    /// Name and value, in the order of the names. Void asks only that the header is there.
    conditions: Box<[(ShortString, AMQPValue)]>,
}

/// How many of the conditions must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    All,
    Any,
}

impl HeaderMatch {
    pub(super) fn parse(arguments: Option<&FieldTable>) -> Result<Self, BindError> {
        let Some(arguments) = arguments else {
            return Ok(Self { mode: Mode::All, conditions: Box::default() });
        };
        let (mode, with_x) = parse_x_match(arguments.inner().get(argument::MATCH))?;
        let conditions = arguments.inner().iter().filter(|(name, _)| match name.as_str() {
            argument::MATCH => false,
            name => with_x || !name.starts_with("x-"),
        });
        let conditions = conditions.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Self { mode, conditions })
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn conditions(&self) -> &[(ShortString, AMQPValue)] {
        &self.conditions
    }

    /// Whether a message with these headers matches. With no condition at all `all` matches every
    /// message and `any` none.
    pub(super) fn matches(&self, headers: Option<&FieldTable>) -> bool {
        let holds = |(name, wanted): &(ShortString, AMQPValue)| {
            let header = headers.and_then(|headers| headers.inner().get(name));
            header.is_some_and(|header| {
                *wanted == AMQPValue::Void || header_value::matches(wanted, header)
            })
        };
        match self.mode {
            Mode::All => self.conditions.iter().all(holds),
            Mode::Any => self.conditions.iter().any(holds),
        }
    }
}

/// The mode, and whether arguments that start with `x-` are conditions too.
fn parse_x_match(x_match: Option<&AMQPValue>) -> Result<(Mode, bool), BindError> {
    let text = match x_match {
        None => return Ok((Mode::All, false)),
        Some(AMQPValue::LongString(text)) => text.as_bytes(),
        Some(AMQPValue::ShortString(text)) => text.as_str().as_bytes(),
        Some(other) => {
            return Err(BindError::XMatchType {
                type_name: type_name(other),
                value: erlang_term::value(other),
            });
        }
    };
    match text {
        b"all" => Ok((Mode::All, false)),
        b"any" => Ok((Mode::Any, false)),
        b"all-with-x" => Ok((Mode::All, true)),
        b"any-with-x" => Ok((Mode::Any, true)),
        other => Err(BindError::XMatchValue(erlang_term::binary(other))),
    }
}
