//! The client [lapin], connected to a broker in memory: a real client and a real broker in one
//! test, without a port, on a clock that the test moves.
//!
//! ```
//! use std::time::Duration;
//!
//! use ::lapin::ConnectionProperties;
//! use ::lapin::options::BasicGetOptions;
//! use leveret::{Broker, Publish};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::for_tests();
//! let connection = leveret::lapin::connect(&broker, ConnectionProperties::default()).await?;
//! let channel = connection.create_channel().await?;
//! channel.queue_declare("codes".into(), Default::default(), Default::default()).await?;
//!
//! // What the test does without the client, the client sees.
//! let behind = broker.connect()?.open_channel()?;
//! behind.basic_publish(Publish::to_queue("codes").body("123456").expiration_ms(3_600_000))?;
//! broker.advance(Duration::from_secs(3600));
//! assert!(channel.basic_get("codes".into(), BasicGetOptions::default()).await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! lapin is used as it is, through its own interface for transports and runtimes. Its tasks run in
//! the tokio runtime of the caller or, if there is none, on the threads that serve in-memory
//! streams; it starts one thread for each connection, as always.
//!
//! # Time
//!
//! What lapin asks its runtime to wait for is waited for on the broker's clock. Three things lapin
//! reads from the operating system's clock itself, and nothing outside of it can change that. On a
//! manual clock they are dealt with so:
//!
//! - When it last sent something: at a heartbeat's time by the broker's clock lapin finds that no
//!   time has passed, and sends none. So no heartbeats are proposed to it, and it survives any
//!   [`Broker::advance`]. With [`Connector::heartbeat_s`] they are, and lapin falls silent as a
//!   client behind a cut cable does: after two intervals the broker ends the connection.
//! - When it last received something: it never finds the broker silent.
//! - The pause before it reconnects is a sleep of its thread. It is set to a millisecond, whatever
//!   the properties say; how often it tries is as they say.
//!
//! [`Broker::advance`] first lets the broker take everything that lapin has written. What lapin
//! has not yet written it cannot know of: await a confirm, or the answer to a method, before.
//!
//! [lapin]: https://docs.rs/lapin

mod runtime;

use std::io;
use std::time::Duration;

use ::lapin::uri::AMQPUri;
use ::lapin::{AsyncTcpStream, Connection, ConnectionProperties, Result};

pub use self::runtime::{BrokerRuntime, Pause, Spawned};
use crate::broker::Broker;
use crate::time::clock::Clock;

/// The pause before lapin connects again, on a manual clock. Real time, as lapin has it.
const RECONNECT_PAUSE: Duration = Duration::from_millis(1);

/// Connects lapin to the broker as `guest` with password `guest` to the virtual host `/`, which
/// are the broker's defaults; [`Connector`] has other settings.
///
/// # Errors
/// As lapin's own ways to connect. If the broker is closed, or its threads cannot be started, an
/// I/O error.
pub async fn connect(broker: &Broker, properties: ConnectionProperties) -> Result<Connection> {
    Connector::new(broker).connect(properties).await
}

/// Settings of an in-memory connection.
///
/// It does not keep the broker alive: when that is gone, connecting fails.
#[derive(Clone, Debug)]
pub struct Connector {
    runtime: BrokerRuntime,
    uri: AMQPUri,
    is_manual: bool,
}

impl Connector {
    /// To this broker, as [`connect`] does.
    pub fn new(broker: &Broker) -> Self {
        let is_manual = matches!(broker.clock(), Clock::Manual(_));
        let heartbeat_s = is_manual.then_some(0);
        let runtime = BrokerRuntime::new(broker.in_memory(), broker.timers(), heartbeat_s);
        Self { runtime, uri: AMQPUri::default(), is_manual }
    }

    /// User, password, virtual host, and what lapin proposes for `frame_max` and `channel_max`. Of
    /// host and port nothing is used. Default: `guest`, `guest`, `/`, and nothing.
    #[must_use]
    pub fn uri(mut self, uri: AMQPUri) -> Self {
        self.uri = uri;
        self
    }

    /// The heartbeat interval that the broker proposes, in seconds; 0 for none. Default: none on a
    /// manual clock, else that of the broker's limits. What this means on a manual clock is said
    /// [above](self#time).
    #[must_use]
    pub fn heartbeat_s(mut self, heartbeat_s: u16) -> Self {
        self.runtime = self.runtime.with_heartbeat_s(heartbeat_s);
        self
    }

    /// The runtime by itself, for a program that connects by
    /// `lapin::Connection::connect_with_runtime`: whatever IP address its URI names, it gets to
    /// this broker. Tasks run in the caller's tokio runtime, if there is one.
    ///
    /// # Errors
    /// If the threads for in-memory streams are needed and cannot be started.
    pub fn runtime(&self) -> io::Result<async_rs::Runtime<BrokerRuntime>> {
        self.runtime.clone().on_threads().map(async_rs::Runtime::new)
    }

    /// Connects. lapin recovers the connection by itself if the properties say so.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(&self, properties: ConnectionProperties) -> Result<Connection> {
        let mut properties = properties;
        if self.is_manual {
            properties = properties.configure_backoff(|backoff| {
                backoff.with_min_delay(RECONNECT_PAUSE).with_max_delay(RECONNECT_PAUSE)
            });
        }
        let open = async |_, runtime: async_rs::Runtime<BrokerRuntime>| {
            use async_rs::traits::Reactor;
            let anywhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
            Ok(AsyncTcpStream::Plain(runtime.tcp_connect_addr(anywhere).await?))
        };
        Connection::connector(self.uri.clone(), self.runtime()?, open, properties).await
    }
}
