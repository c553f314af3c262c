//! What a channel keeps the books of: deliveries that are not settled, and publishes that are not
//! confirmed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::error::{Error, Result};
use crate::message::Message;
use crate::remote::client::publishing::Sent;

/// The books of one channel. Delivery tags go on over lost connections: they are those of the
/// other broker, and what came before.
#[derive(Default)]
pub(super) struct Book {
    /// How often the channel was opened: what an earlier one delivers comes again.
    pub epoch: u64,
    /// Publishes that there were.
    pub last_id: u64,
    /// The last delivery tag before the channel was opened.
    offset: u64,
    last: u64,
    unacked: BTreeSet<u64>,
    /// Of channels that are lost: they are the other broker's again.
    stale: BTreeSet<u64>,
    /// What was published and is not confirmed, the oldest first.
    pub outstanding: VecDeque<Sent>,
    /// Why the channel was closed, if one of these was the reason.
    pub refused: Option<Error>,
    /// What came back, by the numbers of the publishes.
    pub returned: HashMap<u64, Message>,
}

impl Book {
    /// The channel is lost, and opened anew; its epoch.
    pub(super) fn reopen(&mut self) -> u64 {
        self.stale.append(&mut self.unacked);
        self.offset = self.last;
        self.epoch += 1;
        self.epoch
    }

    /// A delivery has come; its tag here.
    pub(super) fn deliver(&mut self, tag: u64, is_settled: bool) -> u64 {
        let tag = self.offset + tag;
        self.last = self.last.max(tag);
        if !is_settled {
            self.unacked.insert(tag);
        }
        tag
    }

    /// Settles a delivery, or all up to it; its tag there, if the other broker is to be told.
    ///
    /// # Errors
    /// 406 if it is not known, or was settled before.
    pub(super) fn settle(&mut self, tag: u64, multiple: bool) -> Result<Option<u64>> {
        if tag == 0 && multiple {
            let last = self.unacked.last().map(|last| last - self.offset);
            self.unacked.clear();
            self.stale.clear();
            return Ok(last);
        }
        let (is_open, is_stale) = (self.unacked.contains(&tag), self.stale.contains(&tag));
        if !is_open && !is_stale {
            return Err(Error::UnknownDeliveryTag(tag));
        }
        for tags in [&mut self.unacked, &mut self.stale] {
            match multiple {
                true => *tags = tags.split_off(&(tag + 1)),
                false => _ = tags.remove(&tag),
            }
        }
        Ok(is_open.then(|| tag - self.offset))
    }

    /// All that is not settled goes back.
    pub(super) fn give_back(&mut self) {
        self.unacked.clear();
        self.stale.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_on_over_lost_channels_and_what_is_stale_needs_no_word() {
        let mut book = Book::default();
        assert_eq!([book.deliver(1, false), book.deliver(2, false)], [1, 2]);
        assert_eq!(book.settle(1, false), Ok(Some(1)));
        assert_eq!(book.settle(1, false), Err(Error::UnknownDeliveryTag(1)));
        book.reopen();
        assert_eq!(book.deliver(1, false), 3);
        assert_eq!(book.settle(2, false), Ok(None));
        assert_eq!(book.settle(2, false), Err(Error::UnknownDeliveryTag(2)));
        assert_eq!(book.settle(3, false), Ok(Some(1)));
    }

    #[test]
    fn all_up_to_a_delivery_are_settled_over_channels() {
        let mut book = Book::default();
        book.deliver(1, false);
        book.reopen();
        book.deliver(1, false);
        book.deliver(2, true);
        assert_eq!(book.settle(3, true), Err(Error::UnknownDeliveryTag(3)));
        assert_eq!(book.settle(2, true), Ok(Some(1)));
        assert_eq!(book.settle(0, true), Ok(None));
    }
}
