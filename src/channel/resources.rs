//! Declaring, binding, purging and deleting from a channel `[amqp 0-9-1 exchange, queue]`.

use amq_protocol::types::FieldTable;

use crate::access::ResourceKind;
use crate::channel::Channel;
use crate::error::{NotImplemented, Result};
use crate::faults::{Method, Subject};
use crate::queue::effects::Effects;
use crate::vhost::{Bind, ExchangeDeclare, QueueDeclare, QueueDeclareOk};

impl Channel {
    /// Declares a queue, which an empty queue name then means. Errors: 403, 404, 405, 406, 540.
    pub(crate) fn queue_declare(
        &mut self,
        declare: &QueueDeclare,
        effects: &mut Effects,
    ) -> Result<QueueDeclareOk> {
        self.flush(effects);
        self.meet(Method::QueueDeclare, Subject::queue(&declare.queue), effects)?;
        let ok = self.virtual_host().queue_declare(&self.session.actor, declare, effects)?;
        self.last_queue = Some(ok.queue.clone());
        Ok(ok)
    }

    /// Binds a queue. With both names empty the binding key is the last queue's name.
    /// Errors: 403, 404, 405, 406.
    pub(crate) fn queue_bind(
        &mut self,
        queue: &str,
        exchange: &str,
        routing_key: &[u8],
        arguments: &FieldTable,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        let subject = Subject { queue: Some(queue), ..Subject::binding(exchange, routing_key) };
        self.meet(Method::QueueBind, subject, effects)?;
        let (queue, key) = self.queue_and_key(queue, routing_key)?;
        let bind = Bind {
            kind: ResourceKind::Queue,
            destination: &queue,
            source: exchange,
            routing_key: &key,
            arguments,
        };
        self.virtual_host().bind(&self.session.actor, &bind, effects)
    }

    /// Unbinds a queue. Errors: 403, 405.
    pub(crate) fn queue_unbind(
        &mut self,
        queue: &str,
        exchange: &str,
        routing_key: &[u8],
        arguments: &FieldTable,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        let subject = Subject { queue: Some(queue), ..Subject::binding(exchange, routing_key) };
        self.meet(Method::QueueUnbind, subject, effects)?;
        let (queue, key) = self.queue_and_key(queue, routing_key)?;
        let bind = Bind {
            kind: ResourceKind::Queue,
            destination: &queue,
            source: exchange,
            routing_key: &key,
            arguments,
        };
        self.virtual_host().unbind(&self.session.actor, &bind, effects)
    }

    fn queue_and_key(&self, queue: &str, routing_key: &[u8]) -> Result<(String, Vec<u8>)> {
        let name = self.queue_name(queue)?;
        let key = if queue.is_empty() && routing_key.is_empty() {
            name.clone().into_bytes()
        } else {
            routing_key.to_vec()
        };
        Ok((name, key))
    }

    /// Drops the ready messages of a queue; tells how many. Errors: 403, 404, 405.
    pub(crate) fn queue_purge(&mut self, queue: &str, effects: &mut Effects) -> Result<usize> {
        self.flush(effects);
        self.meet(Method::QueuePurge, Subject::queue(queue), effects)?;
        let queue = self.queue_name(queue)?;
        self.virtual_host().queue_purge(&self.session.actor, &queue, effects)
    }

    /// Deletes a queue; tells how many messages were ready. Errors: 403, 405, 406.
    pub(crate) fn queue_delete(
        &mut self,
        queue: &str,
        if_unused: bool,
        if_empty: bool,
        effects: &mut Effects,
    ) -> Result<usize> {
        self.flush(effects);
        self.meet(Method::QueueDelete, Subject::queue(queue), effects)?;
        let queue = self.queue_name(queue)?;
        let host = self.virtual_host();
        let count = host.queue_delete(&self.session.actor, &queue, if_unused, if_empty, effects)?;
        self.forget_cancelled();
        Ok(count)
    }

    /// Declares an exchange. Errors: 403, 404, 406.
    pub(crate) fn exchange_declare(
        &mut self,
        declare: &ExchangeDeclare,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        self.meet(Method::ExchangeDeclare, Subject::exchange(&declare.exchange), effects)?;
        self.virtual_host().exchange_declare(&self.session.actor, declare, effects)
    }

    /// Deletes an exchange. Errors: 403, 406.
    pub(crate) fn exchange_delete(
        &mut self,
        exchange: &str,
        if_unused: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        self.meet(Method::ExchangeDelete, Subject::exchange(exchange), effects)?;
        self.virtual_host().exchange_delete(&self.session.actor, exchange, if_unused, effects)
    }

    /// Binds an exchange to another. Errors: 403, 404.
    pub(crate) fn exchange_bind(
        &mut self,
        destination: &str,
        source: &str,
        routing_key: &[u8],
        arguments: &FieldTable,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        self.meet(Method::ExchangeBind, Subject::binding(source, routing_key), effects)?;
        let kind = ResourceKind::Exchange;
        let bind = Bind { kind, destination, source, routing_key, arguments };
        self.virtual_host().bind(&self.session.actor, &bind, effects)
    }

    /// Unbinds an exchange from another. Errors: 403.
    pub(crate) fn exchange_unbind(
        &mut self,
        destination: &str,
        source: &str,
        routing_key: &[u8],
        arguments: &FieldTable,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        self.meet(Method::ExchangeUnbind, Subject::binding(source, routing_key), effects)?;
        let kind = ResourceKind::Exchange;
        let bind = Bind { kind, destination, source, routing_key, arguments };
        self.virtual_host().unbind(&self.session.actor, &bind, effects)
    }

    /// channel.flow: the broker does not pause deliveries on request. Errors: 540.
    pub(crate) fn flow(&mut self, active: bool) -> Result<()> {
        if active { Ok(()) } else { Err(NotImplemented::InactiveFlow.into()) }
    }
}
