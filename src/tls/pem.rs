//! What files in the format PEM hold.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
#[cfg(feature = "remote")]
use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::{Error, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;
use super::settings::{Pem, TlsSettings};

/// Octets of a file that are read at most; bundles of public authorities have some 200 KiB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A file's content, or a text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// The file, or what stands for it.
    pub name: String,
    octets: Vec<u8>,
}

impl TlsSettings {
    /// All texts: certificates, keys, authorities.
    pub(super) fn read(&self) -> Result<Vec<Text>, TlsError> {
        if self.certs.is_empty() || self.certs.len() != self.keys.len() {
            return Err(TlsError::Settings(format!(
                "TLS takes a key for each certificate: there are {} certificates and {} keys",
                self.certs.len(),
                self.keys.len()
            )));
        }
        if self.versions.is_empty() {
            return Err(TlsError::Settings("TLS takes at least one version".into()));
        }
        if self.fail_if_no_peer_cert && !self.verify {
            let reason = "fail_if_no_peer_cert takes verify: clients are not asked for \
                          certificates without it";
            return Err(TlsError::Settings(reason.into()));
        }
        let all = self.certs.iter().chain(&self.keys).chain(&self.ca);
        all.map(Text::read).collect()
    }
}

/// The certificates in a file, at least one.
#[cfg(feature = "remote")]
pub(super) fn certificates_in(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    Text::read(&file.into())?.certificates()
}

/// The first private key in a file.
#[cfg(feature = "remote")]
pub(super) fn key_in(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    Text::read(&file.into())?.key()
}

impl Text {
    fn read(pem: &Pem) -> Result<Self, TlsError> {
        let path = match pem {
            Pem::Text(text) => {
                return Ok(Self { name: "the text".into(), octets: text.clone().into_bytes() });
            }
            Pem::File(path) => path,
        };
        let name = path.display().to_string();
        let unreadable = |reason: String| TlsError::Unreadable { file: name.clone(), reason };
        let mut octets = Vec::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut octets))
            .map_err(|error| unreadable(error.to_string()))?;
        if octets.len() as u64 > FILE_BYTES_MAX {
            return Err(unreadable(format!("it has more than {FILE_BYTES_MAX} octets")));
        }
        Ok(Self { name, octets })
    }

    /// That it is not what it should be.
    pub(super) fn refused(&self, reason: impl Display) -> TlsError {
        TlsError::Refused { file: self.name.clone(), reason: reason.to_string() }
    }

    /// The certificates in it, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(&self.octets).collect();
        let found = found.map_err(|error| self.malformed(&error))?;
        if found.is_empty() {
            return Err(self.refused("there is no certificate in it (-----BEGIN CERTIFICATE-----)"));
        }
        Ok(found)
    }

    /// The first private key in it.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.octets).map_err(|error| match error {
            Error::NoItemsFound if self.mentions("ENCRYPTED PRIVATE KEY") => self.refused(
                "the key is encrypted; write it without a password with `openssl pkey -in FILE \
                 -out FILE`, for the server alone to read",
            ),
            Error::NoItemsFound => self.refused("there is no private key in it"),
            error => self.malformed(&error),
        })
    }

    fn mentions(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.octets).contains(words)
    }

    fn malformed(&self, error: &Error) -> TlsError {
        self.refused(format_args!("it is not what the format PEM asks for: {error}"))
    }
}
