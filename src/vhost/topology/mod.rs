//! What changes exchanges, queues, bindings and policies: under the lock of the topology.

pub(crate) mod bind;
pub(crate) mod declaration;
pub(crate) mod declare;
mod delete;
mod delete_host;
mod deprecated;
mod equivalence;
pub(crate) mod exchange;
pub(crate) mod policy;
mod policy_change;
mod policy_values;
mod records;
mod restore;
pub(crate) mod super_stream;
