//! Faults of a connection as a whole: it is lost, or its frames are spoilt.

use leveret_protocol::Output;

use crate::channel::{Watch, stop_reading};
use crate::faults::{Hit, Method, Subject, Trigger, spoil};
use crate::gateway::amqp::bridge::{Bridge, Failure};
use crate::gateway::amqp::outbox::ChannelWriter;

/// Class and method id of connection.open and channel.open.
const OPEN: (u16, u16) = (10, 40);
const CHANNEL_OPEN: (u16, u16) = (20, 10);

impl Bridge {
    /// The connection is cut: what was written before still gets to the client.
    pub(super) fn lose(&mut self) {
        self.finish_batch();
        self.outbox.seal();
        self.close();
        self.is_lost = true;
    }

    /// A method that is not one of an open channel.
    pub(in crate::gateway) fn meet(&self, method: Method, channel: u16) -> Result<(), Failure> {
        let Some(session) = &self.session else { return Ok(()) };
        if !self.watches_methods() {
            return Ok(());
        }
        let watch = Watch::new(session, channel);
        let Some(hit) = watch.meet(Trigger::Method(method), Subject::default()) else {
            return Ok(());
        };
        let method = if channel == 0 { OPEN } else { CHANNEL_OPEN };
        match hit.action().error() {
            Some(error) => Err(Failure { channel, error, method }),
            None => {
                stop_reading(&hit, &*ChannelWriter::new(&self.outbox, channel));
                Ok(())
            }
        }
    }

    /// Whether there are rules about methods: each is looked at by itself then.
    #[inline]
    pub(super) fn watches_methods(&self) -> bool {
        self.broker.faults().watches(Trigger::METHODS)
    }

    /// Does to frames that are about to be written what rules say.
    #[inline]
    pub(super) fn spoil(&mut self, frames: &mut Output) {
        if self.broker.faults().watches(Trigger::FRAMES) {
            self.spoil_watched(frames);
        }
    }

    fn spoil_watched(&mut self, frames: &mut Output) {
        let Some(session) = &self.session else { return };
        let mut octets = frames.to_vec();
        let meet = |channel| -> Option<Hit> {
            Watch::new(session, channel).meet(Trigger::Frame, Subject::default())
        };
        let is_lost = spoil(&mut octets, meet);
        frames.clear();
        frames.octets(&octets);
        if is_lost {
            self.lose();
            // Nothing comes after half a frame, not even what was written in the meantime.
            self.outbox.take();
        }
    }
}
