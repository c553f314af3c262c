//! What of the model's queue is in the store alone.

use super::*;
use crate::queue::fifo::paging;

impl World {
    pub(super) fn page_out(&mut self, max: usize) -> Checked {
        let unstored: Vec<u64> = self.state.to_store().iter().map(|found| found.0).collect();
        for sequence in &unstored {
            let item = self.items.get_mut(sequence);
            item.expect("it was published").stored = true;
        }
        self.state.note_stored(unstored, &mut self.effects);
        let from = self.state.first_to_page_out().unwrap_or(u64::MAX);
        let written = self.items.range(from..).filter(|(_, item)| item.stored);
        let written: Vec<u64> = written.map(|(number, _)| *number).take(max).collect();
        self.state.page_out(&written, |_| {});
        Ok(())
    }

    /// Brings messages back; tells whether there were any.
    pub(super) fn page_in(&mut self) -> Result<bool, TestCaseError> {
        let Some(wanted) = self.state.wanted() else {
            prop_assert!(!self.state.head_is_paged(), "what is next is wanted");
            return Ok(false);
        };
        // Sometimes less is read than is wanted.
        let max = 1 + self.items.len() % 5;
        let messages = wanted.sequences.iter().take(max).map(|sequence| {
            let item = self.items.get(sequence)?;
            assert!(item.stored && item.place == Place::Ready, "{sequence} is in the store");
            Some(paging::PagedIn { message: item.message.clone(), expires_at: item.expires_at })
        });
        let messages = messages.collect();
        self.state.page_in(&wanted, messages, self.now, &mut self.effects);
        self.absorb(None)?;
        Ok(true)
    }

    /// What the store need not keep any more has left, and is told once.
    pub(super) fn forget_gone(&mut self) -> Checked {
        for gone in std::mem::take(&mut self.effects.gone) {
            prop_assert_eq!(gone.queue, STORAGE.id);
            for number in gone.first..=gone.last {
                let item = self.items.get_mut(&number).expect("it was published");
                prop_assert!(item.stored, "{number} is gone from the store, once");
                item.stored = false;
                let left = matches!(item.place, Place::Gone(_));
                prop_assert!(left, "{number} is gone from the store and not from the queue");
            }
        }
        let kept = self.items.iter().filter(|(_, item)| item.stored);
        let mut left = kept.filter(|(_, item)| matches!(item.place, Place::Gone(_)));
        prop_assert_eq!(left.next().map(|(number, _)| number), None, "what has left is gone");
        Ok(())
    }
}
