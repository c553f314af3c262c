//! Holding a queue: it takes publishes, and gives out what it is told to, in the order in which it
//! is told.

use std::collections::VecDeque;

use crate::queue::consumers::{Consumer, ConsumerId, Consumers};

/// Who may have the next message of a held queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Whoever is next, so many times.
    Anybody(usize),
    /// This consumer, once.
    Consumer(ConsumerId),
}

/// What a held queue was told to give out and could not yet, for lack of messages or because
/// whoever is to have one does not take it now.
#[derive(Debug, Default)]
pub struct Hold(VecDeque<Turn>);

impl Hold {
    /// The next `count` messages go to whoever is next.
    pub fn release(&mut self, count: usize) {
        match self.0.back_mut() {
            Some(Turn::Anybody(left)) => *left = left.saturating_add(count),
            _ if count > 0 => self.0.push_back(Turn::Anybody(count)),
            _ => {}
        }
    }

    /// The message after those goes to this consumer.
    pub fn release_to(&mut self, consumer: ConsumerId) {
        self.0.push_back(Turn::Consumer(consumer));
    }

    /// A consumer is gone, and what it was to have stays.
    pub fn forget(&mut self, consumer: ConsumerId) {
        self.0.retain(|turn| *turn != Turn::Consumer(consumer));
    }

    /// Whether the next message may go to basic.get.
    pub fn lets_anybody(&self) -> bool {
        matches!(self.0.front(), Some(Turn::Anybody(_)))
    }

    /// The next message has gone out.
    pub fn count_taken(&mut self) {
        match self.0.front_mut() {
            Some(Turn::Anybody(left)) if *left > 1 => *left -= 1,
            _ => drop(self.0.pop_front()),
        }
    }

    /// The consumer of the next message, if it may have one and takes it.
    pub(in crate::queue) fn choose<'a>(
        &mut self,
        consumers: &'a mut Consumers,
    ) -> Option<&'a mut Consumer> {
        let chosen = match *self.0.front()? {
            Turn::Anybody(_) => consumers.next()?,
            Turn::Consumer(id) => consumers.choose(id)?,
        };
        self.count_taken();
        Some(chosen)
    }
}
