//! Settings of TLS: the section `[tls]` of the configuration file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use leveret::tls::{LoginFrom, NameType, Pem, TlsSettings as Identity, TlsVersion};
use serde::Deserialize;

use super::address::AddressOrNone;
use super::error::ConfigError;

/// What one layer gives. The doc comments are the help texts of the flags.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSettings {
    /// Address to listen on for AMQP 0-9-1 over TLS, or `none`; repeat it or separate several with
    /// commas. In the file: `amqps` in the section `[tls]` [default: 127.0.0.1:5671 if there is a
    /// certificate].
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub amqps: Option<Vec<AddressOrNone>>,

    /// Address to serve RabbitMQ's HTTP API on over TLS, such as :15671. In the file: `https` in
    /// the section `[tls]` [default: none].
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub https: Option<Vec<AddressOrNone>>,

    /// Address to listen on for RabbitMQ's stream protocol over TLS, such as :5551. In the file:
    /// `streams` in the section `[tls]` [default: none].
    #[arg(id = "streams-tls", long = "streams-tls", value_name = "ADDRESS", value_delimiter = ',')]
    pub streams: Option<Vec<AddressOrNone>>,

    /// Certificate of the server, PEM, with those between it and its authority. With several,
    /// separated with commas, a client gets the one for the host that it asks for. In the file:
    /// `cert` in the section `[tls]`, as a list.
    #[arg(id = "tls-cert", long = "tls-cert", value_name = "FILE", value_delimiter = ',')]
    pub cert: Option<Vec<PathBuf>>,

    /// Private key of the certificate, PEM, not encrypted; of several in the same order. In the
    /// file: `key` in the section `[tls]`, as a list.
    #[arg(id = "tls-key", long = "tls-key", value_name = "FILE", value_delimiter = ',')]
    pub key: Option<Vec<PathBuf>>,

    /// Certificates of the authorities that clients' certificates are checked with, PEM. In the
    /// file: `ca` in the section `[tls]`.
    #[arg(id = "tls-ca", long = "tls-ca", value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Ask clients for certificates, and check them; with one a client may log in by EXTERNAL. In
    /// the file: `verify` in the section `[tls]` [default: false].
    #[arg(id = "tls-verify", long = "tls-verify", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    pub verify: Option<bool>,

    /// Refuse clients without a certificate. In the file: `fail_if_no_peer_cert` in the section
    /// `[tls]` [default: false].
    #[arg(id = "tls-fail-if-no-peer-cert", long = "tls-fail-if-no-peer-cert",
          value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub fail_if_no_peer_cert: Option<bool>,

    /// Versions of TLS that are served, separated with commas: 1.2, 1.3. In the file: `versions`
    /// in the section `[tls]`, as a list [default: 1.2,1.3].
    #[arg(
        id = "tls-versions",
        long = "tls-versions",
        value_name = "VERSIONS",
        value_delimiter = ','
    )]
    pub versions: Option<Vec<Version>>,

    /// Which name in a client's certificate is that of the user: distinguished_name, common_name,
    /// or the first subject alternative name of a type: dns, ip, email or uri. In the file:
    /// `login_from` in the section `[tls]` [default: distinguished_name].
    #[arg(id = "tls-login-from", long = "tls-login-from", value_name = "NAME")]
    pub login_from: Option<Login>,
}

/// A version of TLS in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Version(pub TlsVersion);

/// Which name of a certificate logs in, in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Login(pub LoginFrom);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl FromStr for Login {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text {
            "distinguished_name" => LoginFrom::DistinguishedName,
            "common_name" => LoginFrom::CommonName,
            other => {
                let name_type: NameType = other.parse().map_err(|_| {
                    format!(
                        "'{text}' is not one of distinguished_name, common_name, dns, ip, email, \
                         uri"
                    )
                })?;
                LoginFrom::AlternativeName { name_type, index: 0 }
            }
        }))
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Login {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TlsSettings {
    /// These settings where they are given, else those of `lower`.
    pub(super) fn over(self, lower: Self) -> Self {
        Self {
            amqps: self.amqps.or(lower.amqps),
            https: self.https.or(lower.https),
            streams: self.streams.or(lower.streams),
            cert: self.cert.or(lower.cert),
            key: self.key.or(lower.key),
            ca: self.ca.or(lower.ca),
            verify: self.verify.or(lower.verify),
            fail_if_no_peer_cert: self.fail_if_no_peer_cert.or(lower.fail_if_no_peer_cert),
            versions: self.versions.or(lower.versions),
            login_from: self.login_from.or(lower.login_from),
        }
    }
}

/// What is served over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsConfig {
    /// Where AMQP is.
    pub amqps: Vec<SocketAddr>,
    /// Where the HTTP API is.
    pub https: Vec<SocketAddr>,
    /// Where the stream protocol is.
    pub streams: Vec<SocketAddr>,
    /// What is shown, and what is asked for.
    pub identity: Identity,
}

impl TlsConfig {
    /// Where RabbitMQ has AMQPS, but not open to the network.
    const AMQPS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5671);

    /// `None` if there is no certificate, and nothing that takes one.
    pub(super) fn from_settings(settings: TlsSettings) -> Result<Option<Self>, ConfigError> {
        let given = |list: Option<Vec<AddressOrNone>>| -> Option<Vec<SocketAddr>> {
            Some(list?.into_iter().filter_map(|address| address.0).collect())
        };
        let (amqps, https) = (given(settings.amqps), given(settings.https).unwrap_or_default());
        let streams = given(settings.streams).unwrap_or_default();
        let (certs, keys) = match (settings.cert, settings.key) {
            (Some(certs), Some(keys)) => (certs, keys),
            (None, None) => {
                let is_asked_for = amqps.is_some_and(|list| !list.is_empty())
                    || !https.is_empty()
                    || !streams.is_empty();
                if is_asked_for {
                    return Err(ConfigError::Refused(
                        "amqps, https and streams-tls take a certificate: tls-cert and tls-key",
                    ));
                }
                return Ok(None);
            }
            _ => return Err(ConfigError::Refused("tls-cert and tls-key go together")),
        };
        let nothing = amqps.is_none() && https.is_empty() && streams.is_empty();
        let default = if nothing { vec![Self::AMQPS] } else { Vec::new() };
        let mut identity = Identity::new(PathBuf::new(), PathBuf::new());
        identity.certs = certs.into_iter().map(Pem::File).collect();
        identity.keys = keys.into_iter().map(Pem::File).collect();
        identity.ca = settings.ca.map(Pem::File);
        identity.verify = settings.verify.unwrap_or_default();
        identity.fail_if_no_peer_cert = settings.fail_if_no_peer_cert.unwrap_or_default();
        if let Some(versions) = settings.versions {
            identity.versions = versions.into_iter().map(|version| version.0).collect();
        }
        identity.login_from = settings.login_from.map(|login| login.0).unwrap_or_default();
        Ok(Some(Self { amqps: amqps.unwrap_or(default), https, streams, identity }))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::program::config::{Invocation, parse};

    fn parsed(flags: &[&str], env: &[(&str, &str)]) -> Result<Option<TlsConfig>, ConfigError> {
        let flags = ["leveret"].iter().chain(flags).map(OsString::from);
        let known = |name: &str| env.iter().find(|(known, _)| *known == name);
        match parse(flags, &|name| known(name).map(|(_, value)| (*value).into()))? {
            Invocation::Serve(config) => Ok(config.tls),
            other => panic!("not a server: {other:?}"),
        }
    }

    const FILE: &str = r#"
        [tls]
        amqps = ["none"]
        https = ["0.0.0.0:1"]
        streams = ["0.0.0.0:2"]
        cert = ["a.pem", "b.pem"]
        key = ["a.key", "b.key"]
        ca = "ca.pem"
        verify = true
        fail_if_no_peer_cert = true
        versions = ["tlsv1.3"]
        login_from = "common_name"
    "#;

    const FLAGS: [&str; 10] = [
        "--amqps=none",
        "--https=0.0.0.0:1",
        "--streams-tls=0.0.0.0:2",
        "--tls-cert=a.pem,b.pem",
        "--tls-key=a.key,b.key",
        "--tls-ca=ca.pem",
        "--tls-verify",
        "--tls-fail-if-no-peer-cert",
        "--tls-versions=1.3",
        "--tls-login-from=common_name",
    ];

    #[test]
    fn flags_variables_and_the_file_say_the_same() {
        let path = std::env::temp_dir().join(format!("leveret-tls-{}.toml", std::process::id()));
        std::fs::write(&path, FILE).unwrap();
        let by_file = parsed(&["--config", path.to_str().unwrap()], &[]);
        std::fs::remove_file(path).unwrap();
        let by_flags = parsed(&FLAGS, &[]).unwrap();
        assert_eq!(by_file.unwrap(), by_flags);
        let variables = FLAGS.map(|flag| {
            let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
            (format!("LEVERET{}", name[1..].replace('-', "_").to_uppercase()), value)
        });
        let env: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(parsed(&[], &env).unwrap(), by_flags);
        let TlsConfig { amqps, https, streams, identity } = by_flags.unwrap();
        assert_eq!((amqps.len(), https.len(), streams.len()), (0, 1, 1));
        assert!(identity.verify && identity.fail_if_no_peer_cert && identity.certs.len() == 2);
        assert_eq!(identity.versions, [TlsVersion::V1_3]);
        assert_eq!(identity.login_from, LoginFrom::CommonName);
    }

    #[test]
    fn a_certificate_alone_serves_amqps_on_this_host() {
        let config = parsed(&["--tls-cert", "a", "--tls-key", "b"], &[]).unwrap().unwrap();
        assert_eq!(config.amqps, [TlsConfig::AMQPS]);
        assert!(parsed(&[], &[]).unwrap().is_none());
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refused = |flags: &[&str]| parsed(flags, &[]).unwrap_err().to_string();
        assert!(refused(&["--amqps", ":5671"]).contains("take a certificate"));
        assert!(refused(&["--tls-cert", "a"]).contains("go together"));
        assert!(refused(&["--tls-versions", "1.1"]).contains("not a version of TLS"));
        assert!(refused(&["--tls-login-from", "x"]).contains("not one of distinguished_name"));
        assert!(refused(&["--amqp", "none"]).contains("if amqps says where"));
    }
}
