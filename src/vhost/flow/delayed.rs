//! Messages that exchanges keep and send on later: delayed ones, and the history that new
//! bindings get `[rabbitmq delayed-message-exchange, recent-history-exchange]`.

use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::insight::journal::EventKind;
use crate::limits::RELEASE_BATCH_MAX;
use crate::message::Message;
use crate::message::stored::Gone;
use crate::persist::{self, Moved};
use crate::queue::effects::Effects;
use crate::time::timers::Sleeper;
use crate::time::waiting::Waiting;
use crate::vhost::Origin;
use crate::vhost::VirtualHost;
use crate::vhost::flow::extension::Delays;
use crate::vhost::flow::kept::{Kept, after_delay};
use crate::vhost::flow::route::{Pass, Route, Subject};
use crate::vhost::topology::exchange::{Destination, Exchange};

/// Messages that go the same way, not enqueued yet.
#[derive(Default)]
struct Run {
    route: Route,
    messages: Vec<Message>,
    /// Where they have been in the store.
    left: Vec<Gone>,
}

impl VirtualHost {
    /// Keeps a message for `ms` milliseconds.
    pub(in crate::vhost) fn delay(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        delays: &Delays,
        subject: &Subject<'_>,
        headers: &FieldTable,
        ms: u64,
    ) {
        let message = after_delay(subject.message, headers);
        self.note_derived(&message, subject.message, || EventKind::Delayed {
            exchange: exchange.name().clone(),
            ms,
        });
        let mut kept = Kept::new(message, subject.routing_keys);
        let footprint = kept.footprint() as isize;
        let due = self.now().after_ms(ms);
        let number = (exchange.store_id != 0).then(|| delays.next_number());
        if let Some(number) = number {
            self.store_delayed(exchange, number, kept.message(), due, kept.other_keys());
            kept.set_stored(number);
        }
        let (is_kept, deadline) = delays.push(due, kept);
        if is_kept {
            self.shared.memory.add(footprint);
        } else if let (Some(store), Some(number)) = (self.persistence(), number) {
            let gone = Gone { queue: exchange.store_id, first: number, last: number };
            store.forget(&mut vec![gone]);
        }
        if let Some(deadline) = deadline {
            self.shared.timers.schedule(deadline, self, exchange);
        }
    }

    /// Routes the messages of a delayed exchange that are due, by its bindings of this moment.
    fn release(self: &Arc<Self>, exchange: &Arc<Exchange>, effects: &mut Effects) {
        let Some(delays) = exchange.delays() else { return };
        let _turn = delays.turn.lock();
        let now = self.now();
        delays.woken();
        loop {
            let due = delays.take_due(RELEASE_BATCH_MAX, now);
            if due.is_empty() {
                break;
            }
            let footprint: usize = due.iter().map(Kept::footprint).sum();
            effects.footprint -= footprint as isize;
            let numbers: Vec<u64> = due.iter().filter_map(Kept::stored_number).collect();
            self.send(exchange, due, Pass::Due, effects);
            // Their queues have them by now.
            numbers.iter().for_each(|number| effects.note_moved(exchange.store_id, *number));
            self.run_without_waking(effects);
        }
        if let Some(deadline) = delays.new_deadline() {
            self.shared.timers.schedule(deadline, self, exchange);
        }
    }

    /// Routes kept messages from an exchange on. Nobody is told of those that no queue gets.
    pub(in crate::vhost) fn send(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        kept: Vec<Kept>,
        pass: Pass,
        effects: &mut Effects,
    ) {
        let mut run = Run::default();
        for kept in kept {
            let goes_along = run.route.repeatable
                && kept.has_one_key()
                && run.messages.first().is_some_and(|first| {
                    first.routing_key_octets() == kept.message().routing_key_octets()
                });
            if !goes_along {
                self.enqueue_run(exchange, &mut run, effects);
                run.route = self.route_kept(exchange, &kept, pass);
            }
            if let Some(number) = kept.stored_number() {
                run.left.push(Gone { queue: exchange.store_id, first: number, last: number });
            }
            run.messages.push(kept.into_message());
        }
        self.enqueue_run(exchange, &mut run, effects);
    }

    fn enqueue_run(&self, exchange: &Exchange, run: &mut Run, effects: &mut Effects) {
        let Run { route, messages, left } = run;
        exchange.count_sent(messages.len() * route.queues.len());
        messages.iter().for_each(|message| self.note_sent(message, route));
        let queues = &route.queues;
        let (now, origin, nobody) = (self.now(), Origin::Broker, |_, _, _| {});
        let (moved, stored) = (Moved::from(&**left), persist::nothing);
        self.enqueue_from(now, &moved, origin, queues, messages, effects, stored, nobody);
        left.clear();
    }

    /// The way of a kept message from an exchange on.
    pub(crate) fn route_kept(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        kept: &Kept,
        pass: Pass,
    ) -> Route {
        let routing_keys = kept.routing_keys();
        let message = kept.message();
        let subject = Subject { routing_keys: &routing_keys, headers: None, message };
        self.route(exchange, &subject, pass)
    }

    /// Gives a new binding's destination what the source remembers. A queue gets the oldest message
    /// first, an exchange the newest, as RabbitMQ does it.
    pub(in crate::vhost) fn replay(
        self: &Arc<Self>,
        destination: &Destination,
        mut recent: Vec<Kept>,
        effects: &mut Effects,
    ) {
        if recent.is_empty() {
            return;
        }
        match destination {
            Destination::Queue(queue) => {
                let mut messages = recent.into_iter().map(Kept::into_message).collect();
                let queues = [Arc::clone(queue)];
                let nobody = |_, _, _| {};
                self.enqueue(
                    Origin::Broker,
                    &queues,
                    &mut messages,
                    effects,
                    persist::nothing,
                    nobody,
                );
            }
            Destination::Exchange(exchange) => {
                recent.reverse();
                self.send(exchange, recent, Pass::Publish, effects);
            }
        }
    }
}

impl Sleeper for Exchange {
    type Host = VirtualHost;

    fn wake(self: Arc<Self>, host: &Arc<VirtualHost>) {
        let mut effects = Effects::new();
        host.release(&self, &mut effects);
        host.run(&mut effects);
    }

    fn is_gone(&self) -> bool {
        self.delays().is_none_or(Delays::is_over)
    }

    fn waiting(&self, host: &VirtualHost) -> Option<Waiting> {
        let names = [host.name().as_str(), self.name().as_str()];
        let delayed = host.delayed(self).into_iter().take(TOLD_MAX);
        let due = delayed.map(|delayed| ("a delayed message is sent on", delayed.due));
        Some(Waiting::new("exchange", names, due))
    }
}

/// Delayed messages whose times are told.
const TOLD_MAX: usize = 100;
