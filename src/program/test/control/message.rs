//! Messages as JSON.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{FieldTable, ShortString};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::{Answer, Refusal};
use leveret::Message;
use leveret::definitions::JsonObject;
use leveret::definitions::{from_field_table, to_field_table};

/// A property as JSON has it.
trait Property: Sized {
    /// As AMQP has it.
    type Wire;
    fn into_wire(self) -> Answer<Self::Wire>;
    fn of_wire(wire: &Self::Wire) -> Self;
}

impl Property for String {
    type Wire = ShortString;

    fn into_wire(self) -> Answer<ShortString> {
        let wire = ShortString::try_new(self);
        wire.map_err(|_| Refusal::bad("a property has more than 255 octets of text"))
    }

    fn of_wire(wire: &ShortString) -> Self {
        wire.as_str().to_owned()
    }
}

macro_rules! numbers {
    ($($kind:ty)*) => {
        $(impl Property for $kind {
            type Wire = Self;

            fn into_wire(self) -> Answer<Self> {
                Ok(self)
            }

            fn of_wire(wire: &Self) -> Self {
                *wire
            }
        })*
    };
}

numbers!(u8 u64);

macro_rules! properties {
    ($($name:ident $json:literal $kind:ty: $with:ident,)*) => {
        /// Properties of a message without its headers, under the names that AMQP gives them. Only
        /// those that are set are there.
        #[derive(Clone, Debug, Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Properties {
            $(#[serde(rename = $json, skip_serializing_if = "Option::is_none")]
            $name: Option<$kind>,)*
        }

        impl Properties {
            /// The properties, with these headers.
            pub(crate) fn into_wire(self, headers: Option<FieldTable>) -> Answer<BasicProperties> {
                let mut wire = BasicProperties::default();
                if let Some(headers) = headers {
                    wire = wire.with_headers(headers);
                }
                $(if let Some(value) = self.$name {
                    wire = wire.$with(value.into_wire()?);
                })*
                Ok(wire)
            }

            /// Whether all that are set here are the same there.
            pub(crate) fn are_in(&self, other: &Self) -> bool {
                true $(&& (self.$name.is_none() || self.$name == other.$name))*
            }
        }

        impl From<&BasicProperties> for Properties {
            fn from(wire: &BasicProperties) -> Self {
                Self { $($name: wire.$name().as_ref().map(Property::of_wire),)* }
            }
        }
    };
}

properties! {
    content_type "content_type" String: with_content_type,
    content_encoding "content_encoding" String: with_content_encoding,
    delivery_mode "delivery_mode" u8: with_delivery_mode,
    priority "priority" u8: with_priority,
    correlation_id "correlation_id" String: with_correlation_id,
    reply_to "reply_to" String: with_reply_to,
    expiration "expiration" String: with_expiration,
    message_id "message_id" String: with_message_id,
    timestamp "timestamp" u64: with_timestamp,
    kind "type" String: with_type,
    user_id "user_id" String: with_user_id,
    app_id "app_id" String: with_app_id,
    cluster_id "cluster_id" String: with_cluster_id,
}

/// Headers that a request names.
pub(super) fn headers(json: &JsonObject) -> Answer<FieldTable> {
    to_field_table(json)
        .map_err(|error| Refusal::bad(format!("header '{}': {}", error.name, error.reason)))
}

/// The body that a request gives, as text or in base64; `None` if it gives none.
pub(super) fn body(text: Option<String>, base64: Option<&str>) -> Answer<Option<Bytes>> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(Refusal::bad("give either body or body_base64")),
        (Some(text), None) => Ok(Some(text.into())),
        (None, Some(base64)) => {
            let octets = STANDARD.decode(base64);
            let octets = octets.map_err(|error| Refusal::bad(format!("body_base64: {error}")))?;
            Ok(Some(octets.into()))
        }
        (None, None) => Ok(None),
    }
}

/// Puts a message into an answer. The body is there as text if it is one, else in base64; octets
/// of the routing key that are no text are replaced.
pub(super) fn describe(message: &Message, answer: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("exchange", message.exchange().into());
    put("routing_key", String::from_utf8_lossy(message.routing_key_octets()).into());
    // What holds nothing but texts and numbers has a value.
    let properties = message.properties();
    put("properties", serde_json::to_value(Properties::from(&properties)).unwrap_or_default());
    let headers = properties.headers().as_ref().map(from_field_table);
    put("headers", headers.unwrap_or_default().into());
    match std::str::from_utf8(message.body()) {
        Ok(text) => put("body", text.into()),
        Err(_) => put("body_base64", STANDARD.encode(message.body()).into()),
    };
}
