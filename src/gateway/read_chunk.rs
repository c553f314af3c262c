//! Where octets fresh from a socket are for a moment: what is not used at once is kept elsewhere.

use std::cell::RefCell;

use crate::limits::{READ_CHUNK_BYTES, READ_SCARCE_BYTES};

thread_local! {
    static CHUNK: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_CHUNK_BYTES]);
}

/// Hands the buffer of this thread to `read`, a small part of it while memory is short.
pub(super) fn with<R>(is_short: bool, read: impl FnOnce(&mut [u8]) -> R) -> R {
    let octets = if is_short { READ_SCARCE_BYTES } else { READ_CHUNK_BYTES };
    CHUNK.with_borrow_mut(|chunk| read(chunk.get_mut(..octets).unwrap_or_default()))
}
