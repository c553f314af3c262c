//! Raw content properties.

mod support;

use amq_protocol::protocol::basic::AMQPProperties;
use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_protocol::properties::{NO_PROPERTIES, encode_properties};
use leveret_protocol::{Change, Changes, RawProperties};
use proptest::option::of;
use proptest::prelude::*;
use support::all_properties;

fn text() -> impl Strategy<Value = Option<String>> {
    of("[a-zé]{0,60}")
}

fn table() -> impl Strategy<Value = FieldTable> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        (-1e9..1e9).prop_map(AMQPValue::Double),
        ".{0,20}".prop_map(|text| AMQPValue::LongString(text.into())),
        Just(AMQPValue::Void),
    ];
    let value = leaf.prop_recursive(4, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|values| AMQPValue::FieldArray(values.into())),
            entries(inner).prop_map(AMQPValue::FieldTable),
        ]
    });
    entries(value)
}

fn entries(value: impl Strategy<Value = AMQPValue>) -> impl Strategy<Value = FieldTable> {
    prop::collection::btree_map("[a-z]{0,9}", value, 0..5).prop_map(|entries| {
        let named = entries.into_iter().map(|(name, value)| (name.into(), value));
        FieldTable::from(named.collect::<std::collections::BTreeMap<_, _>>())
    })
}

prop_compose! {
    fn properties()(
        texts in [text(), text(), text(), text(), text(), text(), text(), text(), text(), text()],
        headers in of(table()),
        (delivery_mode, priority) in (of(any::<u8>()), of(any::<u8>())),
        timestamp in of(any::<u64>()),
    ) -> AMQPProperties {
        let mut properties = AMQPProperties::default();
        for (index, text) in texts.into_iter().enumerate() {
            let Some(text) = text.map(Into::into) else { continue };
            properties = match index {
                0 => properties.with_content_type(text),
                1 => properties.with_content_encoding(text),
                2 => properties.with_correlation_id(text),
                3 => properties.with_reply_to(text),
                4 => properties.with_expiration(text),
                5 => properties.with_message_id(text),
                6 => properties.with_type(text),
                7 => properties.with_user_id(text),
                8 => properties.with_app_id(text),
                _ => properties.with_cluster_id(text),
            };
        }
        if let Some(headers) = headers {
            properties = properties.with_headers(headers);
        }
        if let Some(mode) = delivery_mode {
            properties = properties.with_delivery_mode(mode);
        }
        if let Some(priority) = priority {
            properties = properties.with_priority(priority);
        }
        if let Some(timestamp) = timestamp {
            properties = properties.with_timestamp(timestamp);
        }
        properties
    }
}

fn octets(text: &Option<amq_protocol::types::ShortString>) -> Option<&[u8]> {
    text.as_ref().map(|text| text.as_str().as_bytes())
}

proptest! {
    #[test]
    fn round_trip(properties in properties()) {
        let octets_ = encode_properties(&properties);
        let raw = RawProperties(&octets_);
        prop_assert_eq!(raw.validate(), Ok(()));
        prop_assert_eq!(raw.content_type(), octets(properties.content_type()));
        prop_assert_eq!(raw.headers(), properties.headers().clone().map(Ok));
        prop_assert_eq!(raw.delivery_mode(), *properties.delivery_mode());
        prop_assert_eq!(raw.priority(), *properties.priority());
        prop_assert_eq!(raw.correlation_id(), octets(properties.correlation_id()));
        prop_assert_eq!(raw.reply_to(), octets(properties.reply_to()));
        prop_assert_eq!(raw.expiration(), octets(properties.expiration()));
        prop_assert_eq!(raw.message_id(), octets(properties.message_id()));
        prop_assert_eq!(raw.timestamp(), *properties.timestamp());
        prop_assert_eq!(raw.kind(), octets(properties.kind()));
        prop_assert_eq!(raw.user_id(), octets(properties.user_id()));
        prop_assert_eq!(raw.app_id(), octets(properties.app_id()));
        prop_assert_eq!(raw.parse(), Ok(properties));
        prop_assert_eq!(raw.with(&Changes::default()), Ok(octets_.clone()));
        for end in 0..octets_.len() {
            let cut = RawProperties(&octets_[..end]);
            prop_assert!(cut.validate().is_err());
            prop_assert!(cut.with(&Changes::default()).is_err());
        }
    }

    #[test]
    fn arbitrary_octets(octets in prop::collection::vec(any::<u8>(), 0..60)) {
        let raw = RawProperties(&octets);
        let valid = raw.validate().is_ok();
        prop_assert!(valid || raw.parse().is_err());
        prop_assert_eq!(valid, raw.with(&Changes::default()).is_ok());
        let _ = (raw.headers(), raw.timestamp(), raw.app_id(), raw.delivery_mode());
    }

    #[test]
    fn changes(properties in properties(), headers in table()) {
        let octets = encode_properties(&properties);
        let only_headers = AMQPProperties::default().with_headers(headers.clone());
        let only_headers = encode_properties(&only_headers);
        let set = Changes {
            headers: Change::Set(&only_headers[2..]),
            delivery_mode: Change::Set(2),
            priority: Change::Remove,
            reply_to: Change::Set(b"there"),
            expiration: Change::Remove,
        };
        let changed = RawProperties(&octets).with(&set);
        let mut parsed = changed.and_then(|changed| RawProperties(&changed).parse());
        let mut expected = properties
            .with_headers(headers)
            .with_delivery_mode(2)
            .with_reply_to("there".into());
        // What was removed has to be made equal by hand: there is no setter for absence.
        prop_assert!(parsed.as_ref().is_ok_and(|it| it.expiration().is_none()));
        prop_assert!(parsed.as_ref().is_ok_and(|it| it.priority().is_none()));
        expected = expected.with_expiration("".into()).with_priority(0);
        parsed = parsed.map(|it| it.with_expiration("".into()).with_priority(0));
        prop_assert_eq!(parsed, Ok(expected));
    }
}

#[test]
fn removing_everything_leaves_no_properties() {
    let only =
        AMQPProperties::default().with_expiration("5".into()).with_headers(FieldTable::default());
    let octets = encode_properties(&only);
    let remove =
        Changes { headers: Change::Remove, expiration: Change::Remove, ..Changes::default() };
    assert_eq!(RawProperties(&octets).with(&remove).as_deref(), Ok(NO_PROPERTIES));
}

#[test]
fn what_is_kept_is_kept_to_the_octet() {
    let octets = encode_properties(&all_properties());
    let change = Changes { expiration: Change::Set(b"7"), ..Changes::default() };
    let changed = RawProperties(&octets).with(&change);
    let expected = encode_properties(&all_properties().with_expiration("7".into()));
    assert_eq!(changed, Ok(expected));
}

#[test]
fn unknown_flags_mean_nothing() {
    let raw = RawProperties(&[0, 2]);
    assert_eq!((raw.validate(), raw.flags()), (Ok(()), 0));
    assert_eq!(RawProperties(&[]).flags(), 0);
}
