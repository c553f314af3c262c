//! What the compiler says of methods that are there only with a feature.

use std::io;
use std::net::SocketAddr;

use crate::broker::Broker;

/// An address to serve AMQP on, where the crate has sockets: nothing is one without the feature.
#[cfg(not(feature = "gateway"))]
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`Broker::listen` needs the feature `gateway` of leveret",
    label = "this would be the address",
    note = "in Cargo.toml: leveret = {{ version = \"0.1\", features = [\"gateway\"] }}"
)]
pub trait GatewayAddress {
    /// Never called.
    #[doc(hidden)]
    fn listen(self, broker: &Broker) -> io::Result<SocketAddr>;
}

/// An address to serve HTTP on, where the crate does so: nothing is one without the feature.
#[cfg(not(feature = "management"))]
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`Broker::serve_http` needs the feature `management` of leveret",
    label = "this would be the address",
    note = "in Cargo.toml: leveret = {{ version = \"0.1\", features = [\"management\"] }}"
)]
pub trait HttpAddress {
    /// Never called.
    #[doc(hidden)]
    fn serve_http(self, broker: &Broker) -> io::Result<SocketAddr>;
}

impl Broker {
    /// Needs the feature `gateway`: without it there are no sockets.
    ///
    /// ```compile_fail
    /// leveret::Broker::new().listen("127.0.0.1:0"); // the compiler says which feature is missing
    /// ```
    ///
    /// # Errors
    /// None: it does not compile.
    #[cfg(not(feature = "gateway"))]
    #[doc(hidden)]
    pub fn listen(&self, address: impl GatewayAddress) -> io::Result<SocketAddr> {
        address.listen(self)
    }

    /// Needs the feature `management`: without it there is no HTTP API.
    ///
    /// ```compile_fail
    /// leveret::Broker::new().serve_http("127.0.0.1:0"); // the compiler says which it is
    /// ```
    ///
    /// # Errors
    /// None: it does not compile.
    #[cfg(not(feature = "management"))]
    #[doc(hidden)]
    pub fn serve_http(&self, address: impl HttpAddress) -> io::Result<SocketAddr> {
        address.serve_http(self)
    }
}
