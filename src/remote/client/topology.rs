//! Exchanges, queues and bindings, and which of them are declared again when a connection was lost.

use amq_protocol::types::FieldTable;
use lapin::ExchangeKind;
use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, ExchangeUnbindOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};

use super::channel::RemoteChannel;
use crate::base::names::QueueName;
use crate::error::{Error, Result};
use crate::vhost::{ExchangeDeclare, QueueDeclare, QueueDeclareOk};

/// What a binding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Queue,
    Exchange,
}

/// A binding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binding {
    pub to: Bound,
    pub destination: String,
    pub source: String,
    pub routing_key: String,
    pub arguments: FieldTable,
}

/// What was declared on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Topology {
    exchanges: Vec<ExchangeDeclare>,
    queues: Vec<QueueDeclare>,
    bindings: Vec<Binding>,
}

impl Topology {
    fn forget_queue(&mut self, name: &str) {
        self.queues.retain(|queue| queue.queue != name);
        self.bindings.retain(|binding| binding.to != Bound::Queue || binding.destination != name);
    }

    fn forget_exchange(&mut self, name: &str) {
        self.exchanges.retain(|exchange| exchange.exchange != name);
        self.bindings.retain(|binding| {
            let leads_there = binding.to == Bound::Exchange && binding.destination == name;
            binding.source != name && !leads_there
        });
    }

    /// Declares all of it. What is refused, because somebody changed it meanwhile, is told.
    pub(super) async fn declare(&self, connection: &lapin::Connection) {
        for exchange in &self.exchanges {
            attempt(connection, async |channel| declare_exchange(&channel, exchange).await).await;
        }
        for queue in &self.queues {
            attempt(connection, async |channel| declare_queue(&channel, queue).await.map(drop))
                .await;
        }
        for binding in &self.bindings {
            attempt(connection, async |channel| bind(&channel, binding).await).await;
        }
    }
}

/// Each on a channel of its own: what is refused closes it.
async fn attempt(
    connection: &lapin::Connection,
    ask: impl AsyncFnOnce(lapin::Channel) -> lapin::Result<()>,
) {
    let Ok(channel) = connection.create_channel().await else { return };
    match ask(channel.clone()).await {
        // Fails if the connection is lost once more.
        Ok(()) => _ = channel.close(200, "OK".into()).await,
        Err(error) => tracing::warn!("not declared again: {error}"),
    }
}

async fn declare_exchange(
    channel: &lapin::Channel,
    declare: &ExchangeDeclare,
) -> lapin::Result<()> {
    let ExchangeDeclare { exchange, kind, passive, durable, auto_delete, internal, arguments } =
        declare.clone();
    let options = ExchangeDeclareOptions { passive, durable, auto_delete, internal, nowait: false };
    let kind = match kind.as_str() {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "headers" => ExchangeKind::Headers,
        "topic" => ExchangeKind::Topic,
        _ => ExchangeKind::Custom(kind),
    };
    channel.exchange_declare(exchange.into(), kind, options, arguments).await
}

async fn declare_queue(
    channel: &lapin::Channel,
    declare: &QueueDeclare,
) -> lapin::Result<lapin::Queue> {
    let QueueDeclare { queue, passive, durable, exclusive, auto_delete, arguments } =
        declare.clone();
    let options = QueueDeclareOptions { passive, durable, exclusive, auto_delete, nowait: false };
    channel.queue_declare(queue.into(), options, arguments).await
}

async fn bind(channel: &lapin::Channel, binding: &Binding) -> lapin::Result<()> {
    let Binding { to, destination, source, routing_key, arguments } = binding.clone();
    let (destination, source, key) = (destination.into(), source.into(), routing_key.into());
    match to {
        Bound::Queue => {
            let options = QueueBindOptions::default();
            channel.queue_bind(destination, source, key, options, arguments).await
        }
        Bound::Exchange => {
            let options = ExchangeBindOptions::default();
            channel.exchange_bind(destination, source, key, options, arguments).await
        }
    }
}

async fn unbind(channel: &lapin::Channel, binding: &Binding) -> lapin::Result<()> {
    let Binding { to, destination, source, routing_key, arguments } = binding.clone();
    let (destination, source, key) = (destination.into(), source.into(), routing_key.into());
    match to {
        Bound::Queue => channel.queue_unbind(destination, source, key, arguments).await,
        Bound::Exchange => {
            let options = ExchangeUnbindOptions::default();
            channel.exchange_unbind(destination, source, key, options, arguments).await
        }
    }
}

impl RemoteChannel {
    /// Declares a queue. One without a name gets one here, so that it has the same after the
    /// connection was lost.
    pub(crate) fn queue_declare(&self, declare: &QueueDeclare) -> Result<QueueDeclareOk> {
        let mut declare = declare.clone();
        if declare.queue.is_empty() && !declare.passive {
            declare.queue = generated_name()?;
        }
        let asked = declare.clone();
        let queue = self.on_side(move |channel| {
            let asked = asked.clone();
            async move { declare_queue(&channel, &asked).await }
        })?;
        let name = QueueName::from(declare.queue.as_str());
        self.set_last_queue(&name);
        if !declare.passive {
            let mut topology = self.topology().lock();
            topology.queues.retain(|known| known.queue != declare.queue);
            topology.queues.push(declare);
        }
        Ok(QueueDeclareOk {
            queue: name,
            message_count: queue.message_count() as usize,
            consumer_count: queue.consumer_count() as usize,
        })
    }

    /// Declares an exchange.
    pub(crate) fn exchange_declare(&self, declare: &ExchangeDeclare) -> Result<()> {
        let asked = declare.clone();
        self.on_side(move |channel| {
            let asked = asked.clone();
            async move { declare_exchange(&channel, &asked).await }
        })?;
        if !declare.passive {
            let mut topology = self.topology().lock();
            topology.exchanges.retain(|known| known.exchange != declare.exchange);
            topology.exchanges.push(declare.clone());
        }
        Ok(())
    }

    /// Binds; a queue without a name is the last one declared.
    pub(crate) fn bind(&self, mut binding: Binding) -> Result<()> {
        self.name_destination(&mut binding)?;
        let asked = binding.clone();
        self.on_side(move |channel| {
            let asked = asked.clone();
            async move { bind(&channel, &asked).await }
        })?;
        let mut topology = self.topology().lock();
        topology.bindings.retain(|known| *known != binding);
        topology.bindings.push(binding);
        Ok(())
    }

    /// Removes a binding.
    pub(crate) fn unbind(&self, mut binding: Binding) -> Result<()> {
        self.name_destination(&mut binding)?;
        let asked = binding.clone();
        self.on_side(move |channel| {
            let asked = asked.clone();
            async move { unbind(&channel, &asked).await }
        })?;
        self.topology().lock().bindings.retain(|known| *known != binding);
        Ok(())
    }

    fn name_destination(&self, binding: &mut Binding) -> Result<()> {
        if binding.to == Bound::Queue {
            binding.destination = self.named(&binding.destination)?;
        }
        Ok(())
    }

    /// Drops the ready messages of a queue; tells how many.
    pub(crate) fn queue_purge(&self, queue: &str) -> Result<usize> {
        let name = self.named(queue)?;
        let purged = self.on_side(move |channel| {
            let name = name.as_str().into();
            async move { channel.queue_purge(name, QueuePurgeOptions::default()).await }
        });
        purged.map(|count| count as usize)
    }

    /// Deletes a queue; tells how many messages were ready.
    pub(crate) fn queue_delete(
        &self,
        queue: &str,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<usize> {
        let name = self.named(queue)?;
        let asked = name.clone();
        let deleted = self.on_side(move |channel| {
            let name = asked.as_str().into();
            let options = QueueDeleteOptions { if_unused, if_empty, nowait: false };
            async move { channel.queue_delete(name, options).await }
        })?;
        self.topology().lock().forget_queue(&name);
        Ok(deleted as usize)
    }

    /// Deletes an exchange.
    pub(crate) fn exchange_delete(&self, exchange: &str, if_unused: bool) -> Result<()> {
        let asked = exchange.to_owned();
        self.on_side(move |channel| {
            let name = asked.as_str().into();
            let options = ExchangeDeleteOptions { if_unused, nowait: false };
            async move { channel.exchange_delete(name, options).await }
        })?;
        self.forget_exchange(exchange);
        self.topology().lock().forget_exchange(exchange);
        Ok(())
    }
}

pub(super) fn generated_name() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::Storage(error.to_string()))?;
    Ok(format!("leveret.gen-{:032x}", u128::from_ne_bytes(random)))
}
