//! Server side of AMQP 0-9-1 without sockets, clocks or tasks.
//!
//! [`Connection`] turns octets into events and answers into octets. Frames and everything that
//! each message needs are read and written here, in place; other methods and field tables are left
//! to `amq-protocol`.

pub mod constants;
pub mod decoder;
pub mod error;
pub mod frame;
pub mod method;
pub mod properties;
pub mod reply_code;
pub mod sasl;
pub mod table;

#[doc(hidden)]
pub mod fuzz;

mod channel;
mod config;
mod connection;
mod content;
mod encoder;
mod event;
mod output;
mod reader;
mod timer;
mod tune;

pub use amq_protocol::protocol::AMQPClass;

pub use config::{ClientCapabilities, ConnectionConfig, server_capabilities};
pub use connection::{Connection, Finish};
pub use content::ContentHeader;
pub use encoder::{BodyRef, Message};
pub use error::ConnectionError;
pub use event::{Body, Closed, Event, Publish};
pub use output::{Output, SHARED_OCTETS_MIN};
pub use properties::{Change, Changes, RawProperties};
pub use tune::{TuneError, Tuning};
