//! Connections.

use hyper::header::HeaderName;
use serde_json::Value;

use crate::definitions::arguments::from_field_table;
use crate::insight::statistics::totals::{ConnectionTotals, Totals};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::channels;
use crate::management::api::counted::message_stats;
use crate::management::api::ranges::Ranges;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get};
use crate::management::json::{Object, object};
use crate::management::list::{list, one};
use crate::management::rights::Who::{Managers, ViewersOfHost};
use crate::node::status::{ConnectionFacts, ConnectionStatus};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/connections", Managers, all, "The open connections."),
    get("api/connections/username/{user}", Managers, all_of_user, "Those of a user."),
    delete("api/connections/username/{user}", Managers, close_all_of_user, "Closes them."),
    get("api/connections/{connection}", Managers, show, "A connection."),
    delete(
        "api/connections/{connection}",
        Managers,
        close,
        "Closes one; the client is told the header X-Reason.",
    ),
    get("api/connections/{connection}/channels", Managers, channels_of, "Its channels."),
    get("api/vhosts/{vhost}/connections", ViewersOfHost, all_of_host, "Those of a virtual host."),
];

/// What a client is told whose connection is closed, unless the request says something else.
const REASON: &str = "Closed via management plugin";

/// How connections are sorted.
const ORDER: &[&str] = &["name"];

/// Whether the user may know of a connection: monitors of all, others of their own.
pub(super) fn may_see(call: &Call, facts: &ConnectionFacts) -> bool {
    call.is_monitor() || facts.user.as_str() == call.user_name()
}

pub(super) fn known(call: &Call) -> Vec<ConnectionStatus> {
    let node = call.node();
    let mut known = node.connections.list(node.alarm().is_some());
    known.retain(|connection| may_see(call, &connection.facts));
    known
}

/// The connections as a list.
pub(super) fn answer(call: &Call, known: &[ConnectionStatus]) -> Outcome {
    let ranges = Ranges::of(call)?;
    list(call, known.iter().map(|connection| render(call, &ranges, connection)).collect(), ORDER)
}

pub(super) fn render(call: &Call, ranges: &Ranges, connection: &ConnectionStatus) -> Object {
    let facts = &connection.facts;
    if call.query.is_true("disable_stats") {
        return object! {
            "name": facts.name,
            "node": call.node().name(),
            "user": facts.user.as_str(),
            "vhost": facts.virtual_host.as_str(),
        };
    }
    let (peer, local) = (facts.peer, facts.local);
    let host = |address: Option<std::net::SocketAddr>| {
        address.map_or(Value::Null, |address| address.ip().to_canonical().to_string().into())
    };
    let port = |address: Option<std::net::SocketAddr>| {
        address.map_or(Value::Null, |address| address.port().into())
    };
    let tls = facts.tls.as_deref();
    let certificate = tls.and_then(|tls| tls.certificate.as_ref());
    let mut shown = object! {
        "auth_mechanism": &*facts.auth_mechanism,
        "channel_max": facts.channel_max,
        "channels": connection.channels,
        "client_properties": from_field_table(&facts.client_properties()),
        "connected_at": facts.connected_at.as_millis(),
        "frame_max": facts.frame_max,
        "host": host(local),
        "name": facts.name,
        "node": call.node().name(),
        "peer_cert_issuer": certificate.map_or("", |certificate| &*certificate.issuer),
        "peer_cert_subject": certificate.map_or("", |certificate| &*certificate.subject),
        "peer_cert_validity": certificate.map_or("", |certificate| &*certificate.validity),
        "peer_host": host(peer),
        "peer_port": port(peer),
        "port": port(local),
        "protocol": facts.protocol,
        "send_pend": connection.send_pend,
        "ssl": tls.is_some(),
        "ssl_cipher": tls.map_or("", |tls| &*tls.cipher),
        // All that are served check what they decrypt.
        "ssl_hash": tls.map_or("", |_| "aead"),
        "ssl_key_exchange": tls.map_or("", |tls| &*tls.key_exchange),
        "ssl_protocol": tls.map_or("", |tls| tls.protocol),
        "state": connection.state.as_str(),
        "timeout": facts.heartbeat_s,
        "type": if facts.is_embedded() { "direct" } else { "network" },
        "user": facts.user.as_str(),
        "user_provided_name": facts.user_provided_name,
        "user_who_performed_action": facts.user.as_str(),
        "vhost": facts.virtual_host.as_str(),
    };
    let node = call.node();
    let samples =
        ranges.data_rates.map(|span| node.connections.samples(facts.id, node.clock().now(), span));
    let names = ConnectionTotals::NAMES;
    shown.extend(message_stats(&connection.octets, names, &samples.unwrap_or_default()));
    shown
}

fn all(call: &Call) -> Outcome {
    answer(call, &known(call))
}

fn all_of_host(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let mut known = known(call);
    known.retain(|connection| connection.facts.virtual_host == *host.name());
    answer(call, &known)
}

fn of_user(call: &Call) -> Outcome<Vec<ConnectionStatus>> {
    let user = call.name("user");
    if !call.is_monitor() && user != call.user_name() {
        return Err(Refusal::not_authorised("Access refused."));
    }
    let mut known = known(call);
    known.retain(|connection| connection.facts.user.as_str() == user);
    Ok(known)
}

fn all_of_user(call: &Call) -> Outcome {
    let known = of_user(call)?;
    answer(call, &known)
}

/// Why connections are closed.
fn reason(call: &Call) -> &str {
    call.header(HeaderName::from_static("x-reason")).unwrap_or(REASON)
}

fn close_all_of_user(call: &Call) -> Outcome {
    if !call.is_administrator() && call.name("user") != call.user_name() {
        return Err(Refusal::not_authorised("Access refused."));
    }
    for connection in of_user(call)? {
        call.node().connections.close(connection.facts.id, reason(call));
    }
    Ok(Answer::done())
}

/// The connection that the path names. Fails with 404, and with 401 if it is another's.
pub(super) fn existing(call: &Call) -> Outcome<ConnectionStatus> {
    let node = call.node();
    let all = node.connections.list(node.alarm().is_some());
    let named = all.into_iter().find(|known| known.facts.name == call.name("connection"));
    let connection = named.ok_or_else(Refusal::no_such_object)?;
    if may_see(call, &connection.facts) {
        Ok(connection)
    } else {
        Err(Refusal::not_authorised("User not authorised to access object"))
    }
}

fn show(call: &Call) -> Outcome {
    one(call, render(call, &Ranges::of(call)?, &existing(call)?))
}

fn close(call: &Call) -> Outcome {
    end(call, &existing(call)?)
}

/// Closes a connection, if the user may.
pub(super) fn end(call: &Call, connection: &ConnectionStatus) -> Outcome {
    let is_own = connection.facts.user.as_str() == call.user_name();
    if !call.is_administrator() && !is_own {
        return Err(Refusal::not_authorised("User not authorised to access object"));
    }
    call.node().connections.close(connection.facts.id, reason(call));
    Ok(Answer::done())
}

fn channels_of(call: &Call) -> Outcome {
    let connection = existing(call)?;
    channels::list_of(call, |facts| facts.id == connection.facts.id)
}
