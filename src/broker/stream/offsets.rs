//! The offsets that a stream keeps by a name: listed, set and forgotten.

use crate::broker::stream::handle::StreamHandle;
use crate::error::Result;

impl StreamHandle {
    /// The offsets that are kept by a name, in the order of names: the last message that whoever
    /// bears it has done with.
    pub fn offsets(&self) -> Vec<(String, u64)> {
        self.log.stored_offsets()
    }

    /// The offset that is kept by a name; `None` if there is none.
    pub fn offset(&self, name: &str) -> Option<u64> {
        self.log.stored_offset(name)
    }

    /// Keeps an offset by a name, whatever was kept before, and waits until that is durable: the
    /// next reader or consumer of this name goes on with the message behind it. Those who read
    /// already go on where they are. Errors: 406 for a name that is empty or over 255 octets.
    pub fn set_offset(&self, name: &str, offset: u64) -> Result<()> {
        self.present()?.set_offset(name, Some(offset))
    }

    /// Forgets the offset of a name: its next reader or consumer begins where it wants to. Errors:
    /// as [`StreamHandle::set_offset`].
    pub fn reset_offset(&self, name: &str) -> Result<()> {
        self.present()?.set_offset(name, None)
    }
}
