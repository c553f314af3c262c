//! Whether a message may be published: where to, and with which address for replies.

use std::sync::Arc;

use crate::access::{Access, ResourceKind};
use crate::channel::Channel;
use crate::channel::routes::Generations;
use crate::error::{Error, Precondition, Result};
use crate::exchange::ExchangeType;
use crate::vhost::{Exchange, Publish, REPLY_TO};

impl Channel {
    /// The exchange to publish to, if the user may at these generations. Errors: 403, 404, 406.
    pub(super) fn check_exchange(
        &mut self,
        publish: &Publish<'_>,
        generations: Generations,
    ) -> Result<Arc<Exchange>> {
        let allowed = self.publisher.allowed.as_ref().filter(|(when, exchange)| {
            *when == generations && exchange.name().as_str().as_bytes() == publish.exchange
        });
        let exchange = match allowed {
            Some((_, exchange)) => Arc::clone(exchange),
            None => {
                let exchange = self.look_up_exchange(publish.exchange)?;
                self.publisher.allowed = Some((generations, Arc::clone(&exchange)));
                exchange
            }
        };
        if exchange.attributes().kind == ExchangeType::Topic {
            // Every key that the message is routed by, not the method's alone.
            let (actor, name) = (&self.session.actor, exchange.name().as_str());
            actor.check_topic(Access::Write, name, publish.routing_key)?;
            for key in publish.selected_keys()? {
                actor.check_topic(Access::Write, name, &key)?;
            }
        }
        Ok(exchange)
    }

    /// The exchange of this name, if the user may write to it and clients may publish to it.
    /// Errors: 403, 404.
    fn look_up_exchange(&self, name: &[u8]) -> Result<Arc<Exchange>> {
        let name = String::from_utf8_lossy(name);
        self.session.actor.check(Access::Write, ResourceKind::Exchange, &name)?;
        let exchange = self.virtual_host().exchange(&name)?;
        match exchange.attributes().internal {
            true => Err(Error::InternalExchange(exchange.resource())),
            false => Ok(exchange),
        }
    }

    /// The address that replaces `amq.rabbitmq.reply-to` in a request. Errors: 406.
    pub(super) fn own_reply_to(&self, publish: &Publish<'_>) -> Result<Option<String>> {
        if publish.reply_to() != Some(REPLY_TO.as_bytes()) {
            return Ok(None);
        }
        match &self.reply_consumer {
            Some((_, key)) => Ok(Some(key.clone())),
            None => Err(Precondition::NoReplyConsumer.into()),
        }
    }
}
