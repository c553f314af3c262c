//! AMQP over TLS for tests, with certificates of its own.

use std::io;
use std::net::SocketAddr;

use serde::Serialize;

use super::error::TestServerError;
use super::reserved::Reserved;
use leveret::Broker;
use leveret::tls::{LoginFrom, TestCertificates, Tls, TlsError};

/// What is there over TLS.
pub(super) struct Secure {
    pub address: Reserved,
    pub tls: Tls,
    certificates: Certificates,
}

/// What clients need, in the format PEM.
#[derive(Clone, Serialize)]
pub(super) struct Certificates {
    /// That of the authority, which they have to trust.
    ca: String,
    /// For a client that is the user guest.
    client_cert: String,
    client_key: String,
}

/// The same, with where it is, for the line that tells.
#[derive(Serialize)]
pub(super) struct Told {
    amqps: String,
    #[serde(flatten)]
    certificates: Certificates,
}

impl Secure {
    /// Has the broker listen on a free port.
    pub(super) fn begin(broker: &Broker, amqp: SocketAddr) -> Result<Self, TestServerError> {
        let (tls, certificates) = made().map_err(io::Error::other)?;
        let address = SocketAddr::new(amqp.ip(), 0);
        let address = Reserved::listen(address, |address| broker.listen_tls(address, &tls))?;
        Ok(Self { address, tls, certificates })
    }

    /// What clients need.
    pub(super) fn told(&self) -> Told {
        // The certificate is for these names, and not for those of other machines.
        let address = self.address.address();
        let host = if address.is_ipv4() { "127.0.0.1" } else { "[::1]" };
        let amqps = format!("amqps://guest:guest@{host}:{}/%2F", address.port());
        Told { amqps, certificates: self.certificates.clone() }
    }
}

fn made() -> Result<(Tls, Certificates), TlsError> {
    let made = TestCertificates::new()?;
    let client = made.client("guest")?;
    let mut settings = made.server_settings()?;
    settings.verify = true;
    settings.login_from = LoginFrom::CommonName;
    let (client_cert, client_key) = (client.certificate, client.key);
    Ok((Tls::open(settings)?, Certificates { ca: made.authority(), client_cert, client_key }))
}
