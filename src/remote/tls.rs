//! TLS towards other brokers, by the options of their URIs `[rabbitmq uri-query-parameters]`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::stream::{BrokerStream, FromTokio};
use crate::base::broker_uri::{Place, UriOptions};
use crate::tls::{certificates_in, key_in};

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
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match options.verify_none {
        true => {
            let verifier = Arc::new(Anybody(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        false => {
            let roots = Arc::new(authorities(options.cacertfile.as_deref())?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
            builder.with_webpki_verifier(verifier.build().map_err(io::Error::other)?)
        }
    };
    match (&options.certfile, &options.keyfile) {
        (Some(certificate), Some(key)) => {
            let chain = certificates_in(Path::new(certificate)).map_err(io::Error::other)?;
            let key = key_in(Path::new(key)).map_err(io::Error::other)?;
            builder.with_client_auth_cert(chain, key).map_err(io::Error::other)
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(io::Error::other("certfile and keyfile go together")),
    }
}

/// The authorities of a file, or else those that the system trusts.
fn authorities(file: Option<&str>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates = match file {
        Some(file) => certificates_in(Path::new(file)).map_err(io::Error::other)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        let text = "there is no authority to check the certificate with: say cacertfile=";
        return Err(io::Error::other(text));
    }
    Ok(roots)
}

/// Takes every certificate, as `verify=verify_none` says: whoever is between may read along.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
