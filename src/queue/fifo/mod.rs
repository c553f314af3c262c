//! Queues that give each message to one consumer: a pure machine (`state`), one file for each
//! policy.

mod capacity;
pub(crate) mod contents;
pub(in crate::queue) mod counted;
pub(crate) mod delivery_limit;
pub(crate) mod duplicates;
pub(crate) mod entry;
pub(crate) mod expires;
mod footprint;
mod handing_out;
pub(crate) mod holding;
mod level;
#[cfg(test)]
mod model;
pub(crate) mod overflow;
mod paged;
pub(crate) mod paging;
pub(crate) mod priority;
mod purging;
pub(crate) mod ready;
pub(crate) mod settling;
pub(crate) mod state;
mod taking;
mod totals;
pub(crate) mod ttl;
