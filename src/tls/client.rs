//! TLS towards servers: whom to trust, and what to show them.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::error::TlsError;
use super::pem::{certificates_in, key_in};

/// Whom a client trusts, and what it shows.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// File with the certificates of authorities; `None`: those that the system trusts.
    pub authorities: Option<PathBuf>,
    /// File with the client's certificate, and those between it and its authority.
    pub certificate: Option<PathBuf>,
    /// File with its key.
    pub key: Option<PathBuf>,
    /// Takes every certificate: whoever is between may read along.
    pub trusts_anybody: bool,
}

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read or is not what it should be, or there is none to trust.
    pub fn config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = if self.trusts_anybody {
            let verifier = Arc::new(Anybody(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        } else {
            let roots = Arc::new(self.roots()?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
            builder.with_webpki_verifier(verifier.build().map_err(unusable)?)
        };
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let (chain, key) = (certificates_in(certificate)?, key_in(key)?);
                builder.with_client_auth_cert(chain, key).map_err(unusable)
            }
            (None, None) => Ok(builder.with_no_client_auth()),
            _ => Err(unusable("a client's certificate and its key go together")),
        }
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        let certificates = match &self.authorities {
            Some(file) => certificates_in(file)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            let text = "there is no authority to check the server's certificate with: name a file";
            return Err(unusable(text));
        }
        Ok(roots)
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn unusable(reason: impl ToString) -> TlsError {
    TlsError::Settings(reason.to_string())
}

/// Takes every certificate: whoever is between may read along.
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
