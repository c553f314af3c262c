//! Where the deliveries of embedded consumers lie, until the program takes them.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Waker;

use crate::base::lock::{Condvar, Mutex};
use crate::base::names::ConsumerTag;
use crate::base::rank;
use crate::base::wake::{Wake, Wakeups};
use crate::channel::output::Outgoing;
use crate::embedded::untaken::Untaken;
use crate::message::Message;
use crate::queue::consumers::Held;

/// A delivery that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub delivery_tag: u64,
    pub redelivered: bool,
    pub delivery_count: Option<u32>,
    pub message: Message,
    /// Octets that had come before, of those that [count](Contents::arrived).
    pub(super) before: u64,
}

/// The deliveries of one consumer, in the mailbox of its channel: where they lie, and how to wake
/// who waits for them.
pub(super) struct Inbox {
    pub(super) place: usize,
    pub(super) arrived: Condvar,
    pub(super) waker: Mutex<Option<Waker>, rank::Inbox>,
}

impl Wake for Inbox {
    fn wake(&self) {
        let waker = self.waker.lock().take();
        self.arrived.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What lies in an inbox.
pub(super) struct Contents {
    pub(super) inbox: Arc<Inbox>,
    pub(super) waiting: VecDeque<Waiting>,
    /// Octets that have come, if they count as long as they wait.
    pub(super) arrived: Option<u64>,
    /// Nothing more comes.
    pub(super) ended: bool,
    /// Somebody is to be woken when something comes.
    pub(super) awaited: bool,
}

impl Contents {
    /// Octets that wait and count.
    pub(super) fn octets(&self) -> usize {
        match (self.arrived, self.waiting.front()) {
            (Some(arrived), Some(first)) => (arrived - first.before) as usize,
            _ => 0,
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.ended
    }

    /// Whether it is idle: then who asks is to be woken.
    pub(super) fn awaits(&mut self) -> bool {
        self.awaited |= self.is_idle();
        self.is_idle()
    }
}

/// The inboxes of a channel.
#[derive(Default)]
pub(super) struct Inboxes {
    pub(super) places: Vec<Option<Contents>>,
    /// Places that are free.
    pub(super) free: Vec<usize>,
    /// Those that deliveries come to.
    pub(super) open: HashMap<ConsumerTag, usize>,
    /// Where the last delivery went: mostly the next one does, too.
    pub(super) last: Option<(ConsumerTag, usize)>,
    pub(super) untaken: Untaken,
}

impl Inboxes {
    #[inline]
    fn find(&mut self, tag: &ConsumerTag) -> Option<&mut Contents> {
        let is_last = |last: &ConsumerTag| std::ptr::eq(last.as_str(), tag.as_str()) || last == tag;
        let place = match &self.last {
            Some((last, place)) if is_last(last) => *place,
            _ => self.look_up(tag)?,
        };
        self.places.get_mut(place)?.as_mut()
    }

    fn look_up(&mut self, tag: &ConsumerTag) -> Option<usize> {
        let place = *self.open.get(tag)?;
        self.last = Some((tag.clone(), place));
        Some(place)
    }

    /// The inbox that deliveries to this consumer come to.
    pub(super) fn known(&mut self, tag: &ConsumerTag) -> Option<Arc<Inbox>> {
        Some(Arc::clone(&self.find(tag)?.inbox))
    }

    /// Puts a delivery into its inbox, if there is one; tells how many octets of it count.
    #[inline]
    pub(super) fn put(
        &mut self,
        delivery: Outgoing<'_, impl Held>,
        wakeups: &mut Wakeups,
    ) -> Option<usize> {
        let contents = self.find(delivery.consumer_tag)?;
        let message = delivery.message.into_owned();
        let (mut before, mut octets) = (0, 0);
        if let Some(arrived) = &mut contents.arrived {
            octets = message.footprint();
            before = *arrived;
            *arrived += octets as u64;
        }
        contents.waiting.push_back(Waiting {
            delivery_tag: delivery.delivery_tag,
            redelivered: delivery.redelivered,
            delivery_count: delivery.delivery_count.map(NonZeroU32::get),
            message,
            before,
        });
        if std::mem::take(&mut contents.awaited) {
            wakeups.add(Arc::clone(&contents.inbox) as _);
        }
        Some(octets)
    }

    pub(super) fn at(&mut self, inbox: &Inbox) -> Option<&mut Contents> {
        self.places.get_mut(inbox.place)?.as_mut()
    }

    /// Nothing more comes for this consumer.
    pub(super) fn end(&mut self, tag: &ConsumerTag) -> Option<Arc<Inbox>> {
        let place = self.open.remove(tag)?;
        self.last = None;
        let contents = self.places.get_mut(place)?.as_mut()?;
        contents.ended = true;
        Some(Arc::clone(&contents.inbox))
    }
}
