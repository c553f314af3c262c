//! Credentials of whatever door, by the mechanisms that all of them offer.

use std::fmt;
use std::sync::Arc;

use leveret_protocol::sasl;

use crate::access::{Actor, LoginRefusal, User};
use crate::gateway::peer::Peer;
use crate::node::Node;
use crate::node::listeners::MECHANISMS;
use crate::node::login_attempts::LoginProtocol;

/// The mechanisms, in the order in which they are offered; `EXTERNAL` where clients are asked for
/// certificates.
pub(super) fn mechanisms(asks_for_certificates: bool) -> Vec<&'static str> {
    let all = MECHANISMS.iter().map(|(name, _)| *name);
    all.filter(|name| asks_for_certificates || *name != "EXTERNAL").collect()
}

/// Why somebody is not logged in. The client is told less.
#[derive(Debug)]
pub(super) enum NoLogin {
    /// The response is none of the mechanism.
    Malformed(String),
    /// The mechanism is not for connections from afar.
    FromAfar,
    /// The client showed no certificate, or none with the name of a user where it is looked for.
    NoName,
    /// Wrong user or password, or not from there.
    Refused(LoginRefusal),
}

impl fmt::Display for NoLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(mechanism) => write!(f, "malformed {mechanism} response"),
            Self::FromAfar => f.write_str("not for connections from afar"),
            Self::NoName => {
                f.write_str("EXTERNAL takes a client's certificate with the name of a user in it")
            }
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// Checks the response of a mechanism that was offered, and counts the attempt.
pub(super) fn log_in(
    broker: &Node,
    protocol: LoginProtocol,
    mechanism: &str,
    response: &[u8],
    peer: &Peer,
) -> Result<Arc<User>, NoLogin> {
    let user = authenticate(broker, mechanism, response, peer);
    broker.login_attempts.note(protocol, user.is_ok());
    tell(broker, protocol, mechanism, peer, &user);
    user
}

/// Tells those who listen to events `[rabbitmq event-exchange]`.
fn tell(
    broker: &Node,
    protocol: LoginProtocol,
    mechanism: &str,
    peer: &Peer,
    login: &Result<Arc<User>, NoLogin>,
) {
    let key = match login {
        Ok(_) => "user.authentication.success",
        Err(_) => "user.authentication.failure",
    };
    broker.herald().tell(key, |told| {
        let name = match login {
            Ok(user) => user.name.as_str(),
            Err(NoLogin::Refused(refusal)) => refusal.user(),
            Err(_) => "",
        };
        let mut told = told.text("name", name).by(name).text("auth_mechanism", mechanism);
        if let Err(refused) = login {
            told = told.text("error", refused.to_string());
        }
        if let Some((remote, local)) = peer.addresses {
            told = told
                .text("connection_name", format!("{remote} -> {local}"))
                .text("peer_host", remote.ip().to_string())
                .number("peer_port", remote.port())
                .text("host", local.ip().to_string());
        }
        told.text("protocol", protocol.as_str())
            .text("connection_type", "network")
            .flag("ssl", peer.tls.is_some())
    });
}

fn authenticate(
    broker: &Node,
    mechanism: &str,
    response: &[u8],
    peer: &Peer,
) -> Result<Arc<User>, NoLogin> {
    let users = &broker.access.users;
    let credentials = match mechanism {
        "EXTERNAL" if peer.is_trusted => return Ok(Actor::nobody()),
        "EXTERNAL" => {
            let certificate = peer.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
            let name = certificate.and_then(|certificate| certificate.login.as_deref());
            let name = name.ok_or(NoLogin::NoName)?;
            return users.admit(name, peer.is_loopback).map_err(NoLogin::Refused);
        }
        "PLAIN" => sasl::plain(response),
        "AMQPLAIN" => sasl::amqplain(response),
        // As RabbitMQ has it: with guest's password unchanged there is nothing to protect.
        "ANONYMOUS" if peer.is_loopback => Some(("guest".into(), b"guest".to_vec())),
        _ => return Err(NoLogin::FromAfar),
    };
    let Some((name, password)) = credentials else {
        return Err(NoLogin::Malformed(mechanism.to_owned()));
    };
    users.authenticate(&name, password, peer.is_loopback).map_err(NoLogin::Refused)
}
