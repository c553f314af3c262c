//! Credentials of whatever door, by the mechanisms that all of them offer.

use std::fmt;
use std::sync::Arc;

use leveret_protocol::sasl;

use crate::access::{LoginRefusal, User};
use crate::gateway::peer::Peer;
use crate::node::Node;
use crate::node::login_attempts::LoginProtocol;

/// The mechanisms, in the order in which they are offered.
pub(super) const MECHANISMS: [&str; 3] = ["PLAIN", "AMQPLAIN", "ANONYMOUS"];

/// Why somebody is not logged in. The client is told less.
#[derive(Debug)]
pub(super) enum NoLogin {
    /// The response is none of the mechanism.
    Malformed(String),
    /// The mechanism is not for connections from afar.
    FromAfar,
    /// Wrong user or password, or not from there.
    Refused(LoginRefusal),
}

impl fmt::Display for NoLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(mechanism) => write!(f, "malformed {mechanism} response"),
            Self::FromAfar => f.write_str("not for connections from afar"),
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
    user
}

fn authenticate(
    broker: &Node,
    mechanism: &str,
    response: &[u8],
    peer: &Peer,
) -> Result<Arc<User>, NoLogin> {
    let credentials = match mechanism {
        "PLAIN" => sasl::plain(response),
        "AMQPLAIN" => sasl::amqplain(response),
        // As RabbitMQ has it: with guest's password unchanged there is nothing to protect.
        "ANONYMOUS" if peer.is_loopback => Some(("guest".into(), b"guest".to_vec())),
        _ => return Err(NoLogin::FromAfar),
    };
    let Some((name, password)) = credentials else {
        return Err(NoLogin::Malformed(mechanism.to_owned()));
    };
    let users = &broker.access.users;
    users.authenticate(&name, password, peer.is_loopback).map_err(NoLogin::Refused)
}
