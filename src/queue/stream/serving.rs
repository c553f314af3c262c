//! Whoever's turn it is gets messages: its cursor is taken out, and handed back with what was read.

use std::sync::Arc;

use crate::limits::STREAM_READ_MESSAGES;
use crate::queue::consumers::{Claimed, ConsumerId, Outlet, Reserved};
use crate::queue::stream::cursor::{Cursor, Read};
use crate::queue::stream::readers::{Outstanding, Readers};
use crate::time::clock::Timestamp;

/// Somebody who is to be read for.
pub(crate) struct Turn {
    pub consumer: ConsumerId,
    pub cursor: Box<Cursor>,
    /// Messages, at most.
    pub max: usize,
    /// It has to go behind what was acknowledged by this name first.
    pub seek: Option<Arc<str>>,
}

impl Readers {
    /// Takes somebody out who takes messages, whose turn was the longest ago, of a stream that is
    /// committed up to an offset.
    pub(crate) fn next_turn(&mut self, committed: u64) -> Option<Turn> {
        let held = self.hold.unwrap_or(usize::MAX);
        if held == 0 {
            return None;
        }
        let at = self.line.next(committed)?;
        let reader = self.slots.get_mut(at)?.as_mut()?;
        let max = reader.room().min(STREAM_READ_MESSAGES).min(held);
        let cursor = reader.cursor.take()?;
        let seek = std::mem::take(&mut reader.seeks).then(|| reader.name()).flatten();
        let consumer = reader.id;
        self.review(consumer);
        Some(Turn { consumer, cursor, max, seek })
    }

    /// Takes back a cursor with what was read by it, of a stream that was committed up to an offset
    /// before. What the consumer takes is in `deliveries`.
    pub(crate) fn hand_over(
        &mut self,
        turn: Turn,
        read: Vec<Read>,
        committed: u64,
        now: Timestamp,
        deliveries: &mut Vec<Claimed>,
    ) -> Option<Arc<dyn Outlet>> {
        let Turn { consumer, mut cursor, max, .. } = turn;
        let hold = self.hold;
        let (mut delivered, mut next) = (self.delivered, Vec::new());
        let reader = self.get_mut(consumer)?;
        reader.at_end = (read.is_empty() && !reader.seeks).then_some(committed);
        let room = reader.room().min(max);
        // It may have had to stop meanwhile.
        let may_read = reader.standing.reads() && !reader.seeks;
        let room = if may_read { room.min(hold.unwrap_or(usize::MAX)) } else { 0 };
        let (mut taken, mut after) = (0, None);
        for read in read.into_iter().take(room) {
            if reader.spec.outlet.reserve(false) == Reserved::Nothing {
                reader.waits_for_room = true;
                break;
            }
            after = Some(read.after);
            taken += 1;
            delivered += 1;
            reader.unacked += 1;
            if let Some((_, progress)) = &mut reader.progress {
                progress.delivered(read.offset);
            }
            next.push(Outstanding {
                consumer,
                channel: reader.spec.channel,
                offset: read.offset,
                octets: read.message.body_len() as u64,
                delivered_at: now,
            });
            deliveries.push(Claimed {
                slot: consumer.slot,
                source: reader.spec.source,
                id: delivered,
                entry: Some(read.into_entry()),
            });
        }
        if let Some(after) = after {
            cursor.advance(after);
        }
        reader.cursor = Some(cursor);
        let (outlet, timeout_ms) = (Arc::clone(&reader.spec.outlet), reader.spec.timeout_ms);
        self.review(consumer);
        self.hold = hold.map(|left| left.saturating_sub(taken));
        if taken > 0 {
            self.overdue.note_delivery(timeout_ms, now);
        }
        for outstanding in next {
            self.delivered += 1;
            self.counted.totals.deliver += 1;
            self.counted.unacked.all.add(1, outstanding.octets);
            self.outstanding.push(self.delivered, outstanding);
        }
        self.count_use(now);
        Some(outlet)
    }
}
