//! Listeners that speak TLS.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::Broker;
use crate::gateway::AdvertisedAddress;
use crate::tls::Tls;

impl Broker {
    /// As [`Broker::listen`], over TLS: AMQPS, for which clients look on port 5671. Clients that
    /// are asked for certificates may log in with them, by the mechanism `EXTERNAL`.
    ///
    /// ```
    /// use leveret::Broker;
    /// use leveret::tls::Tls;
    ///
    /// let address = Broker::for_tests().listen_tls("127.0.0.1:0", &Tls::for_tests()?)?;
    /// println!("amqps://{address}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads cannot be started.
    pub fn listen_tls(&self, address: impl ToSocketAddrs, tls: &Tls) -> io::Result<SocketAddr> {
        self.with_gateway(|gateway| gateway.listen_tls(&self.node, address, tls))
    }

    /// As [`Broker::listen_for_streams`], over TLS, for which clients look on port 5551.
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads cannot be started.
    pub fn listen_for_streams_tls(
        &self,
        address: impl ToSocketAddrs,
        advertised: AdvertisedAddress,
        tls: &Tls,
    ) -> io::Result<SocketAddr> {
        self.with_gateway(|gateway| {
            gateway.listen_for_streams_tls(&self.node, address, advertised, tls)
        })
    }

    /// As [`Broker::serve_http`], over TLS, for which tools look on port 15671. Logins are by name
    /// and password.
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads cannot be started.
    #[cfg(feature = "management")]
    pub fn serve_https(&self, address: impl ToSocketAddrs, tls: &Tls) -> io::Result<SocketAddr> {
        self.with_management(|management| management.serve_api_tls(address, tls))
    }
}
