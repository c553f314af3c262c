//! RabbitMQ's stream protocol, over sockets and in memory.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::Broker;
use crate::gateway::{AdvertisedAddress, MemoryStream};

impl Broker {
    /// Serves RabbitMQ's stream protocol on `address`, such as `127.0.0.1:5552`; returns the
    /// address that was bound. May be called several times. Clients are told to come to
    /// `advertised`, for which they ask before they publish or read.
    ///
    /// ```no_run
    /// use leveret::{AdvertisedAddress, Broker};
    ///
    /// let broker = Broker::new();
    /// let address = broker.listen_for_streams("127.0.0.1:0", AdvertisedAddress::default())?;
    /// println!("stream clients connect to {address}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads cannot be started.
    pub fn listen_for_streams(
        &self,
        address: impl ToSocketAddrs,
        advertised: AdvertisedAddress,
    ) -> io::Result<SocketAddr> {
        self.with_gateway(|gateway| gateway.listen_for_streams(&self.node, address, advertised))
    }

    /// Opens a connection as [`Broker::listen_for_streams`] serves them, but in memory and without
    /// a port. What [`Broker::connect_amqp`] says of such connections holds for this one.
    ///
    /// # Errors
    /// `ConnectionRefused` when the broker is closed; others if the threads cannot be started.
    pub fn connect_stream(&self) -> io::Result<MemoryStream> {
        self.in_memory.connect_stream()
    }
}
