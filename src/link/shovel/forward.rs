//! What a shovel makes of the properties of a message `[rabbitmq shovel-dynamic]`.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldArray, FieldTable};

use super::definition::{Definition, Destination, Source};
use crate::base::argument::{SHOVELLED, SHOVELLED_AGAIN, SHOVELLED_TIMESTAMP};
use crate::base::field_value;
use crate::link::properties::replaced;
use crate::time::clock::Timestamp;

/// What a shovel writes into messages, while its connections last.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    properties: BasicProperties,
    trail: Option<FieldTable>,
    timestamp: bool,
    again: bool,
}

impl Stamp {
    /// Of the shovel `name` of `cluster`, in `virtual_host` if it is not static, between these
    /// brokers.
    pub(crate) fn new(
        definition: &Definition,
        (cluster, virtual_host, name): (&str, Option<&str>, &str),
        (source, destination): (&str, &str),
    ) -> Self {
        let trail = definition.forward_headers.then(|| {
            let mut trail = FieldTable::default();
            let mut add = |key: &str, value: &str| {
                trail.insert(key.into(), AMQPValue::LongString(value.into()));
            };
            add("shovelled-by", cluster);
            add("shovel-type", if virtual_host.is_some() { "dynamic" } else { "static" });
            add("shovel-name", name);
            virtual_host.into_iter().for_each(|host| add("shovel-vhost", host));
            add("src-uri", source);
            add("dest-uri", destination);
            ends(definition).into_iter().for_each(|(key, value)| add(key, value));
            trail
        });
        let properties = definition.properties.clone();
        let (timestamp, again) = (definition.timestamp_header, definition.again_header);
        Self { properties, trail, timestamp, again }
    }

    /// The properties with which a message is published. One that is `redelivered` may have been
    /// published before.
    pub(crate) fn apply(
        &self,
        own: BasicProperties,
        redelivered: bool,
        now: Timestamp,
    ) -> BasicProperties {
        let mut properties = replaced(own, &self.properties);
        let again = self.again && redelivered;
        if self.trail.is_none() && !self.timestamp && !again {
            return properties;
        }
        let mut headers = properties.headers().clone().unwrap_or_default();
        if let Some(trail) = &self.trail {
            let mut trails = vec![AMQPValue::FieldTable(trail.clone())];
            if let Some(AMQPValue::FieldArray(before)) = field_value::get(&headers, SHOVELLED) {
                trails.extend(before.as_slice().iter().cloned());
            }
            let trails = FieldArray::from(trails);
            headers.insert(SHOVELLED.into(), AMQPValue::FieldArray(trails));
        }
        if self.timestamp {
            let seconds = i64::try_from(now.as_seconds()).unwrap_or(i64::MAX);
            headers.insert(SHOVELLED_TIMESTAMP.into(), AMQPValue::LongLongInt(seconds));
        }
        if again {
            headers.insert(SHOVELLED_AGAIN.into(), AMQPValue::Boolean(true));
        }
        properties = properties.with_headers(headers);
        properties
    }
}

/// What stands at the ends of a shovel, by its keys.
pub(crate) fn ends(definition: &Definition) -> Vec<(&'static str, &str)> {
    let mut ends = Vec::new();
    match &definition.source {
        Source::Queue { name, .. } => ends.push(("src-queue", name.as_str())),
        Source::Exchange { name, key } => {
            ends.extend([("src-exchange", name.as_str()), ("src-exchange-key", key.as_str())]);
        }
    }
    match &definition.destination {
        Destination::Queue { name, .. } => ends.push(("dest-queue", name.as_str())),
        Destination::Exchange { name, key } => {
            ends.extend(name.as_deref().map(|name| ("dest-exchange", name)));
            ends.extend(key.as_deref().map(|key| ("dest-exchange-key", key)));
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stamp(extra: serde_json::Value) -> Stamp {
        let mut value = json!({"src-uri": "amqp://", "dest-uri": "amqp://u:p@h", "src-queue": "a",
            "dest-exchange": "x"});
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let definition = Definition::parse("s", &value, &|_| None).unwrap();
        Stamp::new(&definition, ("leveret@here", Some("/"), "s"), ("amqp://", "amqp://h"))
    }

    #[test]
    fn nothing_changes_unless_it_is_asked_for() {
        let own = BasicProperties::default().with_priority(3).with_type("order".into());
        assert_eq!(stamp(json!({})).apply(own.clone(), true, Timestamp::from_millis(0)), own);
    }

    #[test]
    fn properties_are_set_and_others_kept() {
        let stamp = stamp(json!({"dest-publish-properties": {"delivery_mode": 2, "type": "t"}}));
        let own = BasicProperties::default().with_priority(3).with_type("order".into());
        let got = stamp.apply(own, false, Timestamp::from_millis(0));
        assert_eq!((got.delivery_mode(), got.priority()), (&Some(2), &Some(3)));
        assert_eq!(got.kind().as_ref().map(|kind| kind.as_str()), Some("t"));
    }

    #[test]
    fn what_may_have_come_before_says_so_and_nothing_else_does() {
        let stamp = stamp(json!({"dest-add-again-header": true}));
        let at = Timestamp::from_millis(0);
        let again = stamp.apply(BasicProperties::default(), true, at).headers().clone().unwrap();
        assert_eq!(field_value::get(&again, SHOVELLED_AGAIN), Some(&AMQPValue::Boolean(true)));
        assert_eq!(stamp.apply(BasicProperties::default(), false, at).headers(), &None);
    }

    #[test]
    fn headers_tell_the_way_the_last_shovel_first() {
        let stamp =
            stamp(json!({"dest-add-forward-headers": true, "dest-add-timestamp-header": true}));
        let at = Timestamp::from_millis(7_500);
        let once = stamp.apply(BasicProperties::default(), false, at);
        let twice = stamp.apply(once, false, at);
        let headers = twice.headers().clone().unwrap();
        let Some(AMQPValue::FieldArray(trails)) = field_value::get(&headers, SHOVELLED) else {
            unreachable!("{headers:?}")
        };
        assert_eq!(trails.as_slice().len(), 2);
        let AMQPValue::FieldTable(trail) = &trails.as_slice()[0] else { unreachable!() };
        let text = |key| field_value::get(trail, key).and_then(field_value::string);
        assert_eq!(text("shovelled-by"), Some("leveret@here"));
        assert_eq!((text("src-queue"), text("dest-exchange")), (Some("a"), Some("x")));
        assert_eq!((text("dest-uri"), text("dest-queue")), (Some("amqp://h"), None));
        let stamped =
            field_value::get(&headers, SHOVELLED_TIMESTAMP).and_then(field_value::integer);
        assert_eq!(stamped, Some(7));
    }
}
