//! Sets what forwards messages, and removes it. Each queue has a shovel here and, at the
//! destination, an exchange of its own that sends all to it: so messages keep their routing keys,
//! and headers such as CC do not send them elsewhere once more.

use serde_json::{Value, json};

use super::ends::Ends;
use super::facts::{Facts, QueueKey, number, text};
use super::holding;
use super::names::name_for;
use super::plan::Plan;
use super::state::State;
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::part;

/// Seconds until a shovel tries again: nodes of a cluster take turns quickly.
const RECONNECT_DELAY_S: u64 = 1;

/// Imports the definitions, and forwards what is in the queues and what comes. What is there
/// already stays as it is.
pub(super) fn begin(
    ends: &Ends,
    plan: &Plan,
    facts: &Facts,
    state: &mut State,
) -> Result<(), Failure> {
    // Remembered before anything is moved.
    for moved in &plan.moves {
        let there = facts.queues.get(&moved.queue);
        let messages = there.map_or(0, |queue| number(queue, "messages"));
        state.before.entry(moved.queue.clone()).or_insert(messages);
    }
    state.save(ends)?;
    ends.destination.post("/api/definitions", &json!(plan.definitions))?;
    let shovels = ends.here.list("/api/shovels")?;
    let mut hosts: Vec<_> = plan.moves.iter().map(|moved| moved.queue.0.as_str()).collect();
    hosts.dedup();
    for host in hosts {
        admit(ends, host)?;
    }
    for moved in &plan.moves {
        let name = name_for(&moved.queue.1);
        let is_it =
            |shovel: &Value| text(shovel, "vhost") == moved.queue.0 && text(shovel, "name") == name;
        if !shovels.iter().any(is_it) {
            forward(ends, &moved.queue)?;
        }
    }
    Ok(())
}

/// Has the user that moves messages come into a virtual host of the cluster.
fn admit(ends: &Ends, vhost: &str) -> Result<(), Failure> {
    let cluster = if ends.is_outward { &ends.destination } else { &ends.source };
    let path = format!("/api/permissions/{}/{}", part(vhost), part(ends.user()));
    if !cluster.has(&path)? {
        cluster.put(&path, &json!({ "configure": ".*", "write": ".*", "read": ".*" }))?;
    }
    Ok(())
}

fn forward(ends: &Ends, (vhost, queue): &QueueKey) -> Result<(), Failure> {
    let name = name_for(queue);
    let (host, exchange) = (part(vhost), part(&name));
    let declare = json!({ "type": "fanout", "durable": true });
    ends.destination.put(&format!("/api/exchanges/{host}/{exchange}"), &declare)?;
    let path = format!("/api/bindings/{host}/e/{exchange}/q/{}", part(queue));
    ends.destination.post(&path, &json!({ "routing_key": "" }))?;
    let (inside, cluster) = (json!(Ends::inside(vhost)), json!(ends.cluster(vhost)));
    let (from, to) = if ends.is_outward { (inside, cluster) } else { (cluster, inside) };
    let shovel = json!({
        "src-uri": from, "src-queue": queue, "dest-uri": to, "dest-exchange": name,
        "ack-mode": "on-confirm", "reconnect-delay": RECONNECT_DELAY_S,
        "dest-add-again-header": true,
    });
    let path = format!("/api/parameters/shovel/{host}/{exchange}");
    ends.here.put(&path, &json!({ "value": shovel })).map(drop)
}

/// Removes all that was set, and lets publishers go on.
pub(super) fn stop(ends: &Ends, state: &State) -> Result<(), Failure> {
    remove(ends, state)?;
    holding::release(ends, state)?;
    State::forget(ends)
}

/// Removes the shovels, and then the exchanges that nothing comes to any more.
pub(super) fn remove(ends: &Ends, state: &State) -> Result<(), Failure> {
    let names = || state.before.keys().map(|(vhost, queue)| (part(vhost), part(&name_for(queue))));
    for (host, name) in names() {
        ends.here.delete(&format!("/api/parameters/shovel/{host}/{name}"))?;
    }
    for (host, name) in names() {
        ends.destination.delete(&format!("/api/exchanges/{host}/{name}"))?;
    }
    Ok(())
}
