//! There and back, and what clients of the stream protocol leave.

use amq_protocol::protocol::basic::AMQPProperties;
use amq_protocol::types::{AMQPValue, DecimalValue, FieldArray, FieldTable};
use bytes::Bytes;
use leveret_protocol::properties::{RawProperties, encode_properties};

use super::{Decoder, Origin, encode, filter_value};
use crate::message::deaths::{Death, DeathReason, Deaths};
use crate::message::{Body, Message, Parts};
use crate::time::clock::Timestamp;

fn message(properties: &AMQPProperties, body: &[u8]) -> Message {
    with_deaths(properties, body, None)
}

fn with_deaths(properties: &AMQPProperties, body: &[u8], deaths: Option<Deaths>) -> Message {
    let parts = Parts {
        exchange: b"exchange",
        routing_key: b"key",
        properties: &encode_properties(properties),
        expiration_ms: None,
        body: Body::Borrowed(body),
    };
    Message::with_deaths(parts, deaths.map(Box::new), &mut Vec::new())
}

fn octets(message: &Message) -> Bytes {
    let mut octets = Vec::new();
    encode(message, &mut octets);
    octets.extend_from_slice(message.body());
    octets.into()
}

fn read(octets: &Bytes) -> Message {
    let origin = Origin { queue: "stream", offset: 77, chunk: octets };
    Decoder::default().decode(octets, origin)
}

fn parsed(message: &Message) -> AMQPProperties {
    message.raw_properties().validate().unwrap();
    message.raw_properties().parse().unwrap()
}

fn headers(message: &Message) -> FieldTable {
    parsed(message).headers().clone().unwrap()
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let entries = entries.iter().map(|(name, value)| ((*name).into(), value.clone()));
    entries.collect::<std::collections::BTreeMap<_, _>>().into()
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

#[test]
fn properties_come_back() {
    let properties = AMQPProperties::default()
        .with_content_type("a/b".into())
        .with_content_encoding("c".into())
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("d".into())
        .with_reply_to("e".into())
        .with_expiration("60000".into())
        .with_message_id("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into())
        .with_timestamp(1_000_000_000)
        .with_type("g".into())
        .with_user_id("guest".into())
        .with_app_id("h".into());
    for body in [vec![7; 10], vec![8; 300_000], vec![]] {
        let back = read(&octets(&message(&properties, &body)));
        let expected = properties.clone();
        let offset = table(&[("x-stream-offset", AMQPValue::LongLongInt(77))]);
        assert_eq!(parsed(&back), expected.with_headers(offset));
        assert_eq!(
            (back.exchange_octets(), back.routing_key_octets()),
            (&b"exchange"[..], &b"key"[..])
        );
        assert_eq!(back.body(), body);
        assert_eq!(back.shared_body().is_some(), body.len() > 100_000);
    }
}

#[test]
fn without_a_delivery_mode_it_is_not_durable() {
    let back = read(&octets(&message(&AMQPProperties::default(), b"m")));
    assert_eq!(parsed(&back).delivery_mode(), &Some(1));
}

#[test]
fn headers_keep_their_types_as_far_as_there_are_two() {
    let array = |values: &[AMQPValue]| AMQPValue::FieldArray(FieldArray::from(values.to_vec()));
    let nested = table(&[("k", AMQPValue::LongInt(1)), ("in", array(&[text("x")]))]);
    let sent = [
        ("true", AMQPValue::Boolean(true)),
        ("byte", AMQPValue::ShortShortInt(-5)),
        ("ubyte", AMQPValue::ShortShortUInt(200)),
        ("short", AMQPValue::ShortInt(-300)),
        ("ushort", AMQPValue::ShortUInt(60_000)),
        ("int", AMQPValue::LongInt(-70_000)),
        ("uint", AMQPValue::LongUInt(4_000_000_000)),
        ("long", AMQPValue::LongLongInt(-1_099_511_627_776)),
        ("float", AMQPValue::Float(0.5)),
        ("double", AMQPValue::Double(0.1)),
        ("time", AMQPValue::Timestamp(1_000_000_000)),
        ("void", AMQPValue::Void),
        ("text", text("text")),
        ("long-text", text(&"x".repeat(5000))),
        ("x-table", AMQPValue::FieldTable(nested.clone())),
        ("x-array", array(&[AMQPValue::LongInt(1), text("two"), AMQPValue::Boolean(false)])),
        ("x-empty", array(&[])),
        ("x-wide", array(&vec![text("a text of some length"); 300])),
    ];
    let properties = AMQPProperties::default().with_headers(table(&sent));
    let mut expected = sent.to_vec();
    expected.push(("x-stream-offset", AMQPValue::LongLongInt(77)));
    let back = read(&octets(&message(&properties, b"m")));
    assert_eq!(headers(&back), table(&expected));
}

#[test]
fn some_headers_come_back_otherwise_or_not_at_all() {
    let inner = AMQPValue::FieldTable(table(&[("k", AMQPValue::LongInt(1))]));
    let keys = AMQPValue::FieldArray(FieldArray::from(vec![text("a"), text("b")]));
    let sent = [
        ("table", inner),
        ("array", keys.clone()),
        ("CC", keys.clone()),
        ("octets", AMQPValue::ByteArray(vec![1, 2].into())),
        ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 1, value: 25 })),
        ("x-exchange", text("mine")),
        ("x-routing-key", text("mine")),
        ("x-death", text("mine")),
        ("x-basic-type", text("mine")),
        ("x-stream-offset", AMQPValue::LongInt(1)),
        ("x-other", text("mine")),
    ];
    let properties = AMQPProperties::default().with_headers(table(&sent));
    let back = read(&octets(&message(&properties, b"m")));
    let expected = [
        ("CC", keys),
        ("octets", AMQPValue::LongString(vec![1, 2].into())),
        ("decimal", AMQPValue::Double(2.5)),
        ("x-other", text("mine")),
        ("x-stream-offset", AMQPValue::LongLongInt(77)),
    ];
    assert_eq!(headers(&back), table(&expected));
    assert_eq!(parsed(&back).kind().as_ref().map(|kind| kind.as_str()), Some("mine"));
    assert_eq!(
        (back.exchange_octets(), back.routing_key_octets()),
        (&b"exchange"[..], &b"key"[..])
    );
}

#[test]
fn deaths_are_remembered() {
    let mut deaths = Deaths::default();
    let death = |queue: &str, expiration| Death {
        queue: queue.into(),
        reason: DeathReason::Expired,
        count: 2,
        first_at: Timestamp::from_millis(1_000_000),
        exchange: b"x".as_slice().into(),
        routing_keys: vec![b"k".to_vec(), b"l".to_vec()].into(),
        original_expiration_ms: expiration,
    };
    deaths.record(death("a", Some(5)));
    deaths.record(death("b", None));
    let mut sent = Vec::new();
    let plain = encode_properties(&AMQPProperties::default());
    let raw = deaths.headers(RawProperties(&plain).raw_headers().unwrap_or(&[0; 4]));
    leveret_protocol::properties::PropertyList { headers: Some(&raw), ..Default::default() }
        .encode(&mut sent);
    let parts = Parts {
        exchange: b"",
        routing_key: b"s",
        properties: &sent,
        expiration_ms: None,
        body: Body::Borrowed(b"m"),
    };
    let died = Message::with_deaths(parts, Some(Box::new(deaths)), &mut Vec::new());
    let back = read(&octets(&died));
    let mut expected = headers(&died);
    expected.insert("x-stream-offset".into(), AMQPValue::LongLongInt(77));
    assert_eq!(headers(&back), expected);
    assert_eq!(parsed(&back).expiration().as_ref().map(|ms| ms.as_str()), Some("5"));
}

#[test]
fn the_filter_value_is_a_text() {
    let with = |value| {
        let headers = table(&[("n", AMQPValue::Void), ("x-stream-filter-value", value)]);
        message(&AMQPProperties::default().with_headers(headers), b"")
    };
    assert_eq!(filter_value(&with(text("apple"))), Some(&b"apple"[..]));
    assert_eq!(filter_value(&with(AMQPValue::LongInt(1))), None);
    assert_eq!(filter_value(&message(&AMQPProperties::default(), b"")), None);
}

#[test]
fn what_other_clients_write_is_read() {
    // properties (ulong id, binary correlation id), application properties, two data sections
    let octets = b"\0\x80\0\0\0\0\0\0\0\x73\xc0\x14\x06\x80\0\0\0\0\0\0\0\x09\x40\x40\x40\xa3\x01r\
                   \xa0\x02\xff\xfe\
                   \0\x53\x74\xc1\x07\x02\xa1\x01k\xa1\x01v\
                   \0\x53\x75\xa0\x02ab\0\x53\x75\xa0\x01c\0\x53\x78\xc1\x01\0";
    let back = read(&Bytes::from_static(octets));
    assert_eq!(back.body(), b"abc");
    let properties = parsed(&back);
    assert_eq!(properties.message_id().as_ref().map(|id| id.as_str()), Some("9"));
    assert_eq!(properties.correlation_id(), &None);
    assert_eq!(properties.reply_to().as_ref().map(|to| to.as_str()), Some("r"));
    assert_eq!(properties.delivery_mode(), &Some(2));
    let expected = [
        ("k", text("v")),
        ("x-correlation-id", AMQPValue::LongString(vec![0xFF, 0xFE].into())),
        ("x-stream-offset", AMQPValue::LongLongInt(77)),
    ];
    assert_eq!(headers(&back), table(&expected));
    assert_eq!((back.exchange_octets(), back.routing_key_octets()), (&b""[..], &b"stream"[..]));
}

#[test]
fn a_body_that_is_no_data_goes_there_and_back_as_it_is() {
    let value = b"\0\x53\x77\xa1\x05hello";
    let back = read(&Bytes::from_static(value));
    assert_eq!(parsed(&back).kind().as_ref().map(|kind| kind.as_str()), Some("amqp-1.0"));
    assert_eq!(back.body(), value);
    let again = read(&octets(&back));
    assert_eq!(again.body(), value);
}

#[test]
fn what_is_no_message_is_a_body() {
    for octets in [&b"plain text"[..], b"", b"\0", b"\0\x53\x75", b"\0\x53\x70\xc0\xff\x01"] {
        let back = read(&Bytes::copy_from_slice(octets));
        assert_eq!(back.body(), octets);
        back.raw_properties().validate().unwrap();
    }
}

#[test]
fn any_octets_are_taken() {
    let properties = AMQPProperties::default()
        .with_headers(table(&[("x-a", text("b")), ("c", AMQPValue::LongInt(3))]))
        .with_message_id("id".into());
    let sound = octets(&message(&properties, b"body"));
    for at in 0..sound.len() {
        for octet in 0..=255 {
            let mut octets = sound.to_vec();
            octets[at] = octet;
            let back = read(&octets.into());
            back.raw_properties().validate().unwrap();
        }
    }
}
