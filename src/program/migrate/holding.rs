//! Publishers are held while the rest is moved: at this server as when memory is short, in a
//! RabbitMQ, which cannot be asked for that, by taking from its users the permission to write.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ends::Ends;
use super::facts::{number, text};
use super::plan::Plan;
use super::state::State;
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::part;

const WATERMARKS: &str = "/api/leveret/watermarks";

/// Holds the publishers at the source; tells whether those who are connected have to be sent away
/// for it.
pub(super) fn hold(ends: &Ends, plan: &Plan, state: &mut State) -> Result<bool, Failure> {
    match ends.is_outward {
        true => be_short_of_memory(ends, state)?,
        false => take_permissions(ends, plan, state)?,
    }
    Ok(!ends.is_outward)
}

/// What they send is not read, so that nothing is confirmed that is not moved.
fn be_short_of_memory(ends: &Ends, state: &mut State) -> Result<(), Failure> {
    if state.watermark.is_none() {
        let before = ends.here.value(WATERMARKS)?;
        state.watermark = Some(number(&before, "memory_high_watermark_bytes"));
        state.save(ends)?;
    }
    let body = json!({ "memory_high_watermark": { "absolute": 0 } });
    ends.here.put(WATERMARKS, &body).map(drop)
}

/// Takes the permission to write from all but the user that moves messages. Channels go by what
/// they were told before, so that it holds for those who connect from here on.
fn take_permissions(ends: &Ends, plan: &Plan, state: &mut State) -> Result<(), Failure> {
    let hosts: BTreeSet<_> = plan.moves.iter().map(|moved| moved.queue.0.as_str()).collect();
    let can_write = |given: &Value| {
        hosts.contains(text(given, "vhost"))
            && text(given, "user") != ends.user()
            && !matches!(text(given, "write"), "" | "^$")
    };
    let given = ends.source.list("/api/permissions")?;
    state.permissions.extend(given.into_iter().filter(can_write));
    state.save(ends)?;
    for given in &state.permissions {
        let mut taken = given.clone();
        if let Some(write) = taken.get_mut("write") {
            *write = json!("");
        }
        permit(ends, &taken)?;
    }
    Ok(())
}

fn permit(ends: &Ends, permissions: &Value) -> Result<(), Failure> {
    let (vhost, user) = (part(text(permissions, "vhost")), part(text(permissions, "user")));
    let body = json!({
        "configure": text(permissions, "configure"), "write": text(permissions, "write"),
        "read": text(permissions, "read"),
    });
    ends.source.put(&format!("/api/permissions/{vhost}/{user}"), &body).map(drop)
}

/// Lets publishers go on.
pub(super) fn release(ends: &Ends, state: &State) -> Result<(), Failure> {
    if let Some(octets) = state.watermark {
        let body = json!({ "memory_high_watermark": { "absolute": octets } });
        ends.here.put(WATERMARKS, &body)?;
    }
    state.permissions.iter().try_for_each(|given| permit(ends, given))
}

/// Who is held at the end, and until when.
pub(super) fn told(ends: &Ends, state: &State) -> String {
    if ends.is_outward {
        return "This server holds publishers until it is stopped: stop it, and see that it is \
                not started again.\n"
            .to_owned();
    }
    let again = state.permissions.iter().map(|given| {
        let text = |name| text(given, name).to_owned();
        let patterns = ["configure", "write", "read"].map(|name| format!("'{}'", text(name)));
        let (vhost, user) = (text("vhost"), text("user"));
        format!("  rabbitmqctl set_permissions -p '{vhost}' '{user}' {}\n", patterns.join(" "))
    });
    let again: String = again.collect();
    match again.as_str() {
        "" => String::new(),
        _ => format!(
            "Users may write there no more. What gives that back, if it is ever wanted:\n{again}"
        ),
    }
}
