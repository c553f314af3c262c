//! Connections and channels, as objects that refer to them have them.

use crate::management::call::Call;
use crate::management::json::{Object, object};
use crate::node::status::ConnectionFacts;

/// The name of a channel.
pub(crate) fn channel_name(facts: &ConnectionFacts, number: u16) -> String {
    format!("{} ({number})", facts.name)
}

/// The connection of a channel, as objects that refer to it have it.
pub(crate) fn connection_details(facts: &ConnectionFacts) -> Object {
    let host = facts.peer.map(|peer| peer.ip().to_canonical().to_string());
    object! {
        "name": facts.name,
        "peer_host": host,
        "peer_port": facts.peer.map(|peer| peer.port()),
    }
}

/// A channel, as objects that refer to it have it.
pub(crate) fn channel_details(call: &Call, facts: &ConnectionFacts, number: u16) -> Object {
    let host = facts.peer.map(|peer| peer.ip().to_canonical().to_string());
    object! {
        "connection_name": facts.name,
        "name": channel_name(facts, number),
        "node": call.node().name(),
        "number": number,
        "peer_host": host,
        "peer_port": facts.peer.map(|peer| peer.port()),
        "user": facts.user.as_str(),
    }
}
