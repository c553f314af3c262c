//! Publishes and acknowledgements that are done together, from whatever channels they come: a queue
//! is locked once for many of them. No rule says so, but clients rely on it: what was asked for on
//! another channel before is done. So publishes wait for publishes alone, acknowledgements for
//! acknowledgements, and whatever else comes for both.

use std::ops::RangeInclusive;

use super::{BASIC_ACK, BASIC_PUBLISH, Bridge, Failure, Slot};
use crate::message::Body;
use crate::vhost;

impl Bridge {
    #[inline]
    pub(super) fn publish(
        &mut self,
        publish: leveret_protocol::Publish<'_>,
    ) -> Result<(), Failure> {
        let number = publish.channel;
        if self.unflushed != Some(number) {
            self.turn_to(number);
        }
        self.has_published = true;
        let Some(at) = self.position(number) else { return Ok(()) };
        let Some(slot) = self.channels.get_mut(at) else { return Ok(()) };
        let message = vhost::Publish {
            number: publish.number,
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            properties: publish.properties,
            body: match publish.body {
                leveret_protocol::Body::Borrowed(octets) => Body::Borrowed(octets),
                leveret_protocol::Body::Assembled(octets) => Body::Shared(octets),
            },
        };
        let (mandatory, immediate) = (publish.mandatory, publish.immediate);
        slot.channel
            .basic_publish(message, mandatory, immediate, &mut self.effects)
            .map_err(|error| Failure { channel: number, error, method: BASIC_PUBLISH })
    }

    /// Takes publishes that differ in their bodies alone from the last one, which came on this
    /// channel and has this number: as many as are there and may be taken now. Tells how many.
    #[inline]
    pub(in crate::gateway::amqp) fn publish_alike<'a>(
        &mut self,
        (channel, number): (u16, u64),
        bodies: &mut impl Iterator<Item = &'a [u8]>,
    ) -> usize {
        let Some(at) = self.position(channel) else { return 0 };
        let Some(slot) = self.channels.get_mut(at) else { return 0 };
        slot.channel.publish_alike(number, bodies, &mut self.effects)
    }

    /// The next publish comes on this channel. What the last one has gathered makes way.
    fn turn_to(&mut self, number: u16) {
        self.settle_acked();
        if let Some(before) = self.unflushed.replace(number)
            && let Some(at) = self.position(before)
            && let Some(slot) = self.channels.get_mut(at)
        {
            slot.channel.set_aside(&mut self.effects);
        }
        if let Some(at) = self.position(number)
            && let Some(slot) = self.channels.get_mut(at)
            && !std::mem::replace(&mut slot.publishes, true)
        {
            self.publishing.push(number);
        }
    }

    #[inline]
    pub(super) fn ack(
        &mut self,
        number: u16,
        delivery_tags: RangeInclusive<u64>,
        multiple: bool,
    ) -> Result<(), Failure> {
        if !self.publishing.is_empty() {
            self.flush_publishes();
        }
        let Some(at) = self.position(number) else { return Ok(()) };
        let Some(Slot { channel, .. }) = self.channels.get_mut(at) else { return Ok(()) };
        let result = channel.gather_acks(delivery_tags, multiple, &mut self.effects);
        let result = channel.take_afterwards().and(result);
        if self.effects.acked.is_full() {
            self.settle_acked();
        }
        result.map_err(|error| Failure { channel: number, error, method: BASIC_ACK })
    }

    /// Does what was gathered.
    pub(super) fn flush(&mut self) {
        self.settle_acked();
        self.flush_publishes();
    }

    /// Does what was gathered, unless that is publishes on this channel alone, which does it by
    /// itself.
    pub(super) fn flush_others(&mut self, channel: u16) {
        self.settle_acked();
        if self.publishing.iter().any(|&other| other != channel) {
            self.flush_publishes();
        }
    }

    /// Enqueues what was published, and writes confirms.
    fn flush_publishes(&mut self) {
        if let Some(last) = self.unflushed.take()
            && self.publishing.len() > 1
            && let Some(at) = self.position(last)
            && let Some(slot) = self.channels.get_mut(at)
        {
            slot.channel.set_aside(&mut self.effects);
        }
        let mut publishing = std::mem::take(&mut self.publishing);
        for &number in &publishing {
            // The first one has all enqueued that waits.
            if let Some(at) = self.position(number)
                && let Some(slot) = self.channels.get_mut(at)
            {
                slot.publishes = false;
                slot.channel.flush(&mut self.effects);
            }
        }
        publishing.clear();
        self.publishing = publishing;
    }

    /// Tells queues of the acknowledgements that were gathered, and resumes who waited for that.
    #[inline]
    pub(super) fn settle_acked(&mut self) {
        if !self.effects.acked.is_empty() {
            self.settle_some();
        }
    }

    fn settle_some(&mut self) {
        let Some(session) = &self.session else { return };
        session.virtual_host.settle_acked(&mut self.effects);
        let starved = self.effects.acked.take_starved();
        for &number in &starved {
            if let Some(at) = self.position(number)
                && let Some(slot) = self.channels.get_mut(at)
            {
                slot.channel.resume_if_starved(&mut self.effects);
            }
        }
        if let Some(session) = self.session.as_ref().filter(|_| !starved.is_empty()) {
            session.virtual_host.run_uncounted(&mut self.effects);
        }
    }
}
