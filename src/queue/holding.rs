//! Queues that are held: they take messages, and give out what is released.

use std::sync::Arc;

use crate::base::ids::ChannelId;
use crate::base::names::ConsumerTag;
use crate::error::{Error, Precondition, Resource, Result};
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::time::clock::Timestamp;

impl Queue {
    /// Holds the queue, or releases it: while it is held it takes publishes and gives nothing
    /// out.
    pub fn set_held(self: &Arc<Self>, held: bool, now: Timestamp, effects: &mut Effects) {
        self.hold_stream(held, effects);
        self.apply(now, effects, |state, _| state.set_held(held));
    }

    /// Lets the next `count` messages go out although the queue is held. Errors: 406 if it is not.
    pub fn release(
        self: &Arc<Self>,
        count: usize,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<()> {
        self.apply(now, effects, |state, _| -> Result<()> {
            state.hold().ok_or_else(|| self.is_not_held())?.release(count);
            Ok(())
        })?;
        self.release_stream(count, effects);
        Ok(())
    }

    /// Lets the message after those go out, to the consumer with this tag whose channel is one
    /// that is `meant`. Errors: 404, 406 if several are, or it is not the single active one, or
    /// the queue is not held, 540 for a stream.
    pub fn release_to(
        self: &Arc<Self>,
        consumer_tag: &ConsumerTag,
        meant: impl Fn(ChannelId) -> bool,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<()> {
        self.refuse_if_stream("release_to")?;
        self.apply(now, effects, |state, _| {
            let resource = || Resource::consumer(consumer_tag, &self.virtual_host);
            let complaint = match state.consumers().called(consumer_tag, meant)[..] {
                [] => return Err(Error::NotFound(resource())),
                [id] if state.consumers().may_get(id) => {
                    state.hold().ok_or_else(|| self.is_not_held())?.release_to(id);
                    return Ok(());
                }
                [_] => Precondition::ConsumerNotActive(resource()),
                _ => Precondition::ConsumerAmbiguous(resource()),
            };
            Err(complaint.into())
        })
    }

    fn is_not_held(&self) -> Error {
        Precondition::NotHeld(self.resource()).into()
    }

    /// Whether it is held.
    pub fn is_held(&self) -> bool {
        self.state.lock().is_held()
    }
}
