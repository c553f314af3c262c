//! TLS towards other brokers, by the options of their URIs `[rabbitmq uri-query-parameters]`.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::stream::{BrokerStream, FromTokio};
use crate::base::broker_uri::{Place, UriOptions};
use crate::tls::client::ClientTls;

/// Shakes hands over a socket.
///
/// # Errors
/// If a file cannot be used, or the other's certificate is not what is asked for.
pub(super) async fn shake_hands(
    socket: TcpStream,
    place: &Place,
    options: &UriOptions,
) -> io::Result<BrokerStream> {
    let name = options.server_name.clone().unwrap_or_else(|| place.host.clone());
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(config(options)?));
    Ok(Box::new(FromTokio(connector.connect(name, socket).await?)))
}

fn config(options: &UriOptions) -> io::Result<ClientConfig> {
    let tls = ClientTls {
        authorities: options.cacertfile.as_ref().map(Into::into),
        certificate: options.certfile.as_ref().map(Into::into),
        key: options.keyfile.as_ref().map(Into::into),
        trusts_anybody: options.verify_none,
    };
    tls.config().map_err(io::Error::other)
}
