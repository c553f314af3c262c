//! Where the deliveries of a channel come from: its consumers, and queues that are polled.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::names::ConsumerTag;
use crate::queue::Queue;

/// A consumer, or a queue that is polled.
pub(super) struct Source {
    pub(super) queue: Arc<Queue>,
    pub(super) tag: ConsumerTag,
    /// Whether the queue is a quorum queue.
    pub(super) is_quorum: bool,
    pub(super) is_consumer: bool,
    /// The consumer is gone; only deliveries that are not settled still refer to it.
    pub(super) ended: bool,
    /// Deliveries that are not settled.
    unacked: Cell<usize>,
}

impl Source {
    pub(super) fn count_delivery(&self) {
        self.unacked.set(self.unacked.get() + 1);
    }

    pub(super) fn settle(&self, count: usize) {
        self.unacked.set(self.unacked.get().saturating_sub(count));
    }

    /// Whether nothing refers to it any more.
    fn is_finished(&self) -> bool {
        self.unacked.get() == 0 && (self.ended || !self.is_consumer)
    }
}

/// All of them, by number. A number is used again when its source is finished; finding one takes
/// as long however many there are.
#[derive(Default)]
#[repr(C)]
pub(super) struct Sources {
    /// Most channels have one.
    places: SmallVec<[Option<Source>; 1]>,
    /// The one that was polled last: it stays when it is finished, as it is likely to be the next.
    last_polled: Option<u32>,
    free: Vec<u32>,
    /// Those that are polled, by the address of their queue, which each of them keeps.
    polled: HashMap<usize, u32>,
}

impl Sources {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&Source>> {
        self.places.iter().map(Option::as_ref)
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Source> {
        self.places.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Source> {
        self.places.get_mut(number as usize)?.as_mut()
    }

    /// A consumer has come.
    pub(super) fn add_consumer(&mut self, queue: Arc<Queue>, tag: ConsumerTag) -> u32 {
        self.add(queue, tag, true)
    }

    fn add(&mut self, queue: Arc<Queue>, tag: ConsumerTag, is_consumer: bool) -> u32 {
        let (is_quorum, ended, unacked) = (queue.is_quorum(), false, Cell::new(0));
        let source = Source { queue, tag, is_quorum, is_consumer, ended, unacked };
        if let Some(number) = self.free.pop()
            && let Some(place) = self.places.get_mut(number as usize)
        {
            *place = Some(source);
            return number;
        }
        self.places.push(Some(source));
        u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
    }

    /// A queue is polled.
    pub(super) fn poll(&mut self, queue: &Arc<Queue>) -> u32 {
        if let Some(last) = self.last_polled {
            if self.get(last).is_some_and(|source| Arc::ptr_eq(&source.queue, queue)) {
                return last;
            }
            self.last_polled = None;
            self.forget_if_finished(last);
        }
        let address = Arc::as_ptr(queue).addr();
        let number = match self.polled.get(&address) {
            Some(&number) => number,
            None => {
                let number = self.add(Arc::clone(queue), ConsumerTag::from(""), false);
                self.polled.insert(address, number);
                number
            }
        };
        self.last_polled = Some(number);
        number
    }

    /// Deliveries of one were settled; tells whether it is a consumer.
    #[inline]
    pub(super) fn settle(&mut self, number: u32, count: usize) -> bool {
        let Some(source) = self.get(number) else { return false };
        source.settle(count);
        let is_consumer = source.is_consumer;
        self.forget_if_finished(number);
        is_consumer
    }

    /// Gives its number to others if nothing refers to it any more.
    pub(super) fn forget_if_finished(&mut self, number: u32) {
        let Some(place) = self.places.get_mut(number as usize) else { return };
        let is_last = self.last_polled == Some(number);
        let Some(source) = place.take_if(|source| source.is_finished() && !is_last) else { return };
        if !source.is_consumer {
            self.polled.remove(&Arc::as_ptr(&source.queue).addr());
        }
        self.free.push(number);
    }
}
