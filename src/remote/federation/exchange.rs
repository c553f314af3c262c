//! The upstream side of a federated exchange: a queue there, and an exchange of the link's own that
//! is bound with the bindings of the exchange here `[rabbitmq federated-exchanges]`.
//!
//! Nobody can ask a broker what is bound there. So a link that connects makes its bindings anew,
//! in another exchange than before (`A` or `B`), binds the queue to that, and deletes the one from
//! before: nothing is missed meanwhile, and nothing comes twice.

use std::sync::Arc;

use amq_protocol::types::{AMQPValue, FieldTable};
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeBindOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, ExchangeUnbindOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::{Channel, Consumer, ExchangeKind};

use crate::base::argument::{EXPIRES, INTERNAL_PURPOSE, MESSAGE_TTL, QUEUE_TYPE};
use crate::link::federation::Link;
use crate::link::federation::bindings::Bindings;
use crate::link::federation::hops::{Binder, Place};
use crate::remote::connect::said;
use crate::remote::end::End;
use crate::vhost::{Exchange, VirtualHost};

/// The exchanges of a link, one after the other.
const SUFFIXES: [&str; 2] = ["A", "B"];

/// The upstream side of a federated exchange.
pub(super) struct UpstreamSide {
    binder: Binder,
    bindings: Bindings,
    /// The exchange here.
    exchange: Arc<Exchange>,
    host: Arc<VirtualHost>,
    /// The exchange there.
    there: String,
    /// The link's own exchange there.
    own: String,
    /// For methods about bindings.
    channel: Channel,
}

impl UpstreamSide {
    /// Sets up what there has to be, and begins to take messages.
    pub(super) async fn set_up(
        link: &Link,
        host: Arc<VirtualHost>,
        here: Place,
        upstream: &End,
    ) -> Result<(Self, Consumer), String> {
        let exchange = host.exchange(&link.key.name);
        let exchange = exchange.map_err(|error| error.to_string())?;
        let there = link.key.there.clone();
        ensure_exchange(upstream, &there, &exchange).await?;
        let queue = queue_name(link, &here, &upstream.virtual_host);
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let declared =
            upstream.channel.queue_declare(queue.as_str().into(), options, queue_arguments(link));
        declared.await.map_err(said)?;
        let [first, second] = SUFFIXES.map(|suffix| format!("{queue} {suffix}"));
        let (own, of_before) = match is_there(upstream, &first).await? {
            true => (second, first),
            false => (first, second),
        };
        declare_own(upstream, &own).await?;
        let name = format!("{}:{} {}", link.key.host, link.key.name, &own[own.len() - 1..]);
        let there_is = Place {
            cluster: upstream.cluster.clone(),
            virtual_host: upstream.virtual_host.clone(),
        };
        let max_hops = link.upstream.max_hops;
        let mut side = Self {
            binder: Binder { here, exchange: name, there: there_is, max_hops },
            bindings: Bindings::default(),
            exchange,
            host,
            there,
            own,
            channel: upstream.open_channel().await?,
        };
        side.follow().await?;
        let (to, by) = (queue.as_str().into(), side.own.as_str().into());
        let bound = upstream.channel.queue_bind(
            to,
            by,
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bound.await.map_err(said)?;
        delete_exchange(&side.channel, &of_before).await?;
        let consumer = consume(link, upstream, &queue).await?;
        Ok((side, consumer))
    }

    /// Binds there what is bound here, and no more.
    pub(super) async fn follow(&mut self) -> Result<(), String> {
        let bindings = self.host.bindings_from(&self.exchange).into_iter();
        // Keys that are no text cannot be told by the client.
        let texts = bindings.filter_map(|binding| {
            Some((String::from_utf8(binding.routing_key).ok()?, binding.arguments))
        });
        let steps = self.bindings.follow(&self.binder, texts);
        let ends = || (self.own.as_str().into(), self.there.as_str().into());
        for (key, arguments) in steps.bind {
            let ((to, from), options) = (ends(), ExchangeBindOptions::default());
            let bound = self.channel.exchange_bind(to, from, key.into(), options, arguments);
            bound.await.map_err(|error| format!("upstream: {}", said(error)))?;
        }
        for (key, arguments) in steps.unbind {
            let ((to, from), options) = (ends(), ExchangeUnbindOptions::default());
            let unbound = self.channel.exchange_unbind(to, from, key.into(), options, arguments);
            unbound.await.map_err(|error| format!("upstream: {}", said(error)))?;
        }
        Ok(())
    }
}

/// Deletes what a link has declared upstream.
pub(super) async fn clean_up(link: &Link, here: &Place, upstream: &End) -> Result<(), String> {
    let queue = queue_name(link, here, &upstream.virtual_host);
    let name = queue.as_str().into();
    let options = QueueDeleteOptions::default();
    upstream.aside(async |channel: &Channel| channel.queue_delete(name, options).await).await?;
    for suffix in SUFFIXES {
        let channel = upstream.open_channel().await?;
        delete_exchange(&channel, &format!("{queue} {suffix}")).await?;
    }
    Ok(())
}

/// The queue there, by the name that RabbitMQ gives it.
fn queue_name(link: &Link, here: &Place, host_there: &str) -> String {
    let key = &link.key;
    let place = match (key.host == host_there, key.name == key.there) {
        (true, true) => String::new(),
        (true, false) => format!(":{}", key.name),
        (false, _) => format!(":{}:{}", key.host, key.name),
    };
    let cluster = here.cluster.as_deref().unwrap_or_default();
    format!("federation: {} -> {cluster}{place}", key.there)
}

fn purpose() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(INTERNAL_PURPOSE.into(), AMQPValue::LongString("federation".into()));
    arguments
}

fn queue_arguments(link: &Link) -> FieldTable {
    let mut arguments = purpose();
    let upstream = &link.upstream;
    for (name, ms) in [(EXPIRES, upstream.expires_ms), (MESSAGE_TTL, upstream.message_ttl_ms)] {
        if let Some(ms) = ms {
            arguments.insert(name.into(), AMQPValue::LongLongInt(ms.into()));
        }
    }
    if let Some(kind) = &upstream.queue_type {
        arguments.insert(QUEUE_TYPE.into(), AMQPValue::LongString(kind.as_str().into()));
    }
    arguments
}

/// Declares the exchange there like the one here, unless it exists.
async fn ensure_exchange(upstream: &End, there: &str, here: &Exchange) -> Result<(), String> {
    if is_there(upstream, there).await? {
        return Ok(());
    }
    let attributes = here.attributes();
    let options = ExchangeDeclareOptions {
        durable: attributes.durable,
        auto_delete: attributes.auto_delete,
        internal: attributes.internal,
        ..Default::default()
    };
    let kind = ExchangeKind::Custom(attributes.kind.as_str().into());
    let (name, arguments) = (there.into(), attributes.table.clone());
    let declared = upstream.aside(async |channel: &Channel| {
        channel.exchange_declare(name, kind, options, arguments).await
    });
    declared.await
}

async fn is_there(upstream: &End, exchange: &str) -> Result<bool, String> {
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let found = upstream.probe(async |channel: &Channel| {
        let none = FieldTable::default();
        channel.exchange_declare(exchange.into(), ExchangeKind::Fanout, options, none).await
    });
    Ok(found.await?.is_some())
}

/// The link's own exchange, which goes with its last binding. One that was left half bound goes
/// first.
async fn declare_own(upstream: &End, own: &str) -> Result<(), String> {
    delete_exchange(&upstream.channel, own).await?;
    let options = ExchangeDeclareOptions {
        durable: true,
        internal: true,
        auto_delete: true,
        ..Default::default()
    };
    let declared =
        upstream.channel.exchange_declare(own.into(), ExchangeKind::Fanout, options, purpose());
    declared.await.map_err(said)
}

/// Deletes an exchange, if it is there.
async fn delete_exchange(channel: &Channel, name: &str) -> Result<(), String> {
    let deleted = channel.exchange_delete(name.into(), ExchangeDeleteOptions::default());
    deleted.await.map_err(said)
}

async fn consume(link: &Link, upstream: &End, queue: &str) -> Result<Consumer, String> {
    let prefetch = if link.upstream.prefetch == 0 { u16::MAX } else { link.upstream.prefetch };
    let qos = upstream.channel.basic_qos(prefetch, BasicQosOptions::default());
    qos.await.map_err(said)?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer = upstream.channel.basic_consume(queue.into(), "".into(), options, none);
    consumer.await.map_err(said)
}
