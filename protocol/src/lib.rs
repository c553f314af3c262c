//! Server side of AMQP 0-9-1 without sockets, clocks or tasks.
//!
//! [`Connection`] turns octets into events and answers into octets. Frames and everything that
//! each message needs are read and written here, in place; other methods and field tables are left
//! to `amq-protocol`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use leveret_protocol::{Connection, ConnectionConfig, Event, Output};
//!
//! /// Input from a socket, at this time of the owner's clock.
//! fn handle(connection: &mut Connection, mut input: &[u8], outbox: &mut Output, now_ms: u64) {
//!     connection.input_arrived(now_ms);
//!     loop {
//!         let (used, event) = connection.poll_event(input);
//!         input = &input[used..];
//!         let more = event.is_some();
//!         match event {
//!             Some(Event::Login { .. }) => connection.accept_login(),
//!             Some(Event::Open { .. }) => connection.accept_open(),
//!             Some(Event::ChannelOpened { channel }) => connection.accept_channel(channel),
//!             Some(Event::Publish(publish)) => println!("{} octets", publish.body.len()),
//!             _ => {}
//!         }
//!         outbox.append(connection.transmit());
//!         if !more {
//!             break;
//!         }
//!     }
//! }
//!
//! let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), 0);
//! let mut outbox = Output::new();
//! handle(&mut connection, b"AMQP\0\0\x09\x01", &mut outbox, 1);
//! // connection.start is on its way.
//! assert!(outbox.len() > 100);
//! ```

pub mod constants;
pub mod decoder;
pub mod error;
pub mod frame;
pub mod method;
pub mod properties;
pub mod reply_code;
pub mod sasl;
pub mod table;
pub mod text;

#[doc(hidden)]
pub mod fuzz;

mod channel;
mod config;
mod connection;
mod content;
mod deliveries;
mod encoder;
mod event;
mod last_publish;
mod method_id;
mod output;
mod reader;
mod timer;
mod tune;

pub use amq_protocol::protocol::AMQPClass;

pub use config::{ClientCapabilities, ConnectionConfig, server_capabilities};
pub use connection::{Connection, Finish};
pub use content::ContentHeader;
pub use deliveries::Deliveries;
pub use encoder::{BodyRef, Message};
pub use error::ConnectionError;
pub use event::{Body, Closed, Event, Publish};
pub use last_publish::PublishesAlike;
pub use output::{Output, SHARED_OCTETS_MIN};
pub use properties::{Change, Changes, RawProperties};
pub use tune::{TuneError, Tuning};
