//! From the octets of a publish to a message and the queues that get it
//! `[amqp 0-9-1 basic.publish]`.

use std::sync::Arc;

use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_protocol::properties::{Change, Changes, RawProperties};
use leveret_protocol::table::{TableWriter, entries};

use crate::base::field_value::type_name;
use crate::error::{Error, Precondition, Result};
use crate::limits::TIME_MAX_MS;
use crate::message::deaths::Deaths;
use crate::message::{Body, Message, Parts};
use crate::vhost::VirtualHost;
use crate::vhost::flow::route::{Pass, Route, Subject};
use crate::vhost::topology::exchange::Exchange;

/// Property flags that need a closer look before a message is accepted.
const HEADERS: u16 = 0x2000;
const REPLY_TO: u16 = 0x0200;
const EXPIRATION: u16 = 0x0100;
const USER_ID: u16 = 0x0010;

/// What is published.
#[derive(Debug)]
pub(crate) struct Publish<'a> {
    /// The same as that of another publish of the channel if only their bodies may differ; 0 if
    /// that is not known.
    pub number: u64,
    /// Exchange; empty for the default exchange.
    pub exchange: &'a [u8],
    /// Routing key.
    pub routing_key: &'a [u8],
    /// Property flags and list.
    pub properties: &'a [u8],
    /// Body.
    pub body: Body<'a>,
}

impl<'a> Publish<'a> {
    /// Whether the properties hold nothing that the broker has to check or change: then exchange
    /// and routing key alone decide.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        let properties = RawProperties(self.properties);
        let flags = properties.flags();
        flags & (REPLY_TO | EXPIRATION | USER_ID) == 0
            && (flags & HEADERS == 0 || !may_select(properties))
    }

    /// The `user_id` property, if it is set.
    pub(crate) fn user_id(&self) -> Option<&[u8]> {
        RawProperties(self.properties).user_id()
    }

    /// The `reply_to` property, if it is set.
    pub(crate) fn reply_to(&self) -> Option<&[u8]> {
        RawProperties(self.properties).reply_to()
    }

    /// Other routing keys that its headers `CC` and `BCC` name
    /// `[rabbitmq sender-selected]`. Errors: 406, 502.
    pub(crate) fn selected_keys(&self) -> Result<Vec<Vec<u8>>> {
        let properties = RawProperties(self.properties);
        if properties.flags() & HEADERS == 0 || !may_select(properties) {
            return Ok(Vec::new());
        }
        headers(properties)?.as_ref().map_or_else(|| Ok(Vec::new()), selected_keys)
    }

    /// Makes the message of a plain publish.
    #[inline]
    pub(crate) fn into_message(self, scratch: &mut Vec<u8>) -> Message {
        let parts = self.parts();
        Message::new(Parts { body: self.body, ..parts }, scratch)
    }

    /// What the message of a plain publish is made of, but for its body.
    #[inline]
    pub(crate) fn parts(&self) -> Parts<'a> {
        Parts {
            exchange: self.exchange,
            routing_key: self.routing_key,
            properties: self.properties,
            expiration_ms: None,
            body: Body::Borrowed(&[]),
        }
    }

    /// Makes a message, which `made` gets to see, and finds its queues. `reply_to` replaces that
    /// property. Errors: 406.
    pub(crate) fn into_routed(
        self,
        host: &Arc<VirtualHost>,
        exchange: &Arc<Exchange>,
        reply_to: Option<&str>,
        pass: Pass,
        scratch: &mut Vec<u8>,
        made: impl FnOnce(&Message),
    ) -> Result<(Message, Route)> {
        let properties = RawProperties(self.properties);
        let headers = headers(properties)?;
        let expiration_ms = properties.expiration().map(parse_expiration).transpose()?;
        let (mut selected, mut blind) = (Vec::new(), Vec::new());
        if let Some(headers) = headers.as_ref().filter(|_| may_select(properties)) {
            selected = sender_selected_keys(headers)?;
            blind = blind_keys(headers)?;
        }
        let mut keys = vec![self.routing_key];
        keys.extend(selected.iter().chain(&blind).map(Vec::as_slice));
        let rewritten = rewrite(properties, headers.as_ref(), expiration_ms, reply_to)?;
        let parts = Parts {
            exchange: self.exchange,
            routing_key: self.routing_key,
            properties: rewritten.as_deref().unwrap_or(self.properties),
            expiration_ms,
            body: self.body,
        };
        let deaths = (!blind.is_empty()).then(|| {
            let keys = keys.iter().map(|key| key.to_vec()).collect();
            Box::new(Deaths::routed_by(keys, blind.len()))
        });
        let message = Message::with_deaths(parts, deaths, scratch);
        made(&message);
        let subject = Subject { routing_keys: &keys, headers: headers.as_ref(), message: &message };
        let route = host.route(exchange, &subject, pass);
        Ok((message, route))
    }
}

fn headers(properties: RawProperties<'_>) -> Result<Option<FieldTable>> {
    let headers = properties.headers().transpose();
    headers.map_err(|_| Error::MalformedHeaders)
}

/// The properties as receivers get them, if they differ from what came in: without `BCC`, with
/// `expiration` in its plainest form, with the channel's own address in `reply_to`.
fn rewrite(
    properties: RawProperties<'_>,
    headers: Option<&FieldTable>,
    expiration_ms: Option<u64>,
    reply_to: Option<&str>,
) -> Result<Option<Vec<u8>>> {
    let mut changes = Changes::default();
    let raw_headers = properties.raw_headers().unwrap_or_default();
    let has_bcc = headers.is_some_and(|headers| headers.inner().contains_key("BCC"));
    let without_bcc = has_bcc.then(|| {
        let mut table = TableWriter::new();
        for (_, entry) in entries(raw_headers).filter(|(name, _)| *name != b"BCC") {
            table.entry(entry);
        }
        table.finish()
    });
    if let Some(headers) = &without_bcc {
        changes.headers = Change::Set(headers);
    }
    let plain = expiration_ms.map(|ms| ms.to_string());
    if let Some(plain) = &plain
        && properties.expiration() != Some(plain.as_bytes())
    {
        changes.expiration = Change::Set(plain.as_bytes());
    }
    if let Some(reply_to) = reply_to {
        changes.reply_to = Change::Set(reply_to.as_bytes());
    }
    if let Changes {
        headers: Change::Keep, expiration: Change::Keep, reply_to: Change::Keep, ..
    } = changes
    {
        return Ok(None);
    }
    properties.with(&changes).map(Some).map_err(|_| Error::MalformedProperties)
}

/// Whether the headers may hold `CC` or `BCC`: a look at the octets, which spares parsing.
fn may_select(properties: RawProperties<'_>) -> bool {
    properties.raw_headers().is_some_and(|headers| {
        headers.windows(3).any(|three| three == b"\x02CC" || three == b"BCC")
    })
}

/// The routing keys in the header `CC`. Errors: 406.
pub(in crate::vhost) fn sender_selected_keys(headers: &FieldTable) -> Result<Vec<Vec<u8>>> {
    keys_in(headers, "CC")
}

/// The routing keys in the headers `CC` and `BCC`. Errors: 406.
pub(in crate::vhost) fn selected_keys(headers: &FieldTable) -> Result<Vec<Vec<u8>>> {
    let mut selected = sender_selected_keys(headers)?;
    selected.extend(blind_keys(headers)?);
    Ok(selected)
}

/// The routing keys in the header `BCC`. Errors: 406.
fn blind_keys(headers: &FieldTable) -> Result<Vec<Vec<u8>>> {
    keys_in(headers, "BCC")
}

/// Has to be an array; of its elements those that are no strings are passed over.
fn keys_in(headers: &FieldTable, header: &'static str) -> Result<Vec<Vec<u8>>> {
    match headers.inner().get(header) {
        None => Ok(Vec::new()),
        Some(AMQPValue::FieldArray(keys)) => {
            let keys = keys.as_slice().iter().filter_map(|key| match key {
                AMQPValue::LongString(key) => Some(key.as_bytes().to_vec()),
                _ => None,
            });
            Ok(keys.collect())
        }
        Some(other) => {
            Err(Precondition::SelectedKeys { header, received: type_name(other) }.into())
        }
    }
}

/// `expiration` as a number of milliseconds `[rabbitmq ttl#per-message-ttl]`. Errors: 406.
fn parse_expiration(octets: &[u8]) -> Result<u64> {
    let text = String::from_utf8_lossy(octets);
    let invalid = |reason: String| {
        Error::from(Precondition::Expiration { expiration: text.clone().into_owned(), reason })
    };
    let digits_from = usize::from(text.starts_with(['+', '-']));
    let digits = &text[digits_from..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return Err(invalid("no_integer".into()));
    }
    if !rest.is_empty() {
        return Err(invalid(format!("{{leftover_string,\"{rest}\"}}")));
    }
    let digits = digits.trim_start_matches('0');
    let number = if digits.is_empty() { "0" } else { digits };
    if text.starts_with('-') && number != "0" {
        return Err(invalid(format!("{{value_negative,-{number}}}")));
    }
    match number.parse() {
        Ok(ms) if ms <= TIME_MAX_MS => Ok(ms),
        _ => Err(invalid(format!("{{value_too_large,{number}}}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        parse_expiration(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn expirations() {
        assert_eq!(parse_expiration(b"60000"), Ok(60_000));
        assert_eq!(parse_expiration(b"+5"), Ok(5));
        assert_eq!(parse_expiration(b"005"), Ok(5));
        assert_eq!(parse_expiration(b"-0"), Ok(0));
        assert_eq!(reason(""), "invalid expiration '': no_integer");
        assert_eq!(reason("soon"), "invalid expiration 'soon': no_integer");
        assert_eq!(reason("5ms"), "invalid expiration '5ms': {leftover_string,\"ms\"}");
        assert_eq!(reason("-1"), "invalid expiration '-1': {value_negative,-1}");
        assert_eq!(
            reason("99999999999999999999"),
            "invalid expiration '99999999999999999999': {value_too_large,99999999999999999999}"
        );
    }
}
