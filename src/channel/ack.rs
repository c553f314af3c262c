//! Settling deliveries from a channel `[amqp 0-9-1 basic.ack, basic.reject, basic.recover]`
//! `[rabbitmq nack]`.

use std::sync::Arc;

use crate::channel::deliveries::{Taken, Unacked};
use crate::channel::{Channel, Mode};
use crate::error::{NotImplemented, Result};
use crate::faults::{Method, Subject, Trigger};
use crate::limits::ACK_BATCH_MAX;
use crate::queue::effects::Effects;
use crate::queue::{Queue, Settlement};
use crate::time::clock::Timestamp;

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

    /// As [`Channel::basic_ack`]; it may stay with the channel until [`Channel::flush`] or any
    /// other method, so that a run of acknowledgements takes a queue's lock once. What was
    /// published before is enqueued. Errors: 406.
    #[inline]
    pub(crate) fn gather_ack(
        &mut self,
        delivery_tag: u64,
        multiple: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        if self.watch.watches(Trigger::METHODS) || matches!(self.mode, Mode::Transaction(_)) {
            self.settle_acked(effects);
            return self.basic_ack(delivery_tag, multiple, effects);
        }
        self.deliveries.take(delivery_tag, multiple, &mut self.acked)?;
        if self.acked.len() >= ACK_BATCH_MAX {
            self.settle_acked(effects);
        }
        Ok(())
    }

    /// Tells queues of the acknowledgements that were gathered.
    #[inline]
    pub(crate) fn settle_acked(&mut self, effects: &mut Effects) {
        if self.acked.is_empty() {
            return;
        }
        let acked = std::mem::take(&mut self.acked);
        self.settle(&acked, Settlement::Ack, effects);
        self.virtual_host().run_uncounted(effects);
    }

    /// Has the acknowledgements that were gathered settled together with those of other channels.
    /// Tells whether consumers have to be [resumed](Channel::resume_if_starved) after it.
    pub(crate) fn join_acked(
        &mut self,
        together: &mut AckedTogether,
        effects: &mut Effects,
    ) -> bool {
        let acked = std::mem::take(&mut self.acked);
        self.deliveries.counted().touch(together.now);
        self.deliveries.by_queue(&acked, true, |queue, group| together.add(queue, group, effects));
        // Whoever is turned away from now on has to wait for other acknowledgements.
        self.deliveries.is_starved()
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

/// Acknowledgements of several channels: those that follow each other and are one queue's are
/// settled together.
pub(crate) struct AckedTogether {
    now: Timestamp,
    queue: Option<Arc<Queue>>,
    /// Numbers of deliveries of that queue.
    ids: Vec<u64>,
}

impl AckedTogether {
    /// None so far. It is `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { now, queue: None, ids: Vec::new() }
    }

    fn add(&mut self, queue: &Arc<Queue>, group: &[(u64, Unacked)], effects: &mut Effects) {
        let is_same = self.queue.as_ref().is_some_and(|known| Arc::ptr_eq(known, queue));
        if !is_same || self.ids.len() >= ACK_BATCH_MAX {
            self.settle(effects);
            self.queue = Some(Arc::clone(queue));
        }
        self.ids.extend(group.iter().map(|(_, unacked)| unacked.id()));
    }

    /// Tells the queue.
    pub(crate) fn settle(&mut self, effects: &mut Effects) {
        if let Some(queue) = self.queue.take() {
            queue.settle(self.ids.drain(..), Settlement::Ack, self.now, effects);
        }
    }
}
