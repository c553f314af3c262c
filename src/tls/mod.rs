//! TLS for the listeners of a broker: certificates from PEM files or texts, taken anew without
//! dropping a connection, and certificates of clients.
//!
//! ```no_run
//! use leveret::Broker;
//! use leveret::tls::{Tls, TlsSettings};
//!
//! let settings = TlsSettings::new("server.pem".as_ref(), "server_key.pem".as_ref());
//! let tls = Tls::open(settings)?;
//! let address = Broker::new().listen_tls("127.0.0.1:5671", &tls)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
#[cfg(feature = "remote")]
pub(crate) mod client;
mod error;
mod facts;
mod identities;
mod pem;
mod settings;
mod testing;

use std::fmt;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

pub use self::error::TlsError;
pub use self::settings::{LoginFrom, NameType, Pem, TlsSettings, TlsVersion};
pub use self::testing::{TestCertificate, TestCertificates};

pub(crate) use self::facts::facts;

use self::identities::Identities;
use self::pem::Text;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::node::certificates::Certificates;

/// What listeners show and ask for in the handshake of TLS. Clones are the same one.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: TlsSettings,
    current: Mutex<Current, rank::Tls>,
    certificates: Arc<Certificates>,
}

/// What new connections get.
struct Current {
    texts: Vec<Text>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// When a file cannot be read, is not what it should be, or does not fit the others.
    pub fn open(settings: TlsSettings) -> Result<Self, TlsError> {
        let texts = settings.read()?;
        let (config, certificates) = configure(&settings, &texts)?;
        let current = Mutex::new(Current { texts, config: Arc::new(config) });
        let certificates = Arc::new(Certificates::new(certificates));
        Ok(Self(Arc::new(Inner { settings, current, certificates })))
    }

    /// Reads the files again; tells whether they are others than before. New connections get what
    /// is in them; those that are open stay as they are.
    ///
    /// # Errors
    /// As [`Tls::open`]. Then all stays as it was.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let texts = self.0.settings.read()?;
        if self.0.current.lock().texts == texts {
            return Ok(false);
        }
        let (config, certificates) = configure(&self.0.settings, &texts)?;
        *self.0.current.lock() = Current { texts, config: Arc::new(config) };
        self.0.certificates.replace(certificates);
        Ok(true)
    }

    /// Whether clients are asked for certificates.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.0.settings.verify
    }

    /// What greets the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.current.lock().config))
    }

    /// Which name in a client's certificate is that of a user.
    pub(crate) fn login_from(&self) -> LoginFrom {
        self.0.settings.login_from
    }

    /// What is shown, and until when it holds.
    pub(crate) fn certificates(&self) -> &Arc<Certificates> {
        &self.0.certificates
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.settings).finish()
    }
}

type Configured = (ServerConfig, Vec<crate::node::certificates::Certificate>);

fn configure(settings: &TlsSettings, texts: &[Text]) -> Result<Configured, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let (identities, mut shown) = Identities::read(settings, texts, &provider)?;
    let versions: Vec<_> = settings.versions.iter().map(|version| version.rustls()).collect();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| TlsError::Settings(error.to_string()))?;
    let builder = if settings.verify {
        let (roots, authorities) = authorities(settings, texts)?;
        shown.extend(authorities);
        builder.with_client_cert_verifier(verifier(settings, roots)?)
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_cert_resolver(Arc::new(identities));
    Ok((config, shown))
}

type Authorities = (RootCertStore, Vec<crate::node::certificates::Certificate>);

/// Those whose word counts for clients.
fn authorities(settings: &TlsSettings, texts: &[Text]) -> Result<Authorities, TlsError> {
    let text = settings.ca.as_ref().and(texts.last());
    let text = text.ok_or_else(|| {
        TlsError::Settings("verifying clients takes the certificates of authorities (ca)".into())
    })?;
    let (mut roots, mut shown) = (RootCertStore::empty(), Vec::new());
    for der in text.certificates()? {
        shown.push(certificate::shown(text, &der, true)?);
        roots.add(der).map_err(|error| text.refused(error))?;
    }
    Ok((roots, shown))
}

fn verifier(
    settings: &TlsSettings,
    roots: RootCertStore,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder =
        if settings.fail_if_no_peer_cert { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| TlsError::Settings(error.to_string()))
}
