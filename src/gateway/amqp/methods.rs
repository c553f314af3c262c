//! Methods of a channel, as they come from the wire, and their replies.

use amq_protocol::protocol::{AMQPClass, access, basic, channel, confirm, exchange, queue, tx};

use crate::base::names::ConsumerTag;
use crate::channel::{Channel, Consume, GetOk};
use crate::error::{Error, Result};
use crate::gateway::amqp::encoding::with_encoding;
use crate::gateway::amqp::outbox::Outbox;
use crate::queue::effects::Effects;
use crate::vhost::{ExchangeDeclare, QueueDeclare};

/// access.request-ok with ticket 1, which the method table leaves out.
const ACCESS_REQUEST_OK: &[u8] = &[0, 30, 0, 11, 0, 1];
const FRAME_METHOD: u8 = 1;

/// Class and method id that a reply names as the one that failed.
pub(super) type MethodId = (u16, u16);

/// Class and method id.
pub(super) fn id(method: &AMQPClass) -> MethodId {
    (method.get_amqp_class_id(), method.get_amqp_method_id())
}

/// Where replies go, if the client wants one.
struct Reply<'a> {
    outbox: &'a Outbox,
    channel: u16,
}

impl Reply<'_> {
    fn send(&self, method: AMQPClass) {
        self.outbox.write(|output, _| output.method(self.channel, &method));
    }

    fn unless(&self, nowait: bool, method: AMQPClass) {
        if !nowait {
            self.send(method);
        }
    }
}

/// Does what a method asks for and replies.
pub(super) fn apply(
    channel: &mut Channel,
    number: u16,
    method: AMQPClass,
    outbox: &Outbox,
    effects: &mut Effects,
) -> Result<()> {
    let reply = Reply { outbox, channel: number };
    match method {
        AMQPClass::Basic(method) => apply_basic(channel, method, &reply, effects),
        AMQPClass::Queue(method) => apply_queue(channel, method, &reply, effects),
        AMQPClass::Exchange(method) => apply_exchange(channel, method, &reply, effects),
        AMQPClass::Tx(method) => apply_tx(channel, method, &reply, effects),
        AMQPClass::Confirm(confirm::AMQPMethod::Select(select)) => {
            channel.confirm_select(effects)?;
            let ok = confirm::AMQPMethod::SelectOk(confirm::SelectOk {});
            reply.unless(select.nowait, AMQPClass::Confirm(ok));
            Ok(())
        }
        AMQPClass::Channel(channel::AMQPMethod::Flow(flow)) => {
            channel.flow(flow.active)?;
            let ok = channel::FlowOk { active: flow.active };
            reply.send(AMQPClass::Channel(channel::AMQPMethod::FlowOk(ok)));
            Ok(())
        }
        AMQPClass::Access(access::AMQPMethod::Request(_)) => {
            outbox.write(|output, _| output.frame(FRAME_METHOD, number, ACCESS_REQUEST_OK));
            Ok(())
        }
        _ => Err(Error::UnexpectedMethod),
    }
}

/// basic.qos, which comes with its `prefetch_size` and therefore by itself.
pub(super) fn apply_qos(
    channel: &mut Channel,
    number: u16,
    (prefetch_size, prefetch_count, global): (u32, u16, bool),
    outbox: &Outbox,
    effects: &mut Effects,
) -> Result<()> {
    channel.basic_qos(prefetch_size, prefetch_count, global, effects, || {
        let ok = basic::AMQPMethod::QosOk(basic::QosOk {});
        Reply { outbox, channel: number }.send(AMQPClass::Basic(ok));
    })
}

fn apply_basic(
    channel: &mut Channel,
    method: basic::AMQPMethod,
    reply: &Reply<'_>,
    effects: &mut Effects,
) -> Result<()> {
    use basic::AMQPMethod as M;
    match method {
        M::Consume(consume) => return apply_consume(channel, consume, reply, effects),
        M::Cancel(cancel) => {
            channel.basic_cancel(cancel.consumer_tag.as_str(), effects)?;
            let ok = M::CancelOk(basic::CancelOk { consumer_tag: cancel.consumer_tag });
            reply.unless(cancel.nowait, AMQPClass::Basic(ok));
        }
        M::Get(get) => match channel.basic_get(get.queue.as_str(), get.no_ack, effects)? {
            Some(got) => send_get_ok(&got, reply),
            None => reply.send(AMQPClass::Basic(M::GetEmpty(basic::GetEmpty {}))),
        },
        M::Reject(reject) => channel.basic_reject(reject.delivery_tag, reject.requeue, effects)?,
        M::Nack(nack) => {
            channel.basic_nack(nack.delivery_tag, nack.multiple, nack.requeue, effects)?;
        }
        M::Recover(recover) => {
            if recover.requeue {
                // Before what is delivered again.
                reply.send(AMQPClass::Basic(M::RecoverOk(basic::RecoverOk {})));
            }
            channel.basic_recover(recover.requeue, effects)?;
        }
        M::RecoverAsync(recover) => channel.basic_recover(recover.requeue, effects)?,
        _ => return Err(Error::UnexpectedMethod),
    }
    Ok(())
}

fn apply_consume(
    channel: &mut Channel,
    consume: basic::Consume,
    reply: &Reply<'_>,
    effects: &mut Effects,
) -> Result<()> {
    let nowait = consume.nowait;
    let consume = Consume {
        queue: consume.queue.to_string(),
        consumer_tag: consume.consumer_tag.to_string(),
        no_ack: consume.no_ack,
        exclusive: consume.exclusive,
        arguments: consume.arguments,
    };
    let started = |tag: &ConsumerTag| {
        let ok = basic::ConsumeOk { consumer_tag: tag.as_str().into() };
        reply.unless(nowait, AMQPClass::Basic(basic::AMQPMethod::ConsumeOk(ok)));
    };
    channel.basic_consume(&consume, effects, started).map(drop)
}

fn send_get_ok(got: &GetOk, reply: &Reply<'_>) {
    let (tag, again) = (got.delivery_tag, got.redelivered);
    with_encoding(&got.message, got.delivery_count, |message| {
        reply.outbox.write(|output, frame_max| {
            let left = count(got.message_count);
            output.get_ok(reply.channel, tag, again, left, message, frame_max);
        });
    });
}

fn apply_queue(
    channel: &mut Channel,
    method: queue::AMQPMethod,
    reply: &Reply<'_>,
    effects: &mut Effects,
) -> Result<()> {
    use queue::AMQPMethod as M;
    match method {
        M::Declare(declare) => {
            let nowait = declare.nowait;
            let declare = QueueDeclare {
                queue: declare.queue.to_string(),
                passive: declare.passive,
                durable: declare.durable,
                exclusive: declare.exclusive,
                auto_delete: declare.auto_delete,
                arguments: declare.arguments,
            };
            let ok = channel.queue_declare(&declare, effects)?;
            let ok = queue::DeclareOk {
                queue: ok.queue.as_str().into(),
                message_count: count(ok.message_count),
                consumer_count: count(ok.consumer_count),
            };
            reply.unless(nowait, AMQPClass::Queue(M::DeclareOk(ok)));
        }
        M::Bind(bind) => {
            let (queue, exchange) = (bind.queue.as_str(), bind.exchange.as_str());
            let key = bind.routing_key.as_str().as_bytes();
            channel.queue_bind(queue, exchange, key, &bind.arguments, effects)?;
            reply.unless(bind.nowait, AMQPClass::Queue(M::BindOk(queue::BindOk {})));
        }
        M::Unbind(unbind) => {
            let (queue, exchange) = (unbind.queue.as_str(), unbind.exchange.as_str());
            let key = unbind.routing_key.as_str().as_bytes();
            channel.queue_unbind(queue, exchange, key, &unbind.arguments, effects)?;
            reply.send(AMQPClass::Queue(M::UnbindOk(queue::UnbindOk {})));
        }
        M::Purge(purge) => {
            let message_count = count(channel.queue_purge(purge.queue.as_str(), effects)?);
            let ok = M::PurgeOk(queue::PurgeOk { message_count });
            reply.unless(purge.nowait, AMQPClass::Queue(ok));
        }
        M::Delete(delete) => {
            let (unused, empty) = (delete.if_unused, delete.if_empty);
            let deleted = channel.queue_delete(delete.queue.as_str(), unused, empty, effects)?;
            let ok = M::DeleteOk(queue::DeleteOk { message_count: count(deleted) });
            reply.unless(delete.nowait, AMQPClass::Queue(ok));
        }
        _ => return Err(Error::UnexpectedMethod),
    }
    Ok(())
}

fn apply_exchange(
    channel: &mut Channel,
    method: exchange::AMQPMethod,
    reply: &Reply<'_>,
    effects: &mut Effects,
) -> Result<()> {
    use exchange::AMQPMethod as M;
    match method {
        M::Declare(declare) => {
            let nowait = declare.nowait;
            let declare = ExchangeDeclare {
                exchange: declare.exchange.to_string(),
                kind: declare.kind.to_string(),
                passive: declare.passive,
                durable: declare.durable,
                auto_delete: declare.auto_delete,
                internal: declare.internal,
                arguments: declare.arguments,
            };
            channel.exchange_declare(&declare, effects)?;
            reply.unless(nowait, AMQPClass::Exchange(M::DeclareOk(exchange::DeclareOk {})));
        }
        M::Delete(delete) => {
            channel.exchange_delete(delete.exchange.as_str(), delete.if_unused, effects)?;
            let ok = M::DeleteOk(exchange::DeleteOk {});
            reply.unless(delete.nowait, AMQPClass::Exchange(ok));
        }
        M::Bind(bind) => {
            let (destination, source) = (bind.destination.as_str(), bind.source.as_str());
            let key = bind.routing_key.as_str().as_bytes();
            channel.exchange_bind(destination, source, key, &bind.arguments, effects)?;
            reply.unless(bind.nowait, AMQPClass::Exchange(M::BindOk(exchange::BindOk {})));
        }
        M::Unbind(unbind) => {
            let (destination, source) = (unbind.destination.as_str(), unbind.source.as_str());
            let key = unbind.routing_key.as_str().as_bytes();
            channel.exchange_unbind(destination, source, key, &unbind.arguments, effects)?;
            let ok = M::UnbindOk(exchange::UnbindOk {});
            reply.unless(unbind.nowait, AMQPClass::Exchange(ok));
        }
        _ => return Err(Error::UnexpectedMethod),
    }
    Ok(())
}

fn apply_tx(
    channel: &mut Channel,
    method: tx::AMQPMethod,
    reply: &Reply<'_>,
    effects: &mut Effects,
) -> Result<()> {
    use tx::AMQPMethod as M;
    let ok = match method {
        M::Select(_) => {
            channel.tx_select(effects)?;
            M::SelectOk(tx::SelectOk {})
        }
        M::Commit(_) => {
            channel.tx_commit(effects)?;
            M::CommitOk(tx::CommitOk {})
        }
        M::Rollback(_) => {
            channel.tx_rollback(effects)?;
            M::RollbackOk(tx::RollbackOk {})
        }
        _ => return Err(Error::UnexpectedMethod),
    };
    reply.send(AMQPClass::Tx(ok));
    Ok(())
}

/// A count as AMQP carries it: 32 bits.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
