//! Delayed messages, for who runs the broker: seen, cancelled, and released before their time.

use std::collections::HashSet;
use std::sync::Arc;

use crate::message::Message;
use crate::queue::effects::Effects;
use crate::time::clock::Timestamp;
use crate::vhost::VirtualHost;
use crate::vhost::flow::kept::Kept;
use crate::vhost::flow::route::Pass;
use crate::vhost::topology::exchange::Exchange;

/// A message that an exchange keeps until it is due.
pub(crate) struct Delayed {
    /// Its number, which no other message of the exchange has as long as the broker runs.
    pub number: u64,
    /// When it is due.
    pub due: Timestamp,
    /// The message.
    pub message: Message,
}

impl VirtualHost {
    /// The messages that an exchange keeps until they are due, the next one first; none if it does
    /// not delay.
    pub(crate) fn delayed(&self, exchange: &Exchange) -> Vec<Delayed> {
        let Some(delays) = exchange.delays() else { return Vec::new() };
        let all = delays.numbered().into_iter();
        all.map(|(due, number, message)| Delayed { number, due, message }).collect()
    }

    /// Drops some of them; tells how many there were.
    pub(crate) fn cancel_delayed(
        &self,
        exchange: &Exchange,
        numbers: &HashSet<u64>,
        effects: &mut Effects,
    ) -> usize {
        let taken = take(exchange, numbers, effects);
        for number in taken.iter().filter_map(Kept::stored_number) {
            effects.note_gone(exchange.store_id, number);
        }
        taken.len()
    }

    /// Routes some of them now; tells how many there were.
    pub(crate) fn release_delayed(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        numbers: &HashSet<u64>,
        effects: &mut Effects,
    ) -> usize {
        let Some(delays) = exchange.delays() else { return 0 };
        let _turn = delays.turn.lock();
        let taken = take(exchange, numbers, effects);
        let (count, stored) = (taken.len(), taken.iter().filter_map(Kept::stored_number));
        let stored: Vec<u64> = stored.collect();
        self.send(exchange, taken, Pass::Due, effects);
        // Their queues have them by now.
        stored.iter().for_each(|number| effects.note_moved(exchange.store_id, *number));
        self.run_without_waking(effects);
        count
    }
}

fn take(exchange: &Exchange, numbers: &HashSet<u64>, effects: &mut Effects) -> Vec<Kept> {
    let Some(delays) = exchange.delays() else { return Vec::new() };
    let taken = delays.take(numbers);
    effects.footprint -= taken.iter().map(Kept::footprint).sum::<usize>() as isize;
    taken
}
