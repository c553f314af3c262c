//! The demand of a federated queue: messages are taken upstream as long as consumers here could
//! take more than there is here, and nobody wants them there `[rabbitmq federated-queues]`.

use std::sync::Arc;

use amq_protocol::types::{AMQPValue, FieldTable};
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions,
};
use tokio::sync::Notify;

use super::line::Line;
use crate::base::argument::PRIORITY;
use crate::base::wake::Wake;
use crate::link::federation::Link;
use crate::queue::Queue;
use crate::remote::connect::said;
use crate::remote::end::End;
use crate::vhost::VirtualHost;

/// Who takes messages for another broker gets what nobody there wants.
const PRIORITY_UPSTREAM: i32 = -1;

/// Rings when the demand of a queue begins or ends.
#[derive(Default)]
pub(super) struct Bell(Notify);

impl Bell {
    /// Until it has rung.
    pub(super) async fn rung(&self) {
        self.0.notified().await;
    }
}

impl Wake for Bell {
    fn wake(&self) {
        self.0.notify_one();
    }
}

/// The demand of a queue.
pub(super) struct Demand {
    host: Arc<VirtualHost>,
    queue: Arc<Queue>,
    bell: Arc<Bell>,
    /// The same, as the queue knows it, and as long as it is kept.
    watcher: Arc<dyn Wake>,
}

impl Demand {
    /// Sets up what there has to be.
    pub(super) async fn set_up(
        link: &Link,
        host: Arc<VirtualHost>,
        upstream: &End,
    ) -> Result<Self, String> {
        let queue = find(&host, &link.key.name)?;
        let attributes = queue.attributes();
        let options = QueueDeclareOptions {
            durable: attributes.durable,
            auto_delete: attributes.auto_delete,
            ..Default::default()
        };
        upstream.ensure(&link.key.there, options, &attributes.table).await?;
        let prefetch = if link.upstream.prefetch == 0 { u16::MAX } else { link.upstream.prefetch };
        let qos = upstream.channel.basic_qos(prefetch, BasicQosOptions::default());
        qos.await.map_err(said)?;
        let bell = Arc::new(Bell::default());
        let watcher: Arc<dyn Wake> = Arc::clone(&bell) as _;
        queue.watch_demand(&watcher);
        Ok(Self { host, queue, bell, watcher })
    }

    /// What rings when it begins or ends.
    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Takes messages upstream, or takes none any more.
    pub(super) async fn follow(&mut self, link: &Link, line: &mut Line<'_>) -> Result<(), String> {
        if self.queue.is_deleted() {
            // Another one may have its name by now.
            self.queue = find(&self.host, &link.key.name)?;
            self.queue.watch_demand(&self.watcher);
        }
        let tag = link.upstream.consumer_tag.as_str();
        let channel = &line.upstream.channel;
        match (self.queue.wants_more(), &line.consumer) {
            (true, None) => {
                let mut arguments = FieldTable::default();
                arguments.insert(PRIORITY.into(), AMQPValue::LongInt(PRIORITY_UPSTREAM));
                let from = link.key.there.as_str().into();
                let options = BasicConsumeOptions::default();
                let consumer = channel.basic_consume(from, tag.into(), options, arguments);
                line.consumer = Some(consumer.await.map_err(upstream)?);
            }
            (false, Some(_)) if !line.is_cancelled => {
                line.is_cancelled = true;
                let cancelled = channel.basic_cancel(tag.into(), BasicCancelOptions::default());
                cancelled.await.map_err(upstream)?;
            }
            _ => {}
        }
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn upstream(error: lapin::Error) -> String {
    format!("upstream: {}", said(error))
}

fn find(host: &VirtualHost, name: &str) -> Result<Arc<Queue>, String> {
    host.queue(name).map_err(|error| error.to_string())
}
