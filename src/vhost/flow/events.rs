//! The exchange of events: what comes and goes in the broker, as messages
//! `[rabbitmq event-exchange]`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_protocol::properties::encode_properties;

use crate::access::Actor;
use crate::base::herald::{Acting, Event};
use crate::base::names::UserName;
use crate::error::Result;
use crate::exchange::{ExchangeType, Router};
use crate::message::{Body, Message, Parts};
use crate::persist;
use crate::queue::effects::Effects;
use crate::vhost::VirtualHost;
use crate::vhost::flow::enqueue::Origin;
use crate::vhost::flow::route::{Pass, Subject};
use crate::vhost::topology::exchange::{Exchange, ExchangeAttributes};

/// Its name.
pub(crate) const EVENTS: &str = "amq.rabbitmq.event";

/// Persistent.
const DELIVERY_MODE: u8 = 2;

impl VirtualHost {
    /// What this thread does next it does in the name of this user.
    #[inline]
    pub(crate) fn acting(&self, actor: &Actor) -> Option<Acting> {
        self.shared.herald.acting(actor.user.name.as_str())
    }

    /// Whether it has the exchange of events.
    pub(crate) fn has_event_exchange(&self) -> bool {
        self.find_exchange(EVENTS).is_some()
    }

    /// Makes the exchange of events, unless it is there. It survives a restart. Errors: 541.
    pub(crate) fn make_event_exchange(&self, user: &str, effects: &mut Effects) -> Result<()> {
        let mut topology = self.topology.lock();
        self.check_open()?;
        if self.has_event_exchange() {
            return Ok(());
        }
        let attributes = ExchangeAttributes {
            kind: ExchangeType::Topic,
            durable: true,
            auto_delete: false,
            internal: true,
            table: FieldTable::default(),
            alternate: None,
            declared_by: UserName::from(user),
        };
        if let Ok(router) = Router::new(attributes.kind, &attributes.table) {
            self.record_exchange(&mut topology, EVENTS, &attributes, 0, effects)?;
            self.insert_exchange(EVENTS.into(), attributes, router, None, 0);
        }
        Ok(())
    }

    /// Deletes the exchange of events with its bindings.
    pub(crate) fn remove_event_exchange(&self, effects: &mut Effects) {
        let mut topology = self.topology.lock();
        if let Some(exchange) = self.find_exchange(EVENTS) {
            let left = self.remove_exchange(&mut topology, &exchange, effects);
            drop(topology);
            self.remove_remains(left, effects);
            self.changed();
        }
    }

    /// From now on it knows at every change of bindings whether somebody listens to events.
    pub(crate) fn watch_event_exchange(&self) {
        self.is_heard.store(true, Ordering::SeqCst);
        self.look_who_listens();
    }

    /// Something was bound or unbound, perhaps there.
    pub(in crate::vhost) fn look_who_listens(&self) {
        let exchange = self.find_exchange(EVENTS);
        let is_heard = exchange.is_some_and(|exchange| exchange.binding_count() > 0);
        self.shared.herald.set_heard(is_heard);
    }

    /// Publishes an event.
    pub(crate) fn publish_event(self: &Arc<Self>, mut event: Event) {
        let Some(exchange) = self.find_exchange(EVENTS) else { return };
        let at_ms = AMQPValue::LongLongInt(i64::try_from(event.at_ms).unwrap_or(i64::MAX));
        event.told.headers.insert("timestamp_in_ms".into(), at_ms);
        let properties = BasicProperties::default()
            .with_delivery_mode(DELIVERY_MODE)
            .with_timestamp(event.at_ms / 1000)
            .with_headers(event.told.headers);
        let mut effects = Effects::new();
        self.publish_internally(
            &exchange,
            event.key,
            &properties,
            Body::Borrowed(&[]),
            &mut effects,
        );
        self.run(&mut effects);
    }

    /// Publishes what the broker says of itself. The key has at most 255 octets.
    pub(super) fn publish_internally(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        key: &str,
        properties: &BasicProperties,
        body: Body<'_>,
        effects: &mut Effects,
    ) {
        let message = Message::new(
            Parts {
                exchange: exchange.name().as_str().as_bytes(),
                routing_key: key.as_bytes(),
                properties: &encode_properties(properties),
                expiration_ms: None,
                body,
            },
            &mut Vec::new(),
        );
        let subject = Subject { routing_keys: &[key.as_bytes()], headers: None, message: &message };
        let route = self.route(exchange, &subject, Pass::Publish);
        let (mut messages, nobody) = (vec![message], |_, _, _| {});
        let origin = Origin::Broker;
        self.enqueue(origin, &route.queues, &mut messages, effects, persist::nothing, nobody);
    }
}
