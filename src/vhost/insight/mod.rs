//! What a virtual host tells: to the journal, of what is seldom meant, and why a message goes
//! where it goes.

pub(crate) mod bindings;
mod explain;
mod lint;
pub(crate) mod noting;
pub(crate) mod policies;
pub(crate) mod statistics;
mod telling;
