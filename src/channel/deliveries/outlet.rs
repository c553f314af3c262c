//! What queues, replies and lists see of a channel's deliveries.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use crate::base::wake::Wakeups;
use crate::channel::counted::{Counted, Listed};
use crate::channel::deliveries::sources::Source;
use crate::channel::deliveries::{CLOSED, Deliveries, FORGOTTEN};
use crate::channel::output::{Outgoing, Run, Tagged};
use crate::channel::status::ChannelStatus;
use crate::insight::statistics::tally::Tally;
use crate::insight::statistics::totals::ChannelTotals;
use crate::message::Message;
use crate::queue::consumers::{Delivery, Outlet, Passing, Reserved};
use crate::queue::fifo::entry::Entry;
use crate::time::clock::Timestamp;
use crate::vhost::flow::reply_to::ReplyOutlet;

impl Listed for Deliveries {
    fn counted(&self) -> &Counted {
        &self.counted
    }

    fn status(&self) -> ChannelStatus {
        let counted = &self.counted;
        let state = self.state.lock();
        let is_consumer = |source: &&Source| source.is_consumer && !source.ended;
        let consumers = state.sources.iter().flatten().filter(is_consumer).count();
        let (delivered, unacked) = (state.delivered, state.unacked.len());
        let replies = usize::from(state.reply_consumer.is_some());
        drop(state);
        let count = |tally: &Tally| usize::try_from(tally.get()).unwrap_or(usize::MAX);
        ChannelStatus {
            id: counted.id,
            mode: counted.mode(),
            opened_at: counted.opened_at,
            active_at: Timestamp::from_micros(counted.published.active_at_us.get()),
            prefetch_count: u32::try_from(counted.published.prefetch_count.get()).unwrap_or(0),
            global_prefetch_count: match self.limit.load(Ordering::SeqCst) {
                CLOSED => 0,
                limit => limit,
            },
            consumers: consumers + replies,
            messages_unacknowledged: unacked,
            messages_unconfirmed: counted.unconfirmed(),
            messages_uncommitted: count(&counted.published.uncommitted),
            acks_uncommitted: count(&counted.published.acks_uncommitted),
            messages: counted.measured(counted.totals(delivered)),
        }
    }

    fn totals(&self) -> ChannelTotals {
        let delivered = self.state.lock().delivered;
        self.counted.totals(delivered)
    }
}

impl Outlet for Deliveries {
    fn reserve(&self, no_ack: bool) -> Reserved {
        let reserved = self.try_reserve(no_ack);
        if reserved != Reserved::Nothing {
            return reserved;
        }
        self.starved.store(true, Ordering::SeqCst);
        // Room may have come up before the note was there to be seen.
        self.try_reserve(no_ack)
    }

    fn deliver(&self, deliveries: Passing<'_>, wakeups: &mut Wakeups) {
        if self.is_watched() {
            return match deliveries {
                Passing::Given(given) => self.deliver_watched(given, wakeups),
                Passing::Shown(shown) => self.deliver_watched(shown, wakeups),
            };
        }
        let mut state = self.state.lock();
        let tagger = state.tagger();
        let run = match deliveries {
            Passing::Given(given) => Run::Given(Tagged { deliveries: given, tagger }),
            Passing::Shown(shown) => Run::Shown(Tagged { deliveries: shown, tagger }),
        };
        self.output.deliver(run, wakeups);
    }

    fn deliver_one(&self, delivery: Delivery<Cow<'_, Entry>>, wakeups: &mut Wakeups) {
        if self.is_watched() {
            return self.deliver_watched([delivery], wakeups);
        }
        let mut state = self.state.lock();
        if let Some(outgoing) = state.tagger().tag(delivery) {
            self.output.deliver_one(outgoing, wakeups);
        }
    }

    fn forget_deliveries(&self, source: u32) {
        let mut state = self.state.lock();
        let of_source = state.unacked.values_mut().filter(|unacked| unacked.source == source);
        let mut count = 0;
        for unacked in of_source {
            count += u32::from(std::mem::replace(&mut unacked.id, FORGOTTEN) != FORGOTTEN);
        }
        count += state.drop_held(source);
        state.credit.release(count);
    }

    fn acknowledgement_timed_out(&self, timeout_ms: u64) {
        self.output.acknowledgement_timed_out(timeout_ms);
    }

    fn cancelled(&self, source: u32, wakeups: &mut Wakeups) {
        let state = self.state.lock();
        // The number may be another consumer's by now, of a queue that is there.
        let known = state.sources.get(source);
        let known = known.filter(|known| known.queue.is_deleted() && !known.ended);
        let tag = known.map(|known| known.tag.clone());
        drop(state);
        let Some(tag) = tag else { return };
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        self.end_consumer(source, &tag);
        if self.cancel_notify {
            self.output.cancel(&tag, wakeups);
        }
    }
}

impl ReplyOutlet for Deliveries {
    fn reply(&self, message: &Message, wakeups: &mut Wakeups) -> bool {
        let Some(tag) = self.state.lock().reply_consumer.clone() else { return false };
        if !self.output.has_room_for_reply() {
            return false;
        }
        // RabbitMQ numbers every direct reply 1; there is nothing to acknowledge.
        let reply = Outgoing {
            consumer_tag: &tag,
            delivery_tag: 1,
            redelivered: false,
            delivery_count: None,
            message: Cow::Borrowed(message),
        };
        self.output.deliver_one(reply, wakeups);
        true
    }
}
