//! Messages that leave one place in the store for another, with one write.

use leveret_storage::Target;
use smallvec::SmallVec;

use crate::base::ids::StoreId;
use crate::message::Message;
use crate::message::stored::Gone;
use crate::persist::messages::Beside;
use crate::time::clock::Timestamp;

/// Where messages come from that are stored somewhere.
#[derive(Debug, Default)]
pub(crate) struct Moved<'a> {
    /// Where they are not any more.
    pub left: &'a [Gone],
    /// What is there from now on.
    pub stays: Option<Stays>,
}

impl<'a> From<&'a [Gone]> for Moved<'a> {
    fn from(left: &'a [Gone]) -> Self {
        Self { left, stays: None }
    }
}

/// Where messages of one publish begin in a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The sequence of the first of them.
    pub first: u64,
    /// Its offset, if they move to a stream, which has a log of its own, and are stored here until
    /// they are there.
    pub offset: Option<u64>,
}

/// For each queue of a publish.
pub(crate) type Places = SmallVec<[Place; 4]>;

/// A message that is stored for a stream until that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Staged {
    /// The offset that it has there.
    pub offset: u64,
    /// The sequence under which it is stored.
    pub sequence: u64,
}

/// A message that has not arrived everywhere and stays where it is, under another number, with
/// what is known of it now.
#[derive(Debug)]
pub(crate) struct Stays {
    /// Where.
    pub target: Target,
    /// The message.
    pub message: Message,
    /// When it expires there.
    pub expires: [(StoreId, Timestamp); 1],
}

impl Stays {
    /// What is stored beside it.
    pub(super) fn beside(&self) -> Beside<'_> {
        let [(_, at)] = self.expires;
        let deadlines = if at < Timestamp::NEVER { &self.expires[..] } else { &[] };
        Beside { deadlines, ..Beside::default() }
    }
}
