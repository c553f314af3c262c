//! Where a broker is, as RabbitMQ's links have it: an AMQP URI `[rabbitmq uri-spec]`, of which
//! those without a host mean the broker itself.

use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::{ParseError, Url};

/// The port of AMQP, and that of AMQP over TLS.
const PORTS: (u16, u16) = (5672, 5671);

/// Where a broker is, and how to get in. What is shown of it has neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BrokerUri {
    shown: String,
    /// `None` for the broker itself.
    pub place: Option<Place>,
    /// User and password; `None` for RabbitMQ's own default or, at the broker itself, for nobody.
    pub credentials: Option<(String, String)>,
    /// The virtual host; `/` if the URI names none.
    pub virtual_host: String,
    /// Whether it names one.
    names_virtual_host: bool,
    /// What comes after the question mark.
    pub options: UriOptions,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether TLS is spoken there.
    pub tls: bool,
}

/// What comes after the question mark of a URI `[rabbitmq uri-query-parameters]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct UriOptions {
    /// Interval of heartbeats in seconds; `None` for what the other broker proposes.
    pub heartbeat_s: Option<u16>,
    /// The largest frame in octets.
    pub frame_max: Option<u32>,
    /// How many channels.
    pub channel_max: Option<u16>,
    /// How long connecting may take.
    pub connection_timeout: Option<Duration>,
    /// Files: authorities, own certificate, its key.
    pub cacertfile: Option<String>,
    pub certfile: Option<String>,
    pub keyfile: Option<String>,
    /// Whether the other's certificate is taken whatever it is: `verify=verify_none`.
    pub verify_none: bool,
    /// The name that the other's certificate has to be for; `None` for the host.
    pub server_name: Option<String>,
    /// Whether the certificate says who logs in: `auth_mechanism=external`.
    pub external: bool,
}

impl BrokerUri {
    /// Reads a URI.
    ///
    /// # Errors
    /// Why it is none, as RabbitMQ says it. It names neither user nor password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = |reason: String| {
            let text = without_credentials(text);
            // An empty text is an empty list in Erlang.
            let term = if text.is_empty() { "[]".to_owned() } else { format!("\"{text}\"") };
            format!("\"{text}\" not a valid URI: {{{reason},{term}}}")
        };
        let after_scheme = text.strip_prefix("amqps:").or_else(|| text.strip_prefix("amqp:"));
        if after_scheme.is_some_and(|rest| !rest.starts_with("//")) {
            return Err(refused("{case_clause,undefined}".to_owned()));
        }
        // RabbitMQ takes credentials without a host, which no URI has.
        let nobody = authority(text).filter(|authority| authority.ends_with('@'));
        let hostless = nobody.map(|nobody| text.replacen(nobody, &format!("{nobody}here"), 1));
        let is_hostless = hostless.is_some();
        let parsed = Url::parse(hostless.as_deref().unwrap_or(text));
        let url = parsed.map_err(|error| refused(malformed(error, text)))?;
        let tls = match url.scheme() {
            "amqp" => false,
            "amqps" => true,
            // It is rather a user with a password, and no scheme.
            _ if url.cannot_be_a_base() => {
                return Err(refused("{unable_to_parse_uri,no_scheme}".to_owned()));
            }
            scheme => return Err(refused(format!("{{unexpected_uri_scheme,\"{scheme}\"}}"))),
        };
        let host = url.host_str().filter(|host| !host.is_empty() && !is_hostless);
        let decoded = |part: &str| match percent_decode_str(part).decode_utf8() {
            Ok(text) if !has_bad_escape(part) => Ok(text.into_owned()),
            _ => Err(refused("{invalid_entity}".into())),
        };
        let virtual_host = match url.path().strip_prefix('/') {
            None => "/".to_owned(),
            Some(path) if path.contains('/') => {
                return Err(refused(format!("{{invalid_vhost,\"{path}\"}}")));
            }
            Some(path) => decoded(path)?,
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some((decoded(user)?, decoded(password.unwrap_or_default())?)),
        };
        let port = url.port().unwrap_or(if tls { PORTS.1 } else { PORTS.0 });
        let host = host.map(|host| host.trim_matches(['[', ']']));
        Ok(Self {
            shown: shown(&url, host.is_some()),
            place: host.map(|host| Place { host: host.to_owned(), port, tls }),
            credentials,
            virtual_host,
            names_virtual_host: url.path().starts_with('/'),
            options: UriOptions::read(&url).map_err(refused)?,
        })
    }

    /// The same, in this virtual host if it names none.
    pub(crate) fn in_virtual_host(mut self, host: &str) -> Self {
        if !self.names_virtual_host {
            host.clone_into(&mut self.virtual_host);
        }
        self
    }

    /// This broker itself, in this virtual host.
    pub(crate) fn here(host: &str) -> Self {
        Self {
            shown: "amqp://".to_owned(),
            place: None,
            credentials: None,
            virtual_host: host.to_owned(),
            names_virtual_host: true,
            options: UriOptions::default(),
        }
    }

    /// Whether it is the broker itself.
    pub(crate) fn is_local(&self) -> bool {
        self.place.is_none()
    }
}

/// The URI without user, password and options.
impl fmt::Display for BrokerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for BrokerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BrokerUri").field(&self.shown).finish()
    }
}

impl UriOptions {
    fn read(url: &Url) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, value) in url.query_pairs() {
            let number = || -> Result<u64, String> {
                value.parse().map_err(|_| {
                    format!(
                        "{{invalid_amqp_params_parameter,{name},\"{value}\",\
                         {{not_an_integer,\"{value}\"}}}}"
                    )
                })
            };
            match name.as_ref() {
                "heartbeat" => options.heartbeat_s = Some(bounded(number()?)),
                "frame_max" => options.frame_max = Some(bounded(number()?)),
                "channel_max" => options.channel_max = Some(bounded(number()?)),
                "connection_timeout" => {
                    options.connection_timeout = Some(Duration::from_millis(number()?));
                }
                "cacertfile" => options.cacertfile = Some(value.into_owned()),
                "certfile" => options.certfile = Some(value.into_owned()),
                "keyfile" => options.keyfile = Some(value.into_owned()),
                "verify" => options.verify_none = value == "verify_none",
                "server_name_indication" if value != "disable" => {
                    options.server_name = Some(value.into_owned());
                }
                "auth_mechanism" => options.external |= value.eq_ignore_ascii_case("external"),
                // As RabbitMQ has it: others are for other clients.
                _ => {}
            }
        }
        Ok(options)
    }
}

/// The largest number that there is room for, at most.
fn bounded<T: TryFrom<u64> + Bounded>(number: u64) -> T {
    T::try_from(number).unwrap_or(T::MOST)
}

trait Bounded {
    const MOST: Self;
}

impl Bounded for u16 {
    const MOST: Self = Self::MAX;
}

impl Bounded for u32 {
    const MOST: Self = Self::MAX;
}

/// Why a text is no URI, as RabbitMQ says it.
fn malformed(error: ParseError, text: &str) -> String {
    match error {
        ParseError::RelativeUrlWithoutBase => "{unable_to_parse_uri,no_scheme}".into(),
        ParseError::InvalidPort => {
            let port = authority(text).and_then(|authority| authority.rsplit_once(':'));
            match port.map(|(_, port)| port) {
                Some(port) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => {
                    format!("{{port_out_of_range,{port}}}")
                }
                _ => "{unable_to_parse_uri,{malformed_uri,invalid_port}}".into(),
            }
        }
        other => format!("{{unable_to_parse_uri,{{malformed_uri,\"{other}\"}}}}"),
    }
}

/// What stands between the scheme and the path.
fn authority(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

/// What is shown of a text that may be a URI: nothing that may be a user or a password.
fn without_credentials(text: &str) -> String {
    let text = text.split('?').next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        (None, Some((_, rest))) => rest.to_owned(),
        _ => text.to_owned(),
    }
}

/// What is shown of a URI.
fn shown(url: &Url, has_host: bool) -> String {
    let host = url.host_str().filter(|_| has_host).unwrap_or_default();
    let port = url.port().filter(|_| has_host).map(|port| format!(":{port}"));
    format!("{}://{host}{}{}", url.scheme(), port.unwrap_or_default(), url.path())
}

/// Whether there is a `%` without two hexadecimal digits after it.
fn has_bad_escape(part: &str) -> bool {
    let octets = part.as_bytes();
    let mut signs = octets.iter().enumerate().filter(|(_, octet)| **octet == b'%');
    signs.any(|(at, _)| {
        let digits = octets.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> BrokerUri {
        BrokerUri::parse(text).unwrap()
    }

    #[test]
    fn without_a_host_it_is_the_broker_itself() {
        for (text, host) in
            [("amqp://", "/"), ("amqp:///orders", "orders"), ("amqp:///%2f", "/"), ("amqp:///", "")]
        {
            let uri = read(text);
            assert!(uri.is_local() && uri.credentials.is_none(), "{text}");
            assert_eq!(uri.virtual_host, host, "{text}");
            assert_eq!(uri.to_string(), text);
        }
        let uri = read("amqp://shop:secret@/orders");
        assert!(uri.is_local());
        assert_eq!(uri.credentials, Some(("shop".into(), "secret".into())));
        assert_eq!(uri.to_string(), "amqp:///orders");
        let uri = read("amqp://shop:secret@");
        assert!(uri.is_local() && uri.credentials.is_some());
        assert_eq!((uri.virtual_host.as_str(), uri.to_string().as_str()), ("/", "amqp://"));
    }

    #[test]
    fn a_host_has_a_port_and_perhaps_tls() {
        let uri = read("amqps://u:p%40ss@centre.example/%2f?heartbeat=5&verify=verify_none");
        let place = Place { host: "centre.example".into(), port: 5671, tls: true };
        assert_eq!(uri.place, Some(place));
        assert_eq!(uri.credentials, Some(("u".into(), "p@ss".into())));
        assert_eq!(uri.options.heartbeat_s, Some(5));
        assert!(uri.options.verify_none);
        assert_eq!(uri.to_string(), "amqps://centre.example/%2f");
        let uri = read("amqp://[::1]:25672");
        assert_eq!(uri.place, Some(Place { host: "::1".into(), port: 25672, tls: false }));
        assert_eq!(
            (uri.virtual_host.as_str(), uri.to_string().as_str()),
            ("/", "amqp://[::1]:25672")
        );
    }

    #[test]
    fn what_is_no_uri_is_said_as_rabbitmq_says_it() {
        for (text, reason) in [
            ("foo", "\"foo\" not a valid URI: {{unable_to_parse_uri,no_scheme},\"foo\"}"),
            ("", "\"\" not a valid URI: {{unable_to_parse_uri,no_scheme},[]}"),
            ("amqp:/x", "\"amqp:/x\" not a valid URI: {{case_clause,undefined},\"amqp:/x\"}"),
            (
                "http://x",
                "\"http://x\" not a valid URI: {{unexpected_uri_scheme,\"http\"},\"http://x\"}",
            ),
            (
                "amqp://h:99999999/",
                "\"amqp://h:99999999/\" not a valid URI: {{port_out_of_range,99999999},\
                 \"amqp://h:99999999/\"}",
            ),
            (
                "amqp://h/a/b",
                "\"amqp://h/a/b\" not a valid URI: {{invalid_vhost,\"a/b\"},\"amqp://h/a/b\"}",
            ),
            (
                "amqp://h?heartbeat=x",
                "\"amqp://h\" not a valid URI: {{invalid_amqp_params_parameter,heartbeat,\"x\",\
                 {not_an_integer,\"x\"}},\"amqp://h\"}",
            ),
            (
                "amqp://h/%zz",
                "\"amqp://h/%zz\" not a valid URI: {{invalid_entity},\"amqp://h/%zz\"}",
            ),
        ] {
            assert_eq!(BrokerUri::parse(text).unwrap_err(), reason, "{text}");
        }
    }

    #[test]
    fn nothing_tells_user_or_password() {
        let text = "amqp://shop:secret@h/v?certfile=secret";
        let uri = read(text);
        assert_eq!(
            (uri.to_string().as_str(), format!("{uri:?}").as_str()),
            ("amqp://h/v", "BrokerUri(\"amqp://h/v\")")
        );
        for text in [
            "amqp://shop:secret@h:port/v",
            "amqp://shop:sec/ret@h",
            "shop:secret@h",
            "zzz://shop:secret@h",
            "amqp://shop:secret@h/a/b",
            "amqp://shop:secret%zz@h",
        ] {
            let reason = BrokerUri::parse(text).unwrap_err();
            assert!(!reason.contains("sec") && !reason.contains("shop"), "{reason}");
        }
    }
}
