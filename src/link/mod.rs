//! Links to other brokers that work by themselves, without the connections: what they are told to
//! do, what they are in the middle of, and how they fare. Who connects is in `src/remote/`.

pub(crate) mod federation;
pub(crate) mod properties;
pub(crate) mod shovel;
mod validation;
