//! Consumers over AMQP that take turns: of those with one name, one at a time reads. They are in
//! the same [`groups`](super::groups) as clients of the stream protocol.
//!
//! Who is to stop gets nothing more, and has stopped when everything that it has is settled: only
//! then the next one goes on, behind what was acknowledged last.

use std::sync::{Arc, Weak};

use crate::error::{Precondition, Result};
use crate::queue::Queue;
use crate::queue::consumers::{ConsumerId, ConsumerSpec};
use crate::queue::effects::Effects;
use crate::queue::stream::cursor::Cursor;
use crate::queue::stream::groups::{Groups, Member, MemberId};
use crate::queue::stream::progress::Progress;
use crate::queue::stream::readers::Readers;
use crate::queue::stream::{StreamQueue, Turns};

/// Whether it is a consumer's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It takes no turns: it always reads.
    Always,
    /// It is.
    Active,
    /// It was, and something that it got is not settled yet.
    Stopping,
    /// It is not.
    Waiting,
}

impl Standing {
    /// Whether the consumer may get messages.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Always | Self::Active)
    }
}

/// Tells a consumer of a stream.
struct Consumer {
    queue: Weak<Queue>,
    id: ConsumerId,
}

impl Member for Consumer {
    fn set_active(&self, _: u32, active: bool) {
        let Some(queue) = self.queue.upgrade() else { return };
        if let Some(stream) = queue.stream() {
            stream.readers.lock().set_turn(self.id, active);
        }
    }
}

/// How the groups know a consumer.
fn member(spec: &ConsumerSpec, id: ConsumerId) -> MemberId {
    // Two of a stream are the same only if four milliards came between them.
    (spec.channel.connection, id.generation as u32)
}

impl Readers {
    fn set_turn(&mut self, id: ConsumerId, active: bool) {
        let Some(reader) = self.get_mut(id) else { return };
        if active {
            reader.standing = Standing::Active;
            reader.goes_elsewhere();
        } else {
            reader.standing = Standing::Stopping;
            reader.seeks = false;
        }
        self.review(id);
        self.note_stopped(id);
    }

    /// A consumer that is to stop has stopped, if all that it has is settled.
    pub(super) fn note_stopped(&mut self, id: ConsumerId) {
        let Some(reader) = self.get_mut(id) else { return };
        if reader.standing != Standing::Stopping || reader.unacked > 0 {
            return;
        }
        reader.standing = Standing::Waiting;
        let (member, name) = (member(&reader.spec, id), reader.name());
        self.stopped.extend(name.map(|name| (name, member)));
    }

    /// A consumer goes on behind an offset.
    pub(super) fn begin_behind(&mut self, id: ConsumerId, stored: Option<u64>) {
        if let Some((_, progress)) = self.get_mut(id).and_then(|reader| reader.progress.as_mut()) {
            *progress = Progress::default();
            progress.begin(stored);
        }
    }
}

impl StreamQueue {
    /// Tells the groups who has stopped.
    pub(super) fn settle_groups(&self) {
        loop {
            let stopped = std::mem::take(&mut self.readers.lock().stopped);
            if stopped.is_empty() {
                break;
            }
            let mut groups = self.groups.lock();
            stopped.iter().for_each(|(name, member)| groups.stepped_down(name, *member));
        }
    }

    /// Moves a cursor behind what was acknowledged by a name, or where it began if nothing was;
    /// tells up to where that is.
    pub(super) fn seek(&self, cursor: &mut Cursor, name: &str) -> Option<u64> {
        let stored = self.log.stored_offset(name);
        let start = stored.map_or(cursor.began_at(), |stored| stored.saturating_add(1));
        match self.log.reader(leveret_storage::Start::Offset(start)) {
            Ok(reader) => cursor.go_to(reader),
            // What it got before comes again.
            Err(error) => tracing::error!("stream '{}' cannot be read: {error}", self.name),
        }
        stored
    }
}

impl Queue {
    /// Does something with the groups of a stream, and what follows from it.
    pub(crate) fn with_groups<R>(
        self: &Arc<Self>,
        effects: &mut Effects,
        work: impl FnOnce(&mut Groups) -> R,
    ) -> Option<R> {
        let stream = self.stream()?;
        let done = work(&mut stream.groups.lock());
        stream.settle_groups();
        effects.note_read(self);
        Some(done)
    }

    /// A consumer joins the group of its name. Errors: 406.
    pub(super) fn join_group(
        self: &Arc<Self>,
        (id, spec): (ConsumerId, &ConsumerSpec),
        name: &str,
        turns: Turns,
        effects: &mut Effects,
    ) -> Result<()> {
        let consumer = Arc::new(Consumer { queue: Arc::downgrade(self), id });
        let joined = self.with_groups(effects, |groups| {
            groups.join(name, turns.partition, member(spec, id), consumer)
        });
        match joined {
            Some(Ok(())) => Ok(()),
            _ => Err(Precondition::Partition { stream: self.resource(), name: name.into() }.into()),
        }
    }

    /// A consumer that has gone leaves the group of its name.
    pub(super) fn leave_group(
        self: &Arc<Self>,
        (id, spec): (ConsumerId, &ConsumerSpec),
        name: &str,
        effects: &mut Effects,
    ) {
        self.with_groups(effects, |groups| groups.leave(name, member(spec, id)));
    }
}
