//! What can be set on TLS.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio_rustls::rustls::{SupportedProtocolVersion, version};

/// Where certificates or a key in the format PEM are.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In a file.
    File(PathBuf),
    /// In a text.
    Text(String),
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl std::fmt::Debug for Pem {
    /// A text may be a key, which nobody has to see.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text(..)"),
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    pub(super) fn rustls(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::V1_2 => &version::TLS12,
            Self::V1_3 => &version::TLS13,
        }
    }
}

impl FromStr for TlsVersion {
    type Err = String;

    /// Reads `1.2` or `1.3`, also as RabbitMQ has them: `tlsv1.2`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("tlsv").unwrap_or(text) {
            "1.2" => Ok(Self::V1_2),
            "1.3" => Ok(Self::V1_3),
            _ => Err(format!("'{text}' is not a version of TLS that is served: 1.2 or 1.3")),
        }
    }
}

/// A type of names that certificates have beside that of their subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameType {
    /// Host name.
    Dns,
    /// Address.
    Ip,
    /// Mail address.
    Email,
    /// URI.
    Uri,
}

impl FromStr for NameType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dns" => Ok(Self::Dns),
            "ip" => Ok(Self::Ip),
            "email" => Ok(Self::Email),
            "uri" => Ok(Self::Uri),
            _ => Err(format!("'{text}' is not one of dns, ip, email, uri")),
        }
    }
}

/// Which name in a client's certificate is that of the user whom the mechanism EXTERNAL logs in
/// `[rabbitmq ssl_cert_login_from]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginFrom {
    /// All of the subject's: `CN=shop,O=Example`.
    #[default]
    DistinguishedName,
    /// The subject's common name.
    CommonName,
    /// A name beside that of the subject.
    AlternativeName {
        /// Of this type.
        name_type: NameType,
        /// Of these, which; from 0.
        index: usize,
    },
}

/// Settings of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSettings {
    /// Certificates of the server, each with those between it and its authority. A client that
    /// names a host gets the first that is for it; others get the first of all.
    pub certs: Vec<Pem>,
    /// Their private keys, in the same order.
    pub keys: Vec<Pem>,
    /// Certificates of authorities that clients' certificates are checked with. Default: none.
    pub ca: Option<Pem>,
    /// Whether clients are asked for certificates, and those checked
    /// `[rabbitmq ssl_options.verify = verify_peer]`. Default: no.
    pub verify: bool,
    /// Whether a client without a certificate is refused when it is asked for one
    /// `[rabbitmq ssl_options.fail_if_no_peer_cert]`. Default: no.
    pub fail_if_no_peer_cert: bool,
    /// Versions that are served. Default: 1.2 and 1.3.
    pub versions: Vec<TlsVersion>,
    /// Which name in a client's certificate is that of the user. Default: the distinguished name.
    pub login_from: LoginFrom,
}

impl TlsSettings {
    /// With one certificate and its key; clients are not asked for theirs.
    pub fn new(cert: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        Self {
            certs: vec![cert.into()],
            keys: vec![key.into()],
            ca: None,
            verify: false,
            fail_if_no_peer_cert: false,
            versions: vec![TlsVersion::V1_2, TlsVersion::V1_3],
            login_from: LoginFrom::default(),
        }
    }
}
