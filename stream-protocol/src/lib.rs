//! RabbitMQ's stream protocol without sockets, clocks or tasks.
//!
//! [`ClientFrame`] and [`ServerFrame`] read and write every frame of either side, and [`Chunk`]
//! what Deliver carries. [`Connection`] is the server's side of one connection: it turns octets
//! into events and answers into octets; handshake, heartbeats and closing are its own affair.
//! Sources of facts stand in brackets: `rabbitmq stream` is the protocol as RabbitMQ 4.0 speaks
//! it, `osiris chunk` how its log keeps messages.
//!
//! ```
//! use std::sync::Arc;
//!
//! use leveret_stream_protocol::{
//!     ClientFrame, Connection, ConnectionConfig, Event, Request, Response, ResponseCode,
//!     ServerFrame,
//! };
//!
//! /// Input from a socket, at this time of the owner's clock.
//! fn handle(connection: &mut Connection, mut input: &[u8], out: &mut Vec<u8>, now_ms: u64) {
//!     connection.input_arrived(now_ms);
//!     loop {
//!         let (used, event) = connection.poll_event(input);
//!         let response = match event {
//!             Some(Event::Request { correlation, request }) => {
//!                 let (command, code) = (request.command(), ResponseCode::AccessRefused);
//!                 Some((correlation, Response::Code { command, code }))
//!             }
//!             _ => None,
//!         };
//!         out.append(connection.transmit());
//!         if let Some((correlation, response)) = response {
//!             ServerFrame::Response { correlation, response }.write(out);
//!         }
//!         if used == 0 {
//!             break;
//!         }
//!         input = &input[used..];
//!     }
//! }
//!
//! let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), 0);
//! let request = Request::PeerProperties { properties: vec![("product", "example")] };
//! let (mut input, mut out) = (Vec::new(), Vec::new());
//! ClientFrame::Request { correlation: 7, request }.write(&mut input);
//! handle(&mut connection, &input, &mut out, 1);
//! let answer = ServerFrame::read(&out[4..]);
//! assert!(matches!(answer, Ok(ServerFrame::Response { correlation: 7, .. })));
//! ```

mod chunk;
mod client_frame;
mod command;
mod config;
mod connection;
mod decoder;
mod entry;
mod error;
mod event;
mod offset;
mod publish;
mod request;
mod response;
mod response_code;
mod server_frame;
mod timer;
mod wire;

#[doc(hidden)]
pub mod fuzz;

pub use chunk::{Chunk, ChunkBuilder, ChunkError, ChunkHeader, ChunkKind};
pub use client_frame::ClientFrame;
pub use command::{ANSWER, Command, CommandVersions, server_versions};
pub use config::ConnectionConfig;
pub use connection::{Connection, Finish};
pub use entry::{Batch, Compression, Entry};
pub use error::FrameError;
pub use event::{Closed, Event};
pub use offset::OffsetSpec;
pub use publish::{Publish, Published};
pub use request::{Properties, Request};
pub use response::{BrokerAddress, NO_BROKER, Response, StreamPlace};
pub use response_code::ResponseCode;
pub use server_frame::{ServerFrame, write_deliver_front};
pub use wire::STRING_OCTETS_MAX;
