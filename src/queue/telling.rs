//! What a queue tells those who listen to events `[rabbitmq event-exchange]`. Its lock may be held.

use std::sync::Arc;

use crate::base::herald::{Herald, Told};
use crate::queue::Queue;
use crate::queue::consumers::ConsumerSpec;

impl Queue {
    /// Tells of its consumers there.
    pub(crate) fn with_herald(mut self, herald: &Arc<Herald>) -> Self {
        self.herald = Arc::clone(herald);
        self
    }

    /// What there is to tell of the queue when it is created.
    pub(crate) fn told(&self, told: Told) -> Told {
        let attributes = self.attributes();
        let owner = attributes.owner;
        let told = told
            .text("name", self.name.as_str())
            .text("type", self.kind_module())
            .flag("durable", attributes.durable)
            .flag("auto_delete", attributes.auto_delete)
            .flag("exclusive", owner.is_some())
            .table("arguments", &attributes.table);
        match owner {
            Some(connection) => told.of("owner_pid", connection, None),
            None => told.text("owner_pid", ""),
        }
    }

    fn kind_module(&self) -> &'static str {
        self.attributes.arguments.queue_type.module()
    }

    /// A consumer has started, or is about to end.
    pub(super) fn tell_consumer(&self, spec: &ConsumerSpec, started: bool) {
        let key = if started { "consumer.created" } else { "consumer.deleted" };
        self.herald.tell(key, |told| {
            let told = told
                .text("consumer_tag", spec.tag.as_str())
                .text("queue", self.name.as_str())
                .text("vhost", self.virtual_host.as_str())
                .of("channel", spec.channel.connection, Some(spec.channel.number));
            if !started {
                return told;
            }
            told.flag("exclusive", spec.exclusive)
                .flag("ack_required", !spec.no_ack)
                .number("prefetch_count", spec.prefetch_count)
                .table("arguments", &spec.arguments)
        });
    }
}
