//! The store: what the broker asks of a medium.

use bytes::Bytes;

use crate::batch::Batch;
use crate::error::Result;
use crate::key::{Key, Prefix};

/// Entries that [`scan`] asks for at a time.
pub const SCAN_PAGE: usize = 1024;

/// Stands for a commit. Receipts of one store ascend in the order of its commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(u64);

impl Receipt {
    /// Before the first commit.
    pub const NONE: Self = Self(0);

    /// The receipt of the commit with this number, counted from 1. For implementations of
    /// [`Store`].
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The commit's number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A key and its record.
pub type Entry = (Key, Bytes);

/// Keeps records under keys. One broker at a time uses a store, from any number of threads.
pub trait Store: Send + Sync {
    /// Makes all changes of a batch, or none. They are visible to every call that begins after
    /// this one returns, and survive a crash once [`Store::durable`] has reached the receipt. Of
    /// the commits that are not durable a crash keeps a first part, in order, whole batches each.
    ///
    /// # Errors
    /// If nothing of the batch was done: [`Error::Io`](crate::Error::Io), or
    /// [`Error::Failed`](crate::Error::Failed) after a flush that failed.
    fn commit(&self, batch: Batch) -> Result<Receipt>;

    /// Makes every commit durable that returned before this call; tells how far that reaches.
    /// Blocks for as long as the medium takes.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the medium cannot tell what it holds. There is no second
    /// try, which could succeed although octets were lost: from then on commits and flushes fail
    /// with [`Error::Failed`](crate::Error::Failed).
    fn flush(&self) -> Result<Receipt>;

    /// Does what may be done after those were told who waited for a flush. Without it nothing is
    /// lost.
    ///
    /// # Errors
    /// If the medium fails.
    fn write_back(&self) -> Result<()> {
        Ok(())
    }

    /// The last commit that is durable. Never goes back.
    fn durable(&self) -> Receipt;

    /// The record of a key, if there is one.
    ///
    /// # Errors
    /// If the medium fails.
    fn get(&self, key: &Key) -> Result<Option<Bytes>>;

    /// Up to `max` entries with the prefix, in the order of their keys, from the first one that
    /// comes after `after`. Fewer than `max` means that there are no more. Most callers want
    /// [`scan`].
    ///
    /// # Errors
    /// If the medium fails, or holds something else than keys.
    fn scan_page(&self, prefix: &Prefix, after: Option<&Key>, max: usize) -> Result<Vec<Entry>>;
}

/// All entries with the prefix in the order of their keys, read by pages of [`SCAN_PAGE`]. What is
/// committed meanwhile may or may not be among them. Ends after the first error.
pub fn scan(store: &dyn Store, prefix: Prefix) -> Scan<'_> {
    Scan { store, prefix, page: Vec::new().into_iter(), last: None, ended: false }
}

/// Iterator of [`scan`].
pub struct Scan<'a> {
    store: &'a dyn Store,
    prefix: Prefix,
    page: std::vec::IntoIter<Entry>,
    last: Option<Key>,
    ended: bool,
}

impl Scan<'_> {
    fn turn_page(&mut self) -> Result<()> {
        let page = self.store.scan_page(&self.prefix, self.last.as_ref(), SCAN_PAGE)?;
        self.ended = page.len() < SCAN_PAGE;
        self.last = page.last().map(|(key, _)| key.clone());
        self.page = page.into_iter();
        Ok(())
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0
            && !self.ended
            && let Err(error) = self.turn_page()
        {
            self.ended = true;
            return Some(Err(error));
        }
        self.page.next().map(Ok)
    }
}
