//! What a program has not taken yet counts as memory, as what waits for a client behind a socket
//! does. A message that is to be acknowledged is its queue's until it is; others are counted here.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::memory_alarm::{MemoryAlarm, Share};
use crate::message::Message;

/// Octets that wait for a program. Who changes it has a lock around it.
#[derive(Default)]
pub(super) struct Untaken {
    octets: usize,
    /// Nothing if they come from another broker, whose memory they do not take.
    share: Option<Share>,
}

impl Untaken {
    /// Nothing yet, which counts there.
    pub(super) fn counted_by(memory: &Arc<MemoryAlarm>) -> Self {
        Self { octets: 0, share: Some(Share::new(memory, 0)) }
    }

    /// So many octets have come.
    pub(super) fn add(&mut self, octets: usize) {
        self.set(self.octets + octets);
    }

    /// So many were taken.
    pub(super) fn remove(&mut self, octets: usize) {
        self.set(self.octets.saturating_sub(octets));
    }

    fn set(&mut self, octets: usize) {
        if octets != self.octets {
            self.octets = octets;
            self.share.iter().for_each(|share| share.set(octets));
        }
    }
}

/// Messages that came back.
#[derive(Default)]
pub(super) struct Returned {
    pub(super) waiting: VecDeque<Message>,
    /// How many ever came back.
    pub(super) total: u64,
    pub(super) untaken: Untaken,
}

impl Returned {
    pub(super) fn take(
        &mut self,
        take: impl FnOnce(&mut VecDeque<Message>) -> Option<Message>,
    ) -> Option<Message> {
        let message = take(&mut self.waiting)?;
        self.untaken.remove(message.footprint());
        Some(message)
    }
}
