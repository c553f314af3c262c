//! What a queue gives out, for who traces its virtual host `[rabbitmq firehose]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::ids::ChannelId;
use crate::base::names::QueueName;
use crate::message::Message;

/// Whether somebody wants to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap(Arc<AtomicBool>);

impl Tap {
    /// Whether it is open.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Opens or closes it; tells whether it was open.
    pub(crate) fn set(&self, is_open: bool) -> bool {
        self.0.swap(is_open, Ordering::SeqCst)
    }
}

/// A message that was given out.
#[derive(Debug)]
pub(crate) struct Tapped {
    /// By this queue.
    pub queue: QueueName,
    /// To this channel.
    pub channel: ChannelId,
    /// The message.
    pub message: Message,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
}
