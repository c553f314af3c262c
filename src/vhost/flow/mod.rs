//! What moves messages: no lock but that of one queue or exchange at a time.

pub(crate) mod dead_letter;
mod delayed;
#[cfg_attr(not(feature = "management"), allow(dead_code, reason = "the HTTP API alone moves them"))]
pub(crate) mod delayed_by_hand;
pub(crate) mod enqueue;
pub(crate) mod events;
mod expiry;
pub(crate) mod extension;
pub(crate) mod firehose;
pub(crate) mod kept;
#[cfg_attr(not(feature = "management"), allow(dead_code, reason = "the HTTP API alone moves them"))]
pub(crate) mod moving;
mod paging;
pub(crate) mod publish;
pub(crate) mod reply_to;
pub(crate) mod route;
pub(crate) mod streaming;
