//! Transactions of a channel: publishes and acknowledgements wait for the commit
//! `[amqp 0-9-1 tx]` `[rabbitmq semantics#tx]`.

use std::sync::Arc;

use crate::channel::deliveries::Unacked;
use crate::channel::noting::note_published;
use crate::channel::status::ChannelMode;
use crate::channel::{Channel, Mode};
use crate::error::{Precondition, Result};
use crate::faults::{Method, Subject};
use crate::message::Message;
use crate::persist;
use crate::queue::effects::Effects;
use crate::queue::{Enqueued, Settlement};
use crate::vhost::Origin;
use crate::vhost::{Deferred, Pass, Route};

/// What a transaction holds back.
#[derive(Default)]
pub(super) struct Transaction {
    publishes: Vec<(Message, Route, bool)>,
    settled: Vec<(Vec<(u64, Unacked)>, Settlement)>,
    /// How many deliveries these are.
    acks: usize,
    /// Octets of the messages, which count as memory.
    footprint: usize,
}

impl Transaction {
    /// Holds a publish back.
    pub(super) fn publish(
        &mut self,
        message: Message,
        route: Route,
        mandatory: bool,
        effects: &mut Effects,
    ) {
        let footprint = message.footprint();
        self.footprint += footprint;
        effects.footprint += footprint as isize;
        self.publishes.push((message, route, mandatory));
    }

    /// How many publishes and acknowledgements it holds back.
    pub(super) fn held_back(&self) -> (usize, usize) {
        (self.publishes.len(), self.acks)
    }

    /// Holds an acknowledgement back.
    pub(super) fn settle(&mut self, taken: Vec<(u64, Unacked)>, settlement: Settlement) {
        self.acks += taken.len();
        self.settled.push((taken, settlement));
    }

    /// Forgets the publishes; returns the deliveries whose acknowledgement was held back.
    pub(super) fn roll_back(self, effects: &mut Effects) -> Vec<(u64, Unacked)> {
        effects.footprint -= self.footprint as isize;
        self.settled.into_iter().flat_map(|(taken, _)| taken).collect()
    }
}

impl Channel {
    /// tx.select: publishes and acknowledgements wait for a commit from now on. Errors: 406.
    pub(crate) fn tx_select(&mut self, effects: &mut Effects) -> Result<()> {
        self.flush(effects);
        self.meet(Method::TxSelect, Subject::default(), effects)?;
        match self.mode {
            Mode::Confirm(_) => Err(Precondition::TransactionOfConfirming.into()),
            Mode::Transaction(_) => Ok(()),
            Mode::Plain => {
                self.mode = Mode::Transaction(Transaction::default());
                self.deliveries.counted().set_mode(ChannelMode::Transaction);
                Ok(())
            }
        }
    }

    /// tx.commit: what was held back takes effect. Errors: 406, also if a queue refused a message
    /// or was deleted since it was published; then the others have it all the same.
    pub(crate) fn tx_commit(&mut self, effects: &mut Effects) -> Result<()> {
        self.meet(Method::TxCommit, Subject::default(), effects)?;
        let Transaction { publishes, settled, footprint, .. } = self.take_transaction()?;
        effects.footprint -= footprint as isize;
        let mut refused = false;
        for (message, route, mandatory) in publishes {
            note_published(&self.session, &message);
            let route = match route.deferred {
                Some(deferred) => self.route_deferred(&deferred),
                None => route,
            };
            if route.queues.is_empty() && !route.taken {
                self.publish_elsewhere(&message, mandatory, effects);
            }
            // It cannot be had where it was to go when it was published.
            refused |= route.queues.iter().any(|queue| queue.is_deleted());
            let host = Arc::clone(self.virtual_host());
            self.deliveries.counted().count_publishes(1, route.queues.len());
            if let Ok(exchange) = host.exchange(message.exchange()) {
                exchange.count_publishes(1, route.queues.len());
            }
            host.note_routed(&message, &route);
            if host.is_traced() {
                let (actor, number) = (&self.session.actor, self.id().number);
                host.trace_publish(actor, number, &message, &route, effects);
            }
            host.enqueue(
                Origin::Client,
                &route.queues,
                &mut vec![message],
                effects,
                persist::nothing,
                |_, _, outcome| refused |= outcome == Enqueued::Rejected,
            );
        }
        for (taken, settlement) in settled {
            self.settle(&taken, settlement, effects);
        }
        self.virtual_host().run_without_waking(effects);
        effects.must_sync |= self.virtual_host().persistence().is_some();
        if refused {
            return Err(Precondition::PartialCommit.into());
        }
        Ok(())
    }

    /// The way of a message that had to wait for the commit to be routed.
    fn route_deferred(&self, deferred: &Deferred) -> Route {
        self.virtual_host().route_kept(&deferred.exchange, &deferred.kept, Pass::Publish)
    }

    /// tx.rollback: publishes are forgotten, acknowledgements too: their messages are
    /// unacknowledged as before. Errors: 406.
    pub(crate) fn tx_rollback(&mut self, effects: &mut Effects) -> Result<()> {
        self.meet(Method::TxRollback, Subject::default(), effects)?;
        let transaction = self.take_transaction()?;
        self.deliveries.put_back(transaction.roll_back(effects));
        Ok(())
    }

    fn take_transaction(&mut self) -> Result<Transaction> {
        match &mut self.mode {
            Mode::Transaction(transaction) => {
                self.deliveries.counted().count_uncommitted(0, 0);
                Ok(std::mem::take(transaction))
            }
            _ => Err(Precondition::NotTransactional.into()),
        }
    }
}
