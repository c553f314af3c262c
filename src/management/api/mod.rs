//! What the API does, a file for each noun.

pub mod bindings;
pub mod channels;
pub mod connections;
pub mod consumers;
mod counted;
mod declaring;
pub mod definitions;
pub mod exchanges;
pub mod features;
pub mod health;
mod idle;
pub mod limits;
pub mod login;
pub mod messages;
pub mod nodes;
pub mod overview;
pub mod parameters;
pub mod permissions;
pub mod policies;
mod properties;
pub mod queues;
mod ranges;
pub mod references;
pub mod topic_permissions;
pub mod users;
pub mod vhosts;
pub mod whoami;
