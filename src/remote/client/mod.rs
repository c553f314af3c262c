//! Another broker as the embedded API's place: a connection that comes again when it is lost, with
//! what was declared, its consumers, and what was published and not confirmed.
//!
//! A channel does what is asked of it by one of two channels of AMQP: `main` publishes and
//! consumes, and what may be refused, such as a declaration, goes by `side`, which an error may
//! close.

mod book;
mod channel;
mod connection;
mod consuming;
mod error;
mod publishing;
mod topology;

pub(crate) use self::channel::RemoteChannel;
pub(crate) use self::connection::RemoteConnection;
pub(crate) use self::publishing::Outbound;
pub(crate) use self::topology::{Binding, Bound};
