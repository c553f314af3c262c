//! Addresses as people type them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::str::FromStr;

use serde::Deserialize;

/// An address to listen on: `127.0.0.1:5672`, `[::1]:5672`, `localhost:5672` or another name of
/// this machine; `:5672`, `*:5672` or `5672` for all addresses of this machine, as RabbitMQ takes a
/// port alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TextOrPort")]
pub(super) struct ListenAddress(pub SocketAddr);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Err(format!("'{text}' has no port, write {}", SocketAddr::new(ip, 5672)));
        }
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let Ok(port) = port.parse::<u16>() else {
            return Err(refused(text));
        };
        match host {
            "" | "*" => Ok(Self(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))),
            host if is_name(host) => resolve(host, port).map(Self),
            _ => Err(refused(text)),
        }
    }
}

/// All addresses of this machine, those of version 6 too where it has any, as RabbitMQ listens.
pub(super) fn everywhere(port: u16) -> SocketAddr {
    let any: (IpAddr, IpAddr) = (Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into());
    // Elsewhere a socket of version 6 does not take clients of version 4.
    let has_both = cfg!(target_os = "linux") && UdpSocket::bind((any.0, 0)).is_ok();
    SocketAddr::new(if has_both { any.0 } else { any.1 }, port)
}

/// Reads the address of a flag.
///
/// # Errors
/// If it is none.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map(|ListenAddress(address)| address)
}

fn refused(text: &str) -> String {
    let what = match text.split_once("://") {
        Some(_) => "a URL and not an address to listen on",
        None if is_name(text) => "not an address to listen on, for want of a port",
        None => "not an address to listen on",
    };
    format!(
        "'{text}' is {what}: write an IP address or a name of this machine and a port, such as \
         127.0.0.1:5672, localhost:5672 or [::]:5672, or a port alone to listen on all addresses"
    )
}

/// Whether this may be the name of a machine.
fn is_name(text: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !text.is_empty() && text.len() <= 253 && text.chars().all(is_known)
}

/// The first address of the name, preferably one of version 4: it is what clients try first, and
/// `localhost` has both.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    let found = (host, port).to_socket_addrs();
    let found: Vec<_> =
        found.map_err(|error| format!("'{host}' has no address: {error}"))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    first.copied().ok_or_else(|| format!("'{host}' has no address"))
}

/// The file may have a port as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrPort {
    Port(u16),
    Text(String),
}

impl TryFrom<TextOrPort> for ListenAddress {
    type Error = String;

    fn try_from(value: TextOrPort) -> Result<Self, String> {
        match value {
            TextOrPort::Port(port) => Ok(Self((Ipv4Addr::UNSPECIFIED, port).into())),
            TextOrPort::Text(text) => text.parse(),
        }
    }
}

/// An address to listen on, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TextOrPort")]
pub(crate) struct AddressOrNone(pub Option<SocketAddr>);

impl FromStr for AddressOrNone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            _ => text.parse().map(|ListenAddress(address)| Self(Some(address))),
        }
    }
}

impl TryFrom<TextOrPort> for AddressOrNone {
    type Error = String;

    fn try_from(value: TextOrPort) -> Result<Self, String> {
        match value {
            TextOrPort::Text(text) => text.parse(),
            port => ListenAddress::try_from(port).map(|ListenAddress(one)| Self(Some(one))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_type_them() {
        for (text, address) in [
            ("127.0.0.1:5672", "127.0.0.1:5672"),
            ("[::1]:5672", "[::1]:5672"),
            ("[::]:0", "[::]:0"),
            ("localhost:5672", "127.0.0.1:5672"),
            (":5672", "0.0.0.0:5672"),
            ("*:5672", "0.0.0.0:5672"),
            (" 5672 ", "0.0.0.0:5672"),
        ] {
            assert_eq!(text.parse(), Ok(ListenAddress(address.parse().unwrap())), "{text}");
        }
        assert_eq!("none".parse(), Ok(AddressOrNone(None)));
    }

    #[test]
    fn what_is_no_address_is_answered_with_one() {
        for (text, answer) in [
            ("localhost", "'localhost' is not an address to listen on, for want of a port: write"),
            ("127.0.0.1", "'127.0.0.1' has no port, write 127.0.0.1:5672"),
            ("[::1]", "'[::1]' has no port, write [::1]:5672"),
            ("amqp://localhost:5672", "'amqp://localhost:5672' is a URL and not an address"),
            ("localhost:amqp", "'localhost:amqp' is not an address to listen on: write an IP"),
            ("host:70000", "'host:70000' is not an address"),
            ("", "'' is not an address"),
            ("nowhere.invalid:1", "'nowhere.invalid' has no address"),
        ] {
            let error = text.parse::<ListenAddress>().unwrap_err();
            assert!(error.starts_with(answer), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String) {
            // Names are not looked up here.
            let _ = format!("[{text}").parse::<ListenAddress>();
        }
    }
}
