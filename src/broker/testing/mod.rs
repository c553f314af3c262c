//! What tests do with a broker: crash it, decide who gets what, look into it, wait for it.

pub(crate) mod crash;
mod explain;
pub(crate) mod hold;
pub(crate) mod inspect;
pub(crate) mod queue;
pub(crate) mod snapshot;
pub(crate) mod wait;
