//! Settling deliveries from a channel `[amqp 0-9-1 basic.ack, basic.reject, basic.recover]`
//! `[rabbitmq nack]`.

use std::ops::RangeInclusive;

use crate::channel::deliveries::{Taken, Unacked};
use crate::channel::{Channel, Mode};
use crate::error::{NotImplemented, Result};
use crate::faults::{Method, Subject, Trigger};
use crate::queue::Settlement;
use crate::queue::effects::Effects;

impl Channel {
    /// Acknowledges a delivery, or with `multiple` all up to it; tag 0 then means all.
    /// Errors: 406.
    pub(crate) fn basic_ack(
        &mut self,
        delivery_tag: u64,
        multiple: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        self.meet(Method::BasicAck, Subject::default(), effects)?;
        self.settle_tags(delivery_tag, multiple, Settlement::Ack, effects)
    }

    /// As [`Channel::basic_ack`] for one delivery after the other; they may wait in the effects
    /// until [they are settled](VirtualHost::settle_acked), which comes before any other method: so
    /// a run of acknowledgements takes a queue's lock once. What was published before is enqueued.
    /// Errors: 406.
    #[inline]
    pub(crate) fn gather_acks(
        &mut self,
        mut delivery_tags: RangeInclusive<u64>,
        multiple: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        if self.watch.watches(Trigger::METHODS) || matches!(self.mode, Mode::Transaction(_)) {
            self.session.virtual_host.settle_acked(effects);
            return delivery_tags.try_for_each(|tag| self.basic_ack(tag, multiple, effects));
        }
        let now = effects.acked.since(|| self.session.virtual_host.now());
        self.deliveries.acknowledge(delivery_tags, multiple, &mut effects.acked)?;
        let counted = self.deliveries.counted();
        counted.touch(now);
        // Whoever is turned away from now on has to wait for other acknowledgements.
        if self.deliveries.is_starved() {
            effects.acked.note_starved(counted.id.number);
        }
        Ok(())
    }

    /// Lets consumers that were turned away get messages if there is room or credit for them.
    pub(crate) fn resume_if_starved(&mut self, effects: &mut Effects) {
        if self.deliveries.take_starved() {
            self.resume_consumers(effects);
        }
    }

    /// Gives deliveries back to their queue, or drops or dead-letters them. Errors: 406.
    pub(crate) fn basic_nack(
        &mut self,
        delivery_tag: u64,
        multiple: bool,
        requeue: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        self.meet(Method::BasicNack, Subject::default(), effects)?;
        self.settle_tags(delivery_tag, multiple, Settlement::refusal(requeue), effects)
    }

    /// As [`Channel::basic_nack`], for one delivery. Errors: 406.
    pub(crate) fn basic_reject(
        &mut self,
        delivery_tag: u64,
        requeue: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        self.meet(Method::BasicReject, Subject::default(), effects)?;
        self.settle_tags(delivery_tag, false, Settlement::refusal(requeue), effects)
    }

    /// Gives back everything that is not acknowledged. Errors: 540 without `requeue`.
    pub(crate) fn basic_recover(&mut self, requeue: bool, effects: &mut Effects) -> Result<()> {
        self.flush(effects);
        self.meet(Method::BasicRecover, Subject::default(), effects)?;
        if !requeue {
            return Err(NotImplemented::RecoverWithoutRequeue.into());
        }
        let mut taken = Taken::new();
        self.deliveries.take(0, true, &mut taken)?;
        self.settle(&taken, Settlement::Requeue, effects);
        Ok(())
    }

    fn settle_tags(
        &mut self,
        delivery_tag: u64,
        multiple: bool,
        settlement: Settlement,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        let mut taken = Taken::new();
        self.deliveries.take(delivery_tag, multiple, &mut taken)?;
        if let Mode::Transaction(transaction) = &mut self.mode {
            transaction.settle(taken.into_vec(), settlement);
            let (publishes, acks) = transaction.held_back();
            self.deliveries.counted().count_uncommitted(publishes, acks);
        } else {
            self.settle(&taken, settlement, effects);
        }
        Ok(())
    }

    pub(super) fn settle(
        &mut self,
        taken: &[(u64, Unacked)],
        settlement: Settlement,
        effects: &mut Effects,
    ) {
        let now = self.now();
        self.deliveries.counted().touch(now);
        let acknowledged = settlement == Settlement::Ack;
        self.deliveries.by_queue(taken, acknowledged, |queue, group| {
            let settlement = match settlement {
                Settlement::Requeue => self.deliveries.way_back(queue, group.len(), settlement),
                _ => settlement,
            };
            queue.settle(group.iter().map(|(_, unacked)| unacked.id()), settlement, now, effects);
        });
        self.resume_if_starved(effects);
    }
}
