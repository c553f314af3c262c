//! How much memory may be used and how much room the disk is to have before publishers are blocked,
//! to be changed while the broker runs.

use serde_json::Value;

use crate::base::process::total_memory_bytes;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get, put};
use crate::management::json::object;
use crate::management::rights::Who::{Administrators, Monitors};

const PATH: &str = "api/leveret/watermarks";

const MEMORY: &str = "memory_high_watermark";
const DISK: &str = "disk_free_limit";

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(PATH, Monitors, show, "Octets above and below which publishers are blocked."),
    put(
        PATH,
        Administrators,
        change,
        "Changes them until the next start: {\"memory_high_watermark\", \"disk_free_limit\"}, each \
         {\"absolute\"} in octets or {\"relative\"} to the memory.",
    ),
];

fn show(call: &Call) -> Outcome {
    let node = call.node();
    Ok(Answer::json(&object! {
        "memory_high_watermark_bytes": node.memory().limit(),
        "disk_free_limit_bytes": node.disk_alarm.limit_bytes(),
        "total_memory_bytes": total_memory_bytes(),
    }))
}

/// The octets that a value asks for.
fn octets(name: &str, value: &Value) -> Outcome<u64> {
    let bad = || {
        let text = "must be {\"absolute\": octets} or {\"relative\": share of the memory}";
        Refusal::bad(format!("{name} {text}"))
    };
    match (value.get("absolute"), value.get("relative")) {
        (Some(absolute), None) => absolute.as_u64().ok_or_else(bad),
        (None, Some(relative)) => {
            let share = relative.as_f64().filter(|share| (0.0..=100.0).contains(share));
            let share = share.ok_or_else(bad)?;
            let unknown = || Refusal::bad("the size of the memory cannot be told here");
            Ok((total_memory_bytes().ok_or_else(unknown)? as f64 * share) as u64)
        }
        _ => Err(bad()),
    }
}

fn change(call: &Call) -> Outcome {
    let body = object_with(&call.body, &[])?;
    let asked = |name: &str| body.get(name).map(|value| octets(name, value)).transpose();
    let (memory, disk) = (asked(MEMORY)?, asked(DISK)?);
    let node = call.node();
    if let Some(octets) = memory {
        tracing::info!("the memory high watermark is {octets} octets from now on");
        node.memory().set_high_watermark(usize::try_from(octets).unwrap_or(usize::MAX));
    }
    if let Some(octets) = disk {
        tracing::info!("the limit of free disk space is {octets} octets from now on");
        node.set_disk_free_limit(octets);
    }
    Ok(Answer::done())
}
