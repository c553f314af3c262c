//! Messages that leave one place in the store for another, with one write.

use leveret_storage::Target;

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
