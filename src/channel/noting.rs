//! What a channel tells the journal, if there is one.

use crate::channel::session::Session;
use crate::channel::{Channel, Mode};
use crate::insight::journal::EventKind;
use crate::message::Message;

/// The client has published a message.
pub(super) fn note_published(session: &Session, message: &Message) {
    session.virtual_host.note(Some(message), || EventKind::Published {
        connection: session.id(),
        user: session.actor.user.name.clone(),
    });
}

impl Channel {
    /// Tells of the publishes that are about to be enqueued, of which the first `noted` are known.
    #[inline]
    pub(super) fn note_pending(&mut self) {
        if self.virtual_host().journal().is_none() {
            return;
        }
        let noted = std::mem::take(&mut self.publisher.noted);
        let publisher = &mut self.publisher;
        let pending = publisher.pending.messages();
        for (at, message) in pending.iter().enumerate() {
            if at >= noted {
                note_published(&self.session, message);
            }
            if let Some(last) = publisher.routes.last() {
                self.session.virtual_host.note_routed(message, &last.route);
            }
        }
        if let Mode::Confirm(confirms) = &self.mode {
            confirms.remember(publisher.first_pending, &*pending);
        }
    }
}
