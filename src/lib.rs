//! leveret: a message broker inside your process that speaks AMQP 0-9-1.
//!
//! A [`Broker`] is a value. The program that holds it connects without a socket
//! ([`Broker::connect`]); others connect with any RabbitMQ client, over TCP (`Broker::listen`) or
//! in memory (`Broker::connect_amqp`). All meet in the same exchanges and queues, which behave as
//! those of RabbitMQ 4.0.
//!
//! ```
//! use leveret::{Broker, Confirmed, Publish};
//!
//! let broker = Broker::new();
//! let channel = broker.connect()?.open_channel()?;
//! channel.exchange_declare("orders", "topic")?;
//! channel.queue_declare("billing")?;
//! channel.queue_bind("billing", "orders", "order.#")?;
//!
//! // Publish, and know that the queue has it. A task would write `.await` in place of `.wait()`.
//! let order = Publish::to_exchange("orders", "order.created").body("order 7").mandatory();
//! assert!(matches!(channel.publish(order).wait()?, Confirmed::Ack));
//!
//! // A consumer is iterated over, which waits, or used as a `Stream` by whoever has a runtime.
//! for delivery in channel.basic_consume("billing")?.iter().take(1) {
//!     assert_eq!(delivery.body(), b"order 7");
//!     delivery.ack()?;
//! }
//! # Ok::<(), leveret::Error>(())
//! ```
//!
//! # In tests
//!
//! On a [`ManualClock`] time passes when the test says so: message TTLs, queue expiry and the dead
//! letters that follow need no waiting.
//!
//! ```
//! use std::time::Duration;
//!
//! use leveret::{Broker, Publish};
//!
//! let broker = Broker::for_tests();
//! let channel = broker.connect()?.open_channel()?;
//! channel.queue_declare("codes")?;
//! channel.basic_publish(Publish::to_queue("codes").body("123456").expiration_ms(60_000))?;
//! broker.advance(Duration::from_secs(60));
//! assert!(channel.basic_get("codes")?.is_none());
//! # Ok::<(), leveret::Error>(())
//! ```
//!
//! # Over a restart
//!
//! A broker that is opened on a directory ([`BrokerBuilder::open`], feature `durable`) keeps there
//! what is durable. A confirm then means that the message is synced to disk.
//!
//! ```no_run
//! use leveret::{Broker, Publish, QueueDeclare};
//!
//! let broker = Broker::builder().open("data")?;
//! let channel = broker.connect()?.open_channel()?;
//! channel.queue_declare_with(&QueueDeclare::new("jobs").durable())?;
//! let job = Publish::to_queue("jobs").body("7").persistent();
//! assert!(channel.publish(job).wait()?.is_ack());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//!
//! - [`Broker`], [`BrokerBuilder`], [`Limits`]: the broker and its settings.
//! - [`Connection`], [`Channel`], [`Consumer`], [`Publish`], [`Delivery`]: what a program works
//!   with. The methods of [`Channel`] bear AMQP's names.
//! - [`StreamHandle`], [`StreamReader`]: streams, without a channel.
//! - [`Error`]: why an operation was refused, with AMQP's reply code and RabbitMQ's text. On the
//!   wire an error closes the channel or connection; here it is returned, and nothing closes.
//! - [`Message`]: what deliveries, returned and queued messages have in common.
//! - [`access`]: users and permissions; [`definitions`]: those that RabbitMQ exports.
//! - [`faults`]: what goes wrong, declared by a test: [`Broker::faults`].
//! - [`QueueHandle`] and its like: what is in a queue, and what it gives out.
//!
//! # Threads
//!
//! Everything may be used from any thread. A broker that nobody listens to has no thread of its
//! own until a queue or a message has a time to live; then it has one, or none on a manual clock.
//! In-memory streams of all brokers are served by the same few threads, which start with the first
//! stream. On a data directory a broker has two threads more, for messages and for definitions.
//!
//! # Features
//!
//! - `server` (default): all that the `leveret` binary needs; contains all but `lapin`.
//! - `gateway`: AMQP 0-9-1 over TCP and over in-memory streams, on tokio: `Broker::listen`,
//!   `Broker::connect_amqp`.
//! - `management`: the HTTP API of RabbitMQ's management plugin: `Broker::serve_http`; contains
//!   `gateway`.
//! - `tls`: TLS for these: `Broker::listen_tls`, [`tls`]; contains `gateway`.
//! - `remote`: other brokers: shovels, and [`remote`], this API of another broker; contains `tls`.
//! - `durable`: data directories: `BrokerBuilder::open`.
//! - `lapin`: the client lapin, connected in memory: `leveret::lapin`.
//!
//! Without features the crate is the broker alone, without tokio.

// Without the program nobody looks inside: see `internals`.
#![cfg_attr(not(feature = "server"), allow(unnameable_types, unreachable_pub))]
// What only the management API, or TLS, calls.
#![cfg_attr(not(all(feature = "management", feature = "tls")), allow(dead_code))]

pub mod access;
mod base;
mod broker;
mod channel;
pub mod definitions;
mod embedded;
mod error;
pub(crate) mod exchange;
pub mod faults;
#[cfg(feature = "gateway")]
mod gateway;
mod insight;
pub(crate) mod limits;
#[cfg(feature = "remote")]
mod link;
#[cfg(feature = "management")]
mod management;
pub(crate) mod message;
mod node;
mod persist;
pub(crate) mod queue;
#[cfg(any(feature = "remote", feature = "lapin"))]
mod remote;
mod time;
#[cfg(feature = "tls")]
pub mod tls;
pub(crate) mod vhost;

pub use self::base::field_value::FieldValue;
pub use self::base::names;
pub use self::broker::exchange::ExchangeHandle;
#[cfg(feature = "remote")]
pub use self::broker::federation::FederationLinkStatus;
#[cfg(feature = "lapin")]
pub use self::broker::lapin;
#[cfg(feature = "remote")]
pub use self::broker::shovels::{ParameterError, ShovelStatus};
pub use self::broker::stream::{
    StreamHandle, StreamMessage, StreamMessages, StreamReader, StreamStart,
};
pub use self::broker::testing::crash::Machine;
pub use self::broker::testing::hold::Recipient;
pub use self::broker::testing::inspect::UnackedMessage;
pub use self::broker::testing::queue::QueueHandle;

pub use self::broker::testing::wait::TimedOut;
pub use self::broker::virtual_host::VirtualHostHandle;
pub use self::broker::{Broker, BrokerBuilder};
pub use self::channel::Consume;
#[cfg(feature = "remote")]
pub use self::embedded::remote;
pub use self::embedded::{
    Binding, Channel, Confirmed, Confirming, Connection, Consumer, Deliveries, Delivery,
    ExchangeDelete, Nack, Publish, QueueDelete, QueuedMessage,
};
pub use self::error::{
    ArgumentError, BindError, Error, ExchangeArgumentError, NotAllowed, NotImplemented,
    Precondition, Resource, Result, Scope,
};
#[cfg(feature = "gateway")]
pub use self::gateway::{AdvertisedAddress, MemoryStream};
pub use self::insight::journal::Journal;
pub use self::insight::lint::LintLevel;
pub use self::insight::{explanation as explain, journal, lint};
pub use self::limits::Limits;
#[cfg(feature = "management")]
pub use self::management::HttpSettings;
pub use self::message::Message;
pub use self::node::import::ImportError;
pub use self::node::snapshot::Snapshot;
pub use self::persist::recovered::{Damage, Durability, LogUsage, OpenError, Recovery};
pub use self::queue::Counts;
pub use self::time::clock;
pub use self::time::clock::{ManualClock, Timestamp};
pub use self::time::sleep::Sleep;
pub use self::vhost::{
    ApplyTo, ExchangeDeclare, Policy, PolicyError, QueueDeclare, QueueDeclareOk,
    SuperStreamDeclare, SuperStreamError,
};

/// What keeps messages and definitions on disk, for programs that test or look into it.
pub use leveret_storage as storage;

/// Properties of a message: `content_type`, `headers`, `delivery_mode` and so on.
pub use amq_protocol::protocol::BasicProperties;
/// Values and tables as AMQP has them.
pub use amq_protocol::types::{AMQPValue, FieldTable};

/// What the `leveret` program and the benchmarks take from the inside. No promise is made about any
/// of it.
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod internals {
    pub use crate::base::ids::{ChannelId, StoreId};
    pub use crate::base::process::total_memory_bytes;
    pub use crate::base::wake::{Wake, Wakeups};
    pub use crate::broker::shovels::{check_static_shovel, set_static_shovels};
    pub use crate::broker::steering::steer;
    pub use crate::broker::view::{Rates, View};
    pub use crate::channel::status::*;
    pub use crate::embedded::no_route;
    pub use crate::exchange::matching::header_matches;
    pub use crate::exchange::{Binding, ExchangeType, Router, Routing};
    pub use crate::faults::{Action, Phase};
    pub use crate::insight::journal::describe::body as describe_body;
    pub use crate::insight::lint::did_you_mean;
    pub use crate::insight::statistics::history::{Sample, Span};
    pub use crate::insight::statistics::totals::*;
    pub use crate::insight::statistics::{Figure, INTERVAL_MS, Interval, Measured};
    pub use crate::limits::{MAILBOX_HIGH, MAILBOX_LOW};
    pub use crate::message::stored::*;
    pub use crate::message::{Body, Parts};
    pub use crate::node::status::*;
    pub use crate::node::steering::{LogLine, Steering};
    pub use crate::persist::messages::Meta;
    pub use crate::persist::records::*;
    pub use crate::persist::recovery::{HostRecords, Records};
    pub use crate::queue::arguments::DeadLetterStrategy;
    pub use crate::queue::consumers::*;
    pub use crate::queue::effects::*;
    pub use crate::queue::fifo::delivery_limit::DeliveryLimit;
    pub use crate::queue::fifo::entry::{Entry, Peeked};
    pub use crate::queue::fifo::holding::Hold;
    pub use crate::queue::fifo::overflow::{LengthLimit, Overflow};
    pub use crate::queue::fifo::paging::*;
    pub use crate::queue::status::*;
    pub use crate::queue::tally::{QueueTally, Volume};
    pub use crate::queue::*;
    pub use crate::tls::client::ClientTls;
}

/// The examples in the README.
#[cfg(all(doctest, feature = "gateway"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples in the page about other brokers.
#[cfg(all(doctest, feature = "remote"))]
#[doc = include_str!("../docs/beyond-one-node.md")]
struct BeyondOneNodePage;

/// The examples in the page about streams.
#[cfg(doctest)]
#[doc = include_str!("../docs/streams.md")]
struct StreamsPage;
