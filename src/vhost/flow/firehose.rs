//! The firehose: copies of all that is published and given out in a virtual host, for who looks for
//! a fault `[rabbitmq firehose]`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};

use crate::access::Actor;
use crate::base::ids::ConnectionId;
use crate::base::names::UserName;
use crate::message::Message;
use crate::queue::effects::Effects;
use crate::queue::tap::Tapped;
use crate::vhost::VirtualHost;
use crate::vhost::flow::publish::selected_keys;
use crate::vhost::flow::route::Route;
use crate::vhost::tracer::{TRACE, Tracer};

/// Octets of a routing key.
const KEY_BYTES_MAX: usize = 255;

impl VirtualHost {
    /// Publishes copies from now on, or, without anybody, no more.
    pub(crate) fn trace(&self, tracer: Option<Arc<dyn Tracer>>) {
        let is_on = tracer.is_some();
        *self.tracer.write() = tracer;
        if self.tap.set(is_on) != is_on {
            self.shared.faults.count_tracing(is_on);
        }
        // Channels forget their last routes: each publish is looked at.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Whether copies are published.
    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        self.tap.is_open()
    }

    /// A message was published, and goes to these queues.
    pub(crate) fn trace_publish(
        self: &Arc<Self>,
        actor: &Actor,
        channel: u16,
        message: &Message,
        route: &Route,
        effects: &mut Effects,
    ) {
        let key = format!("publish.{}", message.exchange());
        let queues = route.queues.iter().map(|queue| text(queue.name().as_str()));
        let who = (actor.connection, channel, Some(&actor.user.name));
        self.publish_copy(&key, message, who, effects, |headers| {
            let queues = FieldArray::from(queues.collect::<Vec<_>>());
            headers.insert("routed_queues".into(), AMQPValue::FieldArray(queues));
        });
    }

    /// A message was given out.
    pub(in crate::vhost) fn trace_delivery(
        self: &Arc<Self>,
        tapped: &Tapped,
        effects: &mut Effects,
    ) {
        let key = format!("deliver.{}", tapped.queue);
        let who = (tapped.channel.connection, tapped.channel.number, None);
        self.publish_copy(&key, &tapped.message, who, effects, |headers| {
            let redelivered = AMQPValue::LongInt(tapped.redelivered.into());
            headers.insert("redelivered".into(), redelivered);
        });
    }

    fn publish_copy(
        self: &Arc<Self>,
        key: &str,
        message: &Message,
        (connection, channel, user): (ConnectionId, u16, Option<&UserName>),
        effects: &mut Effects,
        add: impl FnOnce(&mut FieldTable),
    ) {
        // Copies are not copied.
        if message.exchange() == TRACE {
            return;
        }
        let Some(tracer) = self.tracer.read().clone() else { return };
        let Ok(exchange) = self.exchange(TRACE) else { return };
        let known = tracer.connection(connection);
        let user = user.or(known.as_ref().map(|(_, user)| user)).map_or("", UserName::as_str);
        let name = known.as_ref().map_or("", |(name, _)| name.as_str());
        let properties = message.properties();
        let mut headers = FieldTable::default();
        let mut put = |name: &str, value| {
            headers.insert(name.into(), value);
        };
        put("exchange_name", text(message.exchange()));
        put("routing_keys", AMQPValue::FieldArray(routing_keys(message, &properties)));
        put("properties", AMQPValue::FieldTable(table(&properties)));
        put("node", text(tracer.node()));
        put("vhost", text(self.name().as_str()));
        put("connection", text(name));
        put("channel", AMQPValue::LongInt(channel.into()));
        put("user", text(user));
        add(&mut headers);
        let properties = BasicProperties::default().with_headers(headers);
        let mut end = key.len().min(KEY_BYTES_MAX);
        while !key.is_char_boundary(end) {
            end -= 1;
        }
        let key = key.get(..end).unwrap_or_default();
        self.publish_internally(&exchange, key, &properties, message.body_to_share(), effects);
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// The routing key of a message, and those in its header `CC`.
fn routing_keys(message: &Message, properties: &BasicProperties) -> FieldArray {
    let headers = properties.headers().as_ref();
    let selected = headers.and_then(|headers| selected_keys(headers).ok()).unwrap_or_default();
    let all = std::iter::once(message.routing_key_octets().to_vec()).chain(selected);
    let all: Vec<_> = all.map(|key| AMQPValue::LongString(LongString::from(key))).collect();
    FieldArray::from(all)
}

/// Properties as a table.
fn table(properties: &BasicProperties) -> FieldTable {
    let mut table = FieldTable::default();
    let texts: [(&str, &Option<ShortString>); 10] = [
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("message_id", properties.message_id()),
        ("type", properties.kind()),
        ("user_id", properties.user_id()),
        ("app_id", properties.app_id()),
        ("cluster_id", properties.cluster_id()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            table.insert(name.into(), text(value.as_str()));
        }
    }
    if let Some(headers) = properties.headers() {
        table.insert("headers".into(), AMQPValue::FieldTable(headers.clone()));
    }
    let numbers =
        [("delivery_mode", properties.delivery_mode()), ("priority", properties.priority())];
    for (name, value) in numbers {
        if let Some(value) = value {
            table.insert(name.into(), AMQPValue::LongInt((*value).into()));
        }
    }
    if let Some(timestamp) = properties.timestamp() {
        table.insert("timestamp".into(), AMQPValue::Timestamp(*timestamp));
    }
    table
}
