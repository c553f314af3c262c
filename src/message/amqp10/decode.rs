//! To AMQP 0-9-1.

use bytes::Bytes;
use leveret_protocol::properties::PropertyList;

use super::headers::{
    SHORT_MAX, annotation_headers, application_headers, entry, finish_headers, header,
};
use super::text::{Text, digits};
use super::values::{Items, Value, read};
use super::{TYPE_AMQP_10, annotation, section};
use crate::message::{Body, Message, Parts};

/// What a message was made of.
#[derive(Default)]
struct Sections<'a> {
    header: Option<Items<'a>>,
    annotations: Option<Items<'a>>,
    properties: Option<Items<'a>>,
    application: Option<Items<'a>>,
    /// The first data section.
    data: Option<&'a [u8]>,
    /// All data sections, if there are several.
    joined: Vec<u8>,
    /// What the body is instead: sections, as they came.
    foreign: Option<&'a [u8]>,
}

impl<'a> Sections<'a> {
    /// Takes a message apart; `None` if it is none.
    fn parse(octets: &'a [u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut rest = octets;
        let mut is_message = false;
        while !rest.is_empty() {
            let before = rest;
            let (code, value) = read_section(&mut rest)?;
            let items = match value {
                Value::List(items) | Value::Map(items) => Some(items),
                _ => None,
            };
            match code {
                section::HEADER => found.header = items,
                section::MESSAGE_ANNOTATIONS => found.annotations = items,
                section::PROPERTIES => found.properties = items,
                section::APPLICATION_PROPERTIES => found.application = items,
                section::DATA => found.add_data(value.octets()?),
                section::SEQUENCE | section::VALUE => {
                    let begin = octets.len() - before.len();
                    let end = octets.len() - rest.len();
                    let begin = match found.foreign {
                        // They lie behind each other.
                        Some(earlier) => begin - earlier.len(),
                        None => begin,
                    };
                    found.foreign = octets.get(begin..end);
                }
                section::DELIVERY_ANNOTATIONS | section::FOOTER => {}
                _ => return None,
            }
            is_message = true;
        }
        is_message.then_some(found)
    }

    fn add_data(&mut self, data: &'a [u8]) {
        match self.data {
            None => self.data = Some(data),
            Some(first) => {
                if self.joined.is_empty() {
                    self.joined.extend_from_slice(first);
                }
                self.joined.extend_from_slice(data);
            }
        }
    }
}

/// A section: its code and its value.
fn read_section<'a>(octets: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let (0, rest) = octets.split_first()? else { return None };
    *octets = rest;
    let code = match read(octets)? {
        Value::ULong(code) => code,
        Value::Symbol(name) => by_name(name)?,
        _ => return None,
    };
    Some((code, read(octets)?))
}

fn by_name(name: &[u8]) -> Option<u64> {
    Some(match name {
        b"amqp:header:list" => section::HEADER,
        b"amqp:delivery-annotations:map" => section::DELIVERY_ANNOTATIONS,
        b"amqp:message-annotations:map" => section::MESSAGE_ANNOTATIONS,
        b"amqp:properties:list" => section::PROPERTIES,
        b"amqp:application-properties:map" => section::APPLICATION_PROPERTIES,
        b"amqp:data:binary" => section::DATA,
        b"amqp:amqp-sequence:list" => section::SEQUENCE,
        b"amqp:amqp-value:*" => section::VALUE,
        b"amqp:footer:map" => section::FOOTER,
        _ => return None,
    })
}

/// Buffers that are used again from message to message.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    headers: Vec<u8>,
    properties: Vec<u8>,
    scratch: Vec<u8>,
}

/// Where a message of a stream comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The stream's name: the routing key of messages that do not say another.
    pub queue: &'a str,
    /// The message's offset.
    pub offset: u64,
    /// What the octets are a part of, for large bodies to share.
    pub chunk: &'a Bytes,
}

impl Decoder {
    /// The message that these octets are, with its offset among the headers. Octets that are no
    /// message of AMQP 1.0 are the body of one.
    pub(crate) fn decode(&mut self, octets: &[u8], origin: Origin<'_>) -> Message {
        let Self { headers, properties, scratch } = self;
        let sections = Sections::parse(octets);
        let found = sections.as_ref();
        headers.clear();
        headers.extend([0; 4]);
        let annotations = found.and_then(|found| found.annotations);
        let application = found.and_then(|found| found.application);
        let list = BasicProperties::read(found.and_then(|found| found.properties));
        let basics = Annotations::read(annotations);
        annotation_headers(annotations, headers);
        application_headers(application, headers);
        list.long_ids(headers);
        entry(headers, annotation::OFFSET, b'l', &origin.offset.to_be_bytes());
        finish_headers(headers);

        let foreign = found.and_then(|found| found.foreign.filter(|_| found.data.is_none()));
        let header = Header::read(found.and_then(|found| found.header));
        properties.clear();
        let mut expiration = [0; 10];
        let expiration = header.ttl.map(|ttl| digits(&mut expiration, ttl.into()));
        list.list(headers, &header, expiration, basics.kind.or(foreign.map(|_| TYPE_AMQP_10)))
            .encode(properties);
        let body = match found {
            None => Body::Borrowed(octets),
            Some(Sections { joined, .. }) if !joined.is_empty() => Body::Borrowed(joined),
            Some(found) => share(foreign.or(found.data).unwrap_or_default(), origin.chunk),
        };
        let parts = Parts {
            exchange: basics.exchange.unwrap_or_default(),
            routing_key: basics.routing_key.unwrap_or(origin.queue.as_bytes()),
            properties,
            expiration_ms: None,
            body,
        };
        Message::new(parts, scratch)
    }
}

/// A large body is not copied.
fn share<'a>(body: &'a [u8], chunk: &Bytes) -> Body<'a> {
    let is_inside = chunk.as_ptr_range().contains(&body.as_ptr());
    if is_inside && body.len() > crate::limits::INLINE_BODY_MAX_BYTES {
        Body::Shared(chunk.slice_ref(body))
    } else {
        Body::Borrowed(body)
    }
}

/// The header section.
#[derive(Clone, Copy, Debug)]
struct Header {
    durable: Option<bool>,
    priority: Option<u8>,
    ttl: Option<u32>,
}

impl Header {
    fn read(items: Option<Items<'_>>) -> Self {
        let Some(mut items) = items else {
            // Without a header messages count as durable.
            return Self { durable: Some(true), priority: None, ttl: None };
        };
        let durable = match items.next() {
            Some(Value::Boolean(durable)) => Some(durable),
            _ => Some(false),
        };
        let mut number = || items.next().and_then(Value::unsigned);
        let priority = number().and_then(|number| u8::try_from(number).ok());
        Self { durable, priority, ttl: number().and_then(|number| u32::try_from(number).ok()) }
    }
}

/// What message annotations say that is no header.
#[derive(Clone, Copy, Debug, Default)]
struct Annotations<'a> {
    exchange: Option<&'a [u8]>,
    routing_key: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

impl<'a> Annotations<'a> {
    fn read(annotations: Option<Items<'a>>) -> Self {
        let mut found = Self::default();
        let mut copied = None;
        for (name, value) in annotations.into_iter().flat_map(Items::pairs) {
            let text = value.octets().filter(|text| text.len() <= SHORT_MAX);
            match name.octets() {
                Some(annotation::EXCHANGE) => found.exchange = text,
                Some(annotation::ROUTING_KEY) => found.routing_key = text,
                Some(annotation::TYPE) => found.kind = text,
                Some(annotation::CC) => {
                    if let Value::List(mut keys) | Value::Array(mut keys) = value {
                        copied = keys.next().and_then(Value::octets);
                    }
                }
                _ => {}
            }
        }
        found.routing_key = found.routing_key.or(copied);
        found
    }
}

/// The properties section: properties of which some have other types than in AMQP 0-9-1.
#[derive(Clone, Copy, Debug)]
struct BasicProperties<'a> {
    fields: [Value<'a>; 11],
    /// Ids that are no texts, as such.
    message_id: Text,
    correlation_id: Text,
}

const MESSAGE_ID: usize = 0;
const USER_ID: usize = 1;
const REPLY_TO: usize = 4;
const CORRELATION_ID: usize = 5;
const CONTENT_TYPE: usize = 6;
const CONTENT_ENCODING: usize = 7;
const CREATION_TIME: usize = 9;
const GROUP_ID: usize = 10;

impl<'a> BasicProperties<'a> {
    fn read(items: Option<Items<'a>>) -> Self {
        let mut fields = [Value::Null; 11];
        if let Some(items) = items {
            fields.iter_mut().zip(items).for_each(|(field, value)| *field = value);
        }
        let (message_id, correlation_id) =
            (Text::of(fields[MESSAGE_ID]), Text::of(fields[CORRELATION_ID]));
        Self { fields, message_id, correlation_id }
    }

    /// A text that fits.
    fn text(&self, index: usize) -> Option<&'a [u8]> {
        let value = self.fields.get(index)?;
        let is_text = matches!(value, Value::Utf8(_) | Value::Symbol(_));
        value.octets().filter(|text| is_text && text.len() <= SHORT_MAX)
    }

    /// Ids that have no place among the properties.
    fn long_ids(&self, headers: &mut Vec<u8>) {
        for (index, name) in
            [(MESSAGE_ID, &b"x-message-id"[..]), (CORRELATION_ID, b"x-correlation-id")]
        {
            let value = self.fields.get(index).copied().unwrap_or(Value::Null);
            if self.text(index).is_none() && value.octets().is_some() {
                header(headers, name, value, 0);
            }
        }
    }

    fn list<'b>(
        &'b self,
        headers: &'b [u8],
        header: &Header,
        expiration: Option<&'b [u8]>,
        kind: Option<&'b [u8]>,
    ) -> PropertyList<'b> {
        let is_text = |octets: &&[u8]| octets.len() <= SHORT_MAX && str::from_utf8(octets).is_ok();
        let timestamp = match self.fields.get(CREATION_TIME) {
            Some(Value::Timestamp(ms)) => u64::try_from(ms.div_euclid(1000)).ok(),
            _ => None,
        };
        PropertyList {
            content_type: self.text(CONTENT_TYPE),
            content_encoding: self.text(CONTENT_ENCODING),
            headers: Some(headers),
            delivery_mode: header.durable.map(|durable| if durable { 2 } else { 1 }),
            priority: header.priority,
            correlation_id: self.text(CORRELATION_ID).or(self.correlation_id.as_octets()),
            reply_to: self.text(REPLY_TO),
            expiration,
            message_id: self.text(MESSAGE_ID).or(self.message_id.as_octets()),
            timestamp,
            kind,
            user_id: self.fields.get(USER_ID).and_then(|id| id.octets()).filter(is_text),
            app_id: self.text(GROUP_ID),
        }
    }
}
