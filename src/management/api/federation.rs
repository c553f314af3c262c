//! Links of a federation: what they do, and having them begin anew
//! `[rabbitmq federation_management]`. Upstreams are set as parameters.

use crate::link::federation::Link;
use crate::link::federation::status::State;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::shovels::time;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, whole};
use crate::management::rights::Who::{Monitors, PolicymakersOfHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/federation-links", Monitors, list, "What all federation links do."),
    get("api/federation-links/{vhost}", Monitors, list, "Those of a virtual host."),
    get("api/federation-links/state/down", Monitors, list_down, "Those that are not connected."),
    get("api/federation-links/{vhost}/state/down", Monitors, list_down, "Those of a virtual host."),
    delete(
        "api/federation-links/vhost/{vhost}/{id}/{node}/restart",
        PolicymakersOfHost,
        restart,
        "Has one connect anew.",
    ),
];

fn list(call: &Call) -> Outcome {
    listed(call, |_| true)
}

fn list_down(call: &Call) -> Outcome {
    listed(call, |link| matches!(link.status().state, State::Failed { .. }))
}

fn listed(call: &Call, is_meant: impl Fn(&Link) -> bool) -> Outcome {
    let hosts = call.hosts_to_list().ok_or_else(Refusal::no_such_object)?;
    let is_listed = |link: &Link| hosts.iter().any(|host| host.name().as_str() == link.key.host);
    let links = call.node().federation.links();
    let meant = links.iter().filter(|link| is_listed(link) && is_meant(link));
    whole(call, meant.map(|link| row(call, link)).collect(), BY_NAME)
}

fn row(call: &Call, link: &Link) -> Object {
    let (key, status) = (&link.key, link.status());
    let mut row = object! { "node": call.node().name() };
    row.extend(match key.is_queue {
        true => object! {
            "queue": key.name, "upstream_queue": key.there, "type": "queue",
            "consumer_tag": link.upstream.consumer_tag,
        },
        false => object! {
            "exchange": key.name, "upstream_exchange": key.there, "type": "exchange",
        },
    });
    row.extend(object! {
        "vhost": key.host, "upstream": key.upstream, "id": link.id(), "uri": status.uri,
        "timestamp": time(status.changed_at), "received": status.received,
    });
    row.extend(match &status.state {
        State::Starting => object! { "status": "starting" },
        State::Running { connection } => {
            object! { "status": "running", "local_connection": connection }
        }
        State::Failed { reason } => object! { "status": "error", "error": reason },
    });
    if let Some((reason, at)) = &status.last_error {
        row.extend(object! { "last_error": reason, "last_error_at": time(*at) });
    }
    row
}

fn restart(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let id = call.name("id");
    let links = call.node().federation.links();
    let is_meant = |link: &Link| link.key.host == host.name().as_str() && link.id() == id;
    if call.name("node") != call.node().name() || !links.iter().any(|link| is_meant(link)) {
        return Err(Refusal::no_such_object());
    }
    call.node().federation.restart(id);
    Ok(Answer::done())
}
