//! What a channel counts, and what others may look at while it works.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::base::ids::ChannelId;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::channel::status::{ChannelMode, ChannelStatus};
use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::recent::Recent;
use crate::insight::statistics::tally::Tally;
use crate::insight::statistics::totals::ChannelTotals;
use crate::queue::fifo::entry::Entry;
use crate::time::clock::Timestamp;

/// An open channel, as its connection knows it.
pub(super) trait Listed: Send + Sync {
    /// What is counted of it.
    fn counted(&self) -> &Counted;

    /// What was counted until now.
    fn totals(&self) -> ChannelTotals;

    /// The channel at this moment.
    fn status(&self) -> ChannelStatus;
}

/// What is counted of a channel. Deliveries are counted under their own lock, see
/// [`Deliveries`](crate::channel::deliveries::Deliveries). What every message needs comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Counted {
    /// Under the lock of the confirms.
    pub settled: Settled,
    /// By whom the channel belongs to.
    pub published: Published,
    /// A [`ChannelMode`].
    mode: AtomicU8,
    pub id: ChannelId,
    pub opened_at: Timestamp,
    recent: Mutex<Recent<ChannelTotals>, rank::Rates>,
}

/// What only the owner of the channel counts: the task of its connection, or whoever has it
/// locked. What every message changes comes first.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Published {
    pub publish: Tally,
    pub publish_confirm: Tally,
    pub routed: Tally,
    /// When the client last did something, in microseconds.
    pub active_at_us: Tally,
    pub return_unroutable: Tally,
    pub drop_unroutable: Tally,
    pub get: Tally,
    pub get_no_ack: Tally,
    pub get_empty: Tally,
    pub get_redelivered: Tally,
    pub prefetch_count: Tally,
    /// Publishes that wait for a commit.
    pub uncommitted: Tally,
    /// Acknowledgements that wait for a commit.
    pub acks_uncommitted: Tally,
}

/// What consumers got, and the client acknowledged, under the lock of the deliveries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    deliver: u64,
    deliver_no_ack: u64,
    redeliver: u64,
    pub(super) ack: u64,
}

impl Delivered {
    /// A delivery; `id` is 0 if it needs no acknowledgement.
    #[inline]
    pub(super) fn count(&mut self, id: u64, entry: &Entry) {
        if id == 0 {
            self.deliver_no_ack += 1;
        } else {
            self.deliver += 1;
        }
        self.redeliver += u64::from(entry.redelivered);
    }
}

/// What the client was told of its publishes.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub confirmed: Tally,
    pub refused: Tally,
}

impl Counted {
    /// Of a channel that is opened now.
    pub(super) fn new(id: ChannelId, now: Timestamp) -> Self {
        let published = Published::default();
        published.active_at_us.set(now.as_micros());
        Self {
            id,
            opened_at: now,
            published,
            settled: Settled::default(),
            mode: AtomicU8::new(ChannelMode::Plain as u8),
            recent: Mutex::default(),
        }
    }

    /// The client does something.
    #[inline]
    pub(super) fn touch(&self, now: Timestamp) {
        self.published.active_at_us.set(now.as_micros());
    }

    /// Messages are published that go to so many queues each.
    #[inline]
    pub(super) fn count_publishes(&self, count: usize, queues: usize) {
        let published = &self.published;
        published.publish.add(count as u64);
        published.routed.add((count * queues) as u64);
        if self.mode() == ChannelMode::Confirm {
            published.publish_confirm.add(count as u64);
        }
    }

    /// A message is taken by basic.get.
    pub(super) fn count_get(&self, no_ack: bool, redelivered: bool) {
        let published = &self.published;
        if no_ack { &published.get_no_ack } else { &published.get }.add(1);
        published.get_redelivered.add(u64::from(redelivered));
    }

    /// So many publishes and acknowledgements wait for a commit.
    pub(super) fn count_uncommitted(&self, publishes: usize, acks: usize) {
        self.published.uncommitted.set(publishes as u64);
        self.published.acks_uncommitted.set(acks as u64);
    }

    /// What publishes are subject to from now on.
    pub(super) fn set_mode(&self, mode: ChannelMode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// What publishes are subject to.
    pub(super) fn mode(&self) -> ChannelMode {
        match self.mode.load(Ordering::Relaxed) {
            mode if mode == ChannelMode::Confirm as u8 => ChannelMode::Confirm,
            mode if mode == ChannelMode::Transaction as u8 => ChannelMode::Transaction,
            _ => ChannelMode::Plain,
        }
    }

    /// Publishes that wait for their confirm.
    pub(super) fn unconfirmed(&self) -> u64 {
        // What was settled first: more may be published meanwhile, but not less.
        let settled = self.settled.confirmed.get() + self.settled.refused.get();
        self.published.publish_confirm.get().saturating_sub(settled)
    }

    /// All of it, with what was `delivered`.
    pub(super) fn totals(&self, delivered: Delivered) -> ChannelTotals {
        let Delivered { deliver, deliver_no_ack, redeliver, ack } = delivered;
        let published = &self.published;
        ChannelTotals {
            publish: published.publish.get(),
            publish_confirm: published.publish_confirm.get(),
            routed: published.routed.get(),
            confirm: self.settled.confirmed.get(),
            return_unroutable: published.return_unroutable.get(),
            drop_unroutable: published.drop_unroutable.get(),
            deliver,
            deliver_no_ack,
            get: published.get.get(),
            get_no_ack: published.get_no_ack.get(),
            get_empty: published.get_empty.get(),
            ack,
            redeliver: redeliver + published.get_redelivered.get(),
        }
    }

    /// Totals with the rates that are known.
    pub(super) fn measured(&self, totals: ChannelTotals) -> Measured<ChannelTotals> {
        self.recent.lock().measured(totals)
    }

    /// Remembers the totals, for rates. See [`Recent::record`].
    pub(super) fn record(&self, now: Timestamp, totals: ChannelTotals, is_first: bool) {
        self.recent.lock().record(now, totals, is_first);
    }

    /// What the totals were. See [`Recent::samples`].
    pub(super) fn samples(&self, now: Timestamp, span: Span) -> Vec<Sample<ChannelTotals>> {
        self.recent.lock().samples(now, span)
    }
}
