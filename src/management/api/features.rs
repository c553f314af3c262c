//! What this broker has of RabbitMQ's features: flags, deprecated features, extensions of the page,
//! version and settings.

use serde_json::json;

use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::list::whole;
use crate::management::rights::Who::{Administrators, Managers};
use crate::management::version;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/feature-flags", Managers, flags, "Feature flags, which are what they are."),
    put("api/feature-flags/{name}/enable", Administrators, enable, "Enables one that is."),
    get("api/deprecated-features", Administrators, deprecated, "What RabbitMQ has given up."),
    get(
        "api/deprecated-features/used",
        Administrators,
        deprecated_in_use,
        "What of it is in use here.",
    ),
    get("api/extensions", Managers, extensions, "Scripts of the page."),
    get("api/version", Managers, show_version, "The version of RabbitMQ whose API this is."),
    get("api/config/effective", Administrators, config, "Limits and settings, as text.")
        .answering("text/plain"),
    delete("api/reset", Administrators, reset, "Does nothing: statistics are exact."),
    delete("api/reset/{node}", Administrators, reset, "The same."),
];

/// Feature flags: name, whether it has become a requirement, what it is for, and where that is
/// described. All are on.
const FLAGS: &[(&str, bool, &str, &str)] = &[
    (
        "classic_queue_type_delivery_support",
        true,
        "Bug fix for classic queue deliveries using mixed versions",
        "https://github.com/rabbitmq/rabbitmq-server/issues/5931",
    ),
    ("detailed_queues_endpoint", false, "The HTTP API has an address for queues in detail", ""),
    ("direct_exchange_routing_v2", true, "Direct exchanges find queues by an index", ""),
    ("drop_unroutable_metric", true, "Unroutable messages that are dropped are counted", ""),
    ("empty_basic_get_metric", true, "basic.get that finds nothing is counted", ""),
    ("feature_flags_v2", true, "Feature flags are known to all nodes", ""),
    ("implicit_default_bindings", true, "Bindings of the default exchange are not stored", ""),
    (
        "quorum_queue",
        true,
        "Support queues of type `quorum`",
        "https://www.rabbitmq.com/docs/quorum-queues",
    ),
    ("rabbitmq_4.0.0", false, "What RabbitMQ 4.0 has brought", ""),
    (
        "stream_queue",
        true,
        "Support queues of type `stream`",
        "https://www.rabbitmq.com/docs/stream",
    ),
    ("user_limits", true, "Users have limits of connections and channels", ""),
    ("virtual_host_metadata", true, "Virtual hosts have a description and tags", ""),
];

/// Deprecated features: name, whether it is gone, and what it is.
const DEPRECATED: &[(&str, bool, &str)] = &[
    ("amqp_address_v1", false, "Addresses of the first version in AMQP 1.0"),
    ("classic_queue_mirroring", true, "Mirrored classic queues"),
    ("global_qos", false, "basic.qos with global=true"),
    ("management_metrics_collection", false, "Statistics in the HTTP API"),
    ("queue_master_locator", false, "The argument x-queue-master-locator"),
    ("ram_node_type", false, "Nodes that keep definitions in memory alone"),
    ("transient_nonexcl_queues", false, "Queues that are neither durable nor exclusive"),
];

fn flags(call: &Call) -> Outcome {
    let rows = FLAGS.iter().map(|&(name, is_required, desc, doc_url)| {
        object! {
            "name": name,
            "desc": desc,
            "doc_url": doc_url,
            "state": "enabled",
            "stability": if is_required { "required" } else { "stable" },
            "provided_by": "rabbit",
        }
    });
    whole(call, rows.collect(), &["name"])
}

fn enable(call: &Call) -> Outcome {
    if FLAGS.iter().any(|(name, ..)| *name == call.name("name")) {
        return Ok(Answer::done());
    }
    Err(Refusal::bad("unsupported"))
}

/// The deprecated features of which this holds.
fn deprecated_rows(call: &Call, is_meant: impl Fn(&str) -> bool) -> Vec<Object> {
    let denied = ["queue_master_locator", "transient_nonexcl_queues", "global_qos"];
    let row = |&(name, is_gone, desc): &(&str, bool, &str)| {
        let phase = match (is_gone, call.node().shared.deny_deprecated) {
            (true, _) => "removed",
            (false, true) if denied.contains(&name) => "denied_by_default",
            _ => "permitted_by_default",
        };
        object! {
            "name": name,
            "deprecation_phase": phase,
            "desc": desc,
            "doc_url": format!("https://www.rabbitmq.com/docs/deprecated-features#{name}"),
            "provided_by": "rabbit",
        }
    };
    DEPRECATED.iter().filter(|(name, ..)| is_meant(name)).map(row).collect()
}

fn deprecated(call: &Call) -> Outcome {
    whole(call, deprecated_rows(call, |_| true), &["name"])
}

fn deprecated_in_use(call: &Call) -> Outcome {
    let hosts = call.node().all_virtual_hosts();
    let mut queues = hosts.iter().flat_map(|host| host.queues());
    let has_transient = queues.any(|queue| {
        let attributes = queue.attributes();
        !attributes.durable && attributes.owner.is_none()
    });
    let is_used = |name: &str| match name {
        "transient_nonexcl_queues" => has_transient,
        "management_metrics_collection" => true,
        _ => false,
    };
    whole(call, deprecated_rows(call, is_used), &["name"])
}

fn extensions(_: &Call) -> Outcome {
    Ok(Answer::json(&json!([{ "javascript": "dispatcher.js" }])))
}

fn show_version(_: &Call) -> Outcome {
    Ok(Answer::json(&version::COMPATIBLE))
}

fn config(call: &Call) -> Outcome {
    let node = call.node();
    let text = format!(
        "leveret {}\nnode {}\nlimits {:#?}\nhttp {:#?}\n",
        version::LEVERET,
        node.name(),
        node.limits,
        call.manager.settings,
    );
    Ok(Answer::text("text/plain", text))
}

fn reset(call: &Call) -> Outcome {
    if !call.name("node").is_empty() {
        call.check_node()?;
    }
    Ok(Answer::done())
}
