//! What moves messages: no lock but that of one queue or exchange at a time.

pub(crate) mod dead_letter;
mod delayed;
pub(crate) mod enqueue;
mod expiry;
pub(crate) mod extension;
pub(crate) mod kept;
mod paging;
pub(crate) mod publish;
pub(crate) mod reply_to;
pub(crate) mod route;
pub(crate) mod streaming;
