//! What a channel tells the journal, if there is one.

use crate::channel::{Channel, Mode};
use crate::journal::EventKind;
use crate::message::Message;
use crate::session::Session;

/// The client has published a message.
pub(super) fn note_published(session: &Session, message: &Message) {
    session.virtual_host.note(Some(message), || EventKind::Published {
        connection: session.id,
        user: session.user.name.clone(),
    });
}

impl Channel {
    /// Tells of the publishes that are about to be enqueued, of which the first `noted` are known.
    /// Returns them if it will be told whether they are confirmed.
    #[inline]
    pub(super) fn note_pending(&mut self) -> Vec<Message> {
        if self.virtual_host().journal().is_none() {
            return Vec::new();
        }
        let noted = std::mem::take(&mut self.publisher.noted);
        let publisher = &self.publisher;
        for (at, message) in publisher.pending.iter().enumerate() {
            if at >= noted {
                note_published(&self.session, message);
            }
            if let Some(last) = &publisher.last {
                self.virtual_host().note_routed(message, &last.route);
            }
        }
        if matches!(self.mode, Mode::Confirm(_)) { publisher.pending.clone() } else { Vec::new() }
    }

    /// Tells what became of the publishes from number `first` on.
    #[inline]
    pub(super) fn note_outcomes(&self, first: u64, messages: &[Message]) {
        for (place, message) in messages.iter().enumerate() {
            let is_ack = !self.publisher.refused.contains(&place);
            self.note_outcome(first + place as u64, message, is_ack);
        }
    }

    pub(super) fn note_outcome(&self, delivery_tag: u64, message: &Message, is_ack: bool) {
        if matches!(self.mode, Mode::Confirm(_)) {
            self.virtual_host().note(Some(message), || match is_ack {
                true => EventKind::Confirmed { delivery_tag },
                false => EventKind::Nacked { delivery_tag },
            });
        }
    }
}
