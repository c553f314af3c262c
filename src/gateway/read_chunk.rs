//! Where octets fresh from a socket are for a moment: what is not used at once is kept elsewhere.

use std::cell::RefCell;

use crate::limits::READ_CHUNK_BYTES;

thread_local! {
    static CHUNK: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_CHUNK_BYTES]);
}

/// Hands the buffer of this thread to `read`.
pub(super) fn with<R>(read: impl FnOnce(&mut [u8]) -> R) -> R {
    CHUNK.with_borrow_mut(|chunk| read(chunk))
}
