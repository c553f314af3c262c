//! Which certificate a client gets that asks for a host.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificate;
use super::error::TlsError;
use super::pem::Text;
use super::settings::TlsSettings;
use crate::node::certificates::Certificate;

/// A certificate with its key, and the hosts that it is for.
#[derive(Debug)]
struct Identity {
    hosts: Vec<String>,
    key: Arc<CertifiedKey>,
}

/// All of a server's.
#[derive(Debug)]
pub(super) struct Identities(Vec<Identity>);

impl Identities {
    /// Reads certificates and keys; with what others are told of them.
    pub(super) fn read(
        settings: &TlsSettings,
        texts: &[Text],
        provider: &CryptoProvider,
    ) -> Result<(Self, Vec<Certificate>), TlsError> {
        let (mut identities, mut shown) = (Vec::new(), Vec::new());
        let keys = texts.iter().skip(settings.certs.len());
        for (cert, key) in texts.iter().zip(keys).take(settings.certs.len()) {
            let chain = cert.certificates()?;
            let mut hosts = Vec::new();
            for (index, der) in chain.iter().enumerate() {
                shown.push(certificate::shown(cert, der, index > 0)?);
                if index == 0 {
                    hosts = certificate::hosts(der);
                }
            }
            let signing = provider.key_provider.load_private_key(key.key()?);
            let signing = signing.map_err(|error| key.refused(error))?;
            let certified = CertifiedKey::new(chain, signing);
            certified.keys_match().map_err(|_| {
                key.refused(format_args!("the key is not that of the certificate {}", cert.name))
            })?;
            identities.push(Identity { hosts, key: Arc::new(certified) });
        }
        Ok((Self(identities), shown))
    }

    fn of(&self, host: Option<&str>) -> Option<&Identity> {
        let is_for = |identity: &&Identity| {
            host.is_some_and(|host| identity.hosts.iter().any(|name| covers(name, host)))
        };
        self.0.iter().find(is_for).or(self.0.first())
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.of(client_hello.server_name()).map(|identity| Arc::clone(&identity.key))
    }
}

/// Whether a name in a certificate is that of a host: `*.` stands for one label.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => {
            host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain))
        }
        None => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(covers("mq.example.org", "MQ.example.org"));
        assert!(covers("*.example.org", "mq.example.org"));
        assert!(!covers("*.example.org", "a.mq.example.org"));
        assert!(!covers("*.example.org", "example.org"));
        assert!(!covers("example.org", "mq.example.org"));
    }
}
