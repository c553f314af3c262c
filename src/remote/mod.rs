//! Other brokers, and this one seen from outside: connections by the client lapin, and what uses
//! them by itself, such as shovels.

#[cfg(feature = "remote")]
pub(crate) mod connect;
#[cfg(feature = "remote")]
mod runtime;
#[cfg(feature = "remote")]
pub(crate) mod shovel;
#[cfg(feature = "remote")]
mod stream;
pub(crate) mod tasks;
#[cfg(feature = "remote")]
mod tls;
