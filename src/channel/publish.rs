//! Publishing from a channel `[amqp 0-9-1 basic.publish]`.
//!
//! A channel remembers the route of its last publish, and gathers the publishes that go the same
//! way: the common case looks nothing up, and a run of messages takes the queue's lock once.

use std::sync::Arc;

use crate::channel::noting::note_published;
use crate::channel::routes::{Generations, Routes};
use crate::channel::status::ChannelMode;
use crate::channel::{Channel, Mode};
use crate::error::{NotImplemented, Precondition, Result};
use crate::faults::{Method, Subject, Trigger};
use crate::insight::journal::EventKind;
use crate::limits::{CHANNEL_BYTES, PUBLISH_BATCH_MAX};
use crate::message::run::Gathered;
use crate::message::{Body, Message};
use crate::persist;
use crate::queue::Enqueued;
use crate::queue::effects::Effects;
use crate::vhost::Origin;
use crate::vhost::{Exchange, Pass, Publish, Route};

/// The publishing side of a channel. What every message needs comes first.
#[derive(Default)]
#[repr(C)]
pub(super) struct Publisher {
    /// Messages that go along the last route, not enqueued yet.
    pub(super) pending: Gathered,
    /// How many of the first of them the journal knows.
    pub(super) noted: usize,
    /// Number of the first pending message, when confirms are on.
    pub(super) first_pending: u64,
    /// Publishes may be [set aside](Channel::set_aside).
    pub(super) sets_aside: bool,
    /// A fault keeps the publish at hand from its queues.
    goes_nowhere: bool,
    /// Those that are set aside.
    pub(super) aside: SetAside,
    pub(super) routes: Routes,
    /// The exchange that was looked up last, and the generations at which the user might write to
    /// it.
    pub(super) allowed: Option<(Generations, Arc<Exchange>)>,
    /// Places in `pending`, or among those that are set aside, that a queue refused.
    pub(super) refused: Vec<usize>,
    scratch: Vec<u8>,
}

/// Publishes of one channel that are set aside.
#[derive(Default)]
pub(super) struct SetAside {
    /// The number of the first one.
    pub(super) first: u64,
    /// How many.
    pub(super) count: usize,
    /// Some of them have to be stored before they are confirmed.
    pub(super) is_stored: bool,
}

impl Channel {
    /// Publishes a message. Errors: 403, 404, 406, 540.
    ///
    /// It may stay with the channel until [`Channel::flush`] or any other method.
    #[inline]
    pub(crate) fn basic_publish(
        &mut self,
        publish: Publish<'_>,
        mandatory: bool,
        immediate: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        if self.watch.watches(Trigger::ALL_OF_PUBLISHES) {
            return self.publish_watched(publish, mandatory, immediate, effects);
        }
        self.publish_as_usual(publish, mandatory, immediate, effects)
    }

    #[inline]
    pub(super) fn publish_as_usual(
        &mut self,
        publish: Publish<'_>,
        mandatory: bool,
        immediate: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        if immediate || !self.repeats_last(&publish) {
            self.set_aside(effects);
            if immediate || !self.repeats_earlier(&publish) {
                return self.publish_anew(publish, mandatory, immediate, effects);
            }
        }
        self.gather(publish.body, effects);
        Ok(())
    }

    /// Whether the publish goes the way of the last one, and that leads to some queue.
    #[inline]
    pub(super) fn repeats_last(&mut self, publish: &Publish<'_>) -> bool {
        let generations = self.generations();
        self.publisher.routes.repeats_last(publish, generations)
            && !matches!(self.mode, Mode::Transaction(_))
    }

    /// Whether it goes the way of an earlier one, which is the last way from now on. Nothing may be
    /// pending.
    pub(super) fn repeats_earlier(&mut self, publish: &Publish<'_>) -> bool {
        let generations = self.generations();
        !matches!(self.mode, Mode::Transaction(_))
            && self.publisher.routes.turn_to(publish, generations)
    }

    pub(super) fn generations(&self) -> Generations {
        (self.virtual_host().generation(), self.session.actor.access_generation())
    }

    /// Gathers a message with this body that goes the way of the last one.
    #[inline]
    fn gather(&mut self, body: Body<'_>, effects: &mut Effects) {
        self.number_pending();
        let Publisher { routes, pending, .. } = &mut self.publisher;
        let Some(last) = routes.last_mut() else { return };
        pending.add(&mut last.mould, body);
        if pending.len() >= PUBLISH_BATCH_MAX {
            self.enqueue_pending(effects);
        }
    }

    /// Publishes messages with these bodies that are like the last one, which had this number, in
    /// all else: as many as there are until they have to be enqueued, or none if each has to be
    /// looked at. Tells how many.
    #[inline]
    pub(crate) fn publish_alike<'a>(
        &mut self,
        number: u64,
        bodies: &mut impl Iterator<Item = &'a [u8]>,
        effects: &mut Effects,
    ) -> usize {
        if self.watch.watches(Trigger::ALL_OF_PUBLISHES) {
            return 0;
        }
        let generations = self.generations();
        let Publisher { routes, pending, first_pending, .. } = &mut self.publisher;
        // A transaction has none.
        let Some(mould) = routes.mould_of(number, generations) else { return 0 };
        let before = pending.len();
        for body in bodies.take(PUBLISH_BATCH_MAX.saturating_sub(before)) {
            pending.add(mould, Body::Borrowed(body));
        }
        let count = pending.len() - before;
        if count == 0 {
            return 0;
        }
        if let Mode::Confirm(confirms) = &mut self.mode {
            let first = confirms.next_of(count);
            if before == 0 {
                *first_pending = first;
            }
        }
        if before + count >= PUBLISH_BATCH_MAX {
            self.enqueue_pending(effects);
        }
        count
    }

    /// Gathers a message that the journal knows, as the first one.
    fn gather_noted(&mut self, message: Message) {
        self.number_pending();
        self.publisher.pending.push(message);
        self.publisher.noted = 1;
    }

    /// The next pending message gets its number, when confirms are on.
    #[inline]
    fn number_pending(&mut self) {
        if let Mode::Confirm(confirms) = &mut self.mode {
            let number = confirms.next();
            if self.publisher.pending.is_empty() {
                self.publisher.first_pending = number;
            }
        }
    }

    /// Publishes a message that goes a way that is not known. Errors: as
    /// [`Channel::basic_publish`].
    pub(crate) fn publish_anew(
        &mut self,
        publish: Publish<'_>,
        mandatory: bool,
        immediate: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        self.enqueue_pending(effects);
        let generations = self.generations();
        self.publisher.routes.set_last_aside(generations);
        if immediate {
            return Err(NotImplemented::Immediate.into());
        }
        let exchange = self.check_exchange(&publish, generations)?;
        let reply_to = self.own_reply_to(&publish)?;
        if let Some(user_id) = publish.user_id() {
            self.session.actor.check_user_id(user_id)?;
        }
        let plain = publish.is_plain();
        let (number, parts) = (publish.number, publish.parts());
        let host = Arc::clone(self.virtual_host());
        host.hand_to_store(effects);
        let pass = match self.mode {
            Mode::Transaction(_) => Pass::Transaction,
            _ => Pass::Publish,
        };
        let session = &self.session;
        let (message, mut route) = publish.into_routed(
            &host,
            &exchange,
            reply_to.as_deref(),
            pass,
            &mut self.publisher.scratch,
            |message| match pass {
                Pass::Transaction => {} // it is not published before the commit
                _ => note_published(session, message),
            },
        )?;
        host.lint_publish(&exchange, &message, &route)?;
        if self.publisher.goes_nowhere {
            route = Route::default();
        }
        if host.is_traced() && pass != Pass::Transaction {
            host.trace_publish(&self.session.actor, self.id().number, &message, &route, effects);
        }
        if let Mode::Transaction(transaction) = &mut self.mode {
            transaction.publish(message, route, mandatory, effects);
            let (publishes, acks) = transaction.held_back();
            self.deliveries.counted().count_uncommitted(publishes, acks);
            self.virtual_host().run_without_waking(effects);
            return Ok(());
        }
        if route.queues.is_empty() {
            exchange.count_publishes(1, 0);
            self.publish_to_none(&message, route.taken, mandatory, effects);
        } else {
            // Each message is looked at if anything is looked for.
            let repeatable = plain && route.repeatable && host.lints().is_none();
            let made = (number, &parts);
            self.publisher.routes.set_last(made, exchange, route);
            self.share.set(CHANNEL_BYTES + self.publisher.routes.octets());
            self.gather_noted(message);
            if !repeatable {
                self.enqueue_pending(effects);
                self.publisher.routes.forget_last();
            }
        }
        Ok(())
    }

    /// A message that goes to no queue now: an exchange has `taken` it, or it is not for queues.
    fn publish_to_none(
        &mut self,
        message: &Message,
        taken: bool,
        mandatory: bool,
        effects: &mut Effects,
    ) {
        self.deliveries.counted().count_publishes(1, 0);
        let number = self.number_publish();
        if taken {
            self.wait_for_store();
        } else {
            self.publish_elsewhere(message, mandatory, effects);
        }
        self.accept_publish(number, message);
    }

    /// What was just handed to the store has to be there before it is confirmed.
    pub(super) fn wait_for_store(&mut self) {
        let store = self.session.virtual_host.persistence();
        if let (Mode::Confirm(confirms), Some(store)) = (&mut self.mode, store) {
            let (ticket, line) = confirms.ticket();
            store.after_stored(move || line.stored(ticket));
        }
    }

    /// Publishes a message that finds no queue, as a fault has it. Errors: as otherwise.
    pub(super) fn publish_nowhere(
        &mut self,
        publish: Publish<'_>,
        mandatory: bool,
        immediate: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        self.publisher.goes_nowhere = true;
        let result = self.publish_anew(publish, mandatory, immediate, effects);
        self.publisher.goes_nowhere = false;
        result
    }

    /// Takes a publish that goes to no queue and is not accepted, as a fault has it. Errors: as
    /// otherwise.
    pub(super) fn refuse_publish(&mut self, publish: Publish<'_>) -> Result<()> {
        let exchange = self.check_exchange(&publish, self.generations())?;
        let message = publish.into_message(&mut self.publisher.scratch);
        note_published(&self.session, &message);
        exchange.count_publishes(1, 0);
        self.deliveries.counted().count_publishes(1, 0);
        let number = self.number_publish();
        self.accept_publish(number, &message);
        Ok(())
    }

    /// A message that no queue gets: a direct reply, or unroutable.
    pub(super) fn publish_elsewhere(
        &mut self,
        message: &Message,
        mandatory: bool,
        effects: &mut Effects,
    ) {
        let target = self
            .virtual_host()
            .reply_target(message.routing_key_octets())
            .filter(|_| message.exchange().is_empty());
        let replied = target.is_some_and(|target| target.reply(message, &mut effects.wakeups));
        self.virtual_host().note(Some(message), || match replied {
            true => EventKind::Replied,
            false => EventKind::Unroutable { returned: mandatory },
        });
        let is_returned = mandatory && (!replied || self.virtual_host().repeats_rabbitmq_faults());
        let published = &self.deliveries.counted().published;
        if is_returned {
            published.return_unroutable.add(1);
        } else if !replied {
            published.drop_unroutable.add(1);
        }
        if is_returned {
            self.deliveries.output().basic_return(message, &mut effects.wakeups);
        }
    }

    fn number_publish(&mut self) -> u64 {
        match &mut self.mode {
            Mode::Confirm(confirms) => confirms.next(),
            _ => 0,
        }
    }

    fn accept_publish(&mut self, number: u64, message: &Message) {
        if let Mode::Confirm(confirms) = &mut self.mode {
            confirms.remember(number, [message]);
            confirms.accept(number);
        }
    }

    /// Enqueues what was gathered and tells the client what is confirmed.
    #[inline]
    pub(crate) fn flush(&mut self, effects: &mut Effects) {
        if !effects.aside.is_empty() {
            self.set_aside(effects); // to go with others to its queue
        }
        self.enqueue_pending(effects);
        if let Mode::Confirm(confirms) = &mut self.mode {
            confirms.tell(&mut effects.wakeups);
        }
    }

    /// Enqueues what was gathered, after all that is set aside.
    pub(super) fn enqueue_pending(&mut self, effects: &mut Effects) {
        self.enqueue_aside(effects);
        if self.publisher.pending.is_empty() {
            return;
        }
        self.virtual_host().hand_to_store(effects);
        self.note_pending();
        let host = &self.session.virtual_host;
        let counted = self.deliveries.counted();
        let Publisher { routes, pending, refused, first_pending, .. } = &mut self.publisher;
        let Some(last) = routes.last() else { return };
        let (first, count) = (*first_pending, pending.len());
        let pending = pending.messages();
        counted.count_publishes(count, last.route.queues.len());
        last.from.count_publishes(count, last.route.queues.len());
        refused.clear();
        let mode = &mut self.mode;
        let stored = || match mode {
            Mode::Confirm(confirms) => {
                let (ticket, line) = confirms.ticket();
                persist::then(move || line.stored(ticket))
            }
            _ => persist::nothing(),
        };
        let queues = &last.route.queues;
        let now =
            host.enqueue(Origin::Client, queues, pending, effects, stored, |_, place, outcome| {
                if outcome == Enqueued::Rejected {
                    refused.push(place);
                }
            });
        counted.touch(now);
        self.settle_publishes(first, count);
        self.virtual_host().run_uncounted(effects);
    }

    /// Confirms or refuses the publishes from number `first` on: one refusal by any queue refuses.
    pub(super) fn settle_publishes(&mut self, first: u64, count: usize) {
        let Mode::Confirm(confirms) = &mut self.mode else { return };
        let refused = &mut self.publisher.refused;
        refused.sort_unstable();
        refused.dedup();
        let mut accepted = 0;
        for &place in refused.iter() {
            let number = first + place as u64;
            if place > accepted {
                confirms.accept(number - 1);
            }
            confirms.refuse(number);
            accepted = place + 1;
        }
        let last = first + count as u64 - 1;
        if refused.last().is_none_or(|&place| place + 1 < count) {
            confirms.accept(last);
        }
    }

    /// confirm.select: from now on publishes are confirmed. Errors: 406.
    pub(crate) fn confirm_select(&mut self, effects: &mut Effects) -> Result<()> {
        self.flush(effects);
        self.meet(Method::ConfirmSelect, Subject::default(), effects)?;
        match self.mode {
            Mode::Transaction(_) => Err(Precondition::ConfirmOfTransactional.into()),
            Mode::Confirm(_) => Ok(()),
            Mode::Plain => {
                let noter = self.virtual_host().noter();
                let output = self.deliveries.shared_output();
                let counted = Arc::clone(self.deliveries.counted());
                counted.set_mode(ChannelMode::Confirm);
                self.mode = Mode::Confirm(super::Confirms::new(output, counted, noter));
                Ok(())
            }
        }
    }
}
