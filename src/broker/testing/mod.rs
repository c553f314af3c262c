//! What tests do with a broker: move its clock, crash it, decide who gets what, look into it, wait
//! for it.

pub(crate) mod crash;
mod explain;
pub(crate) mod hold;
pub(crate) mod inspect;
pub(crate) mod queue;
pub(crate) mod snapshot;
mod time;
pub(crate) mod wait;
