//! What the API does, a file for each noun.

pub(super) mod bindings;
pub(super) mod channels;
pub(super) mod connections;
pub(super) mod consumers;
mod contexts;
mod counted;
pub(super) mod declaring;
pub(super) mod definitions;
pub(super) mod exchanges;
pub(super) mod features;
#[cfg(feature = "remote")]
pub(super) mod federation;
pub(super) mod health;
mod idle;
pub(super) mod limits;
pub(super) mod login;
pub(super) mod messages;
pub(super) mod nodes;
pub(super) mod overview;
pub(super) mod own;
pub(super) mod parameters;
pub(super) mod permissions;
pub(super) mod policies;
mod properties;
pub(super) mod queues;
mod ranges;
pub(super) mod references;
#[cfg(feature = "remote")]
pub(super) mod shovels;
pub(super) mod streams;
pub(super) mod topic_permissions;
pub(super) mod users;
pub(super) mod vhosts;
pub(super) mod whoami;
