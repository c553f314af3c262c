//! Direct reply-to: replies that go straight to a channel, without a queue
//! `[rabbitmq direct-reply-to]`.

use std::sync::Arc;

use crate::base::names::{QueueName, random_name};
use crate::base::wake::Wakeups;
use crate::error::{Error, Resource, Result};
use crate::message::Message;
use crate::vhost::{QueueDeclareOk, VirtualHost};

/// The pseudo-queue that a requester consumes from and names in `reply_to`.
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// A channel that takes replies.
pub(crate) trait ReplyOutlet: Send + Sync {
    /// Passes a reply on to the channel's reply consumer; false if there is none, or if it has
    /// not taken those before.
    fn reply(&self, message: &Message, wakeups: &mut Wakeups) -> bool;
}

/// Where replies with one token go.
pub(crate) type ReplyTarget = Arc<dyn ReplyOutlet>;

impl VirtualHost {
    /// Registers a channel for replies; returns the routing key of its replies, which the channel
    /// writes into `reply_to` of its requests.
    pub(crate) fn register_reply_target(&self, target: ReplyTarget) -> String {
        let key = random_name(&format!("{REPLY_TO}.g2gC"));
        self.reply_targets.insert(key.clone().into_bytes(), target);
        key
    }

    /// Whether mandatory replies come back although they were delivered, and the like.
    pub(crate) fn repeats_rabbitmq_faults(&self) -> bool {
        self.shared.rabbitmq_faults
    }

    /// The channel takes no more replies.
    pub(crate) fn remove_reply_target(&self, key: &str) {
        self.reply_targets.remove(key.as_bytes());
    }

    /// The channel that replies with this routing key go to.
    pub(crate) fn reply_target(&self, routing_key: &[u8]) -> Option<ReplyTarget> {
        if !routing_key.starts_with(REPLY_TO.as_bytes()) {
            return None;
        }
        self.reply_targets.get(routing_key).map(|target| Arc::clone(&target))
    }

    /// queue.declare of a reply pseudo-queue tells whether the requester is still there.
    pub(in crate::vhost) fn declare_reply_to(&self, name: &str) -> Result<QueueDeclareOk> {
        let queue = QueueName::from(name);
        if name != REPLY_TO && self.reply_target(name.as_bytes()).is_none() {
            return Err(Error::NotFound(Resource::queue(&queue, &self.name)));
        }
        Ok(QueueDeclareOk { queue, message_count: 0, consumer_count: 1 })
    }
}
