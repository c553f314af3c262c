//! Health checks: 200 if all is well, else 503 with a reason.

use std::time::{Duration, UNIX_EPOCH};

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::client::Client;
use crate::management::endpoint::{Endpoint, get, post};
use crate::management::json::{Object, object};
use crate::management::rights::Who::{Administrators, Anyone, Managers, OfHost, ViewersOfHost};
use crate::message::Body;
use crate::node::certificates::Certificate;
use crate::node::listeners::Listener;
use crate::vhost::{Publish, QueueDeclare};

/// The queue that the aliveness test sends a message through.
const ALIVENESS_TEST: &str = "aliveness-test";

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/health/checks/alarms", Managers, alarms, "No alarm is raised."),
    get("api/health/checks/local-alarms", Managers, local_alarms, "No alarm is raised here."),
    get(
        "api/health/checks/certificate-expiration/{within}/{unit}",
        Managers,
        certificates,
        "No certificate expires within so many days, weeks, months or years.",
    ),
    get("api/health/checks/virtual-hosts", Managers, well, "All virtual hosts run."),
    get(
        "api/health/checks/node-is-quorum-critical",
        Managers,
        single_node,
        "No queue would lose its quorum without this node.",
    ),
    get(
        "api/health/checks/node-is-mirror-sync-critical",
        Managers,
        single_node,
        "No mirror would be lost without this node; there are none.",
    ),
    get(
        "api/health/checks/quorum-queues-without-elected-leaders/all-vhosts",
        Managers,
        well,
        "All quorum queues have a leader.",
    ),
    get(
        "api/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}",
        Managers,
        well,
        "All of these names have.",
    ),
    get(
        "api/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}",
        ViewersOfHost,
        well,
        "All in a virtual host have.",
    ),
    get(
        "api/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}",
        ViewersOfHost,
        well,
        "All of these names in a virtual host have.",
    ),
    get(
        "api/health/checks/port-listener/{port}",
        Managers,
        port_listener,
        "Something listens on this port.",
    ),
    get(
        "api/health/checks/protocol-listener/{protocol}",
        Managers,
        protocol_listener,
        "Something listens for this protocol.",
    ),
    get("api/health/checks/metadata-store/initialized", Anyone, well, "Definitions can be read."),
    get(
        "api/health/checks/metadata-store/initialized/with-data",
        Anyone,
        well,
        "Definitions have been read.",
    ),
    get("api/health/checks/is-in-service", Anyone, in_service, "Clients are let in."),
    get(
        "api/health/checks/below-node-connection-limit",
        Anyone,
        below_limit,
        "There may be more connections.",
    ),
    get("api/healthchecks/node", Managers, node, "The node works, as old tools ask for it."),
    get("api/healthchecks/node/{node}", Managers, node, "The node of that name works."),
    get(
        "api/aliveness-test/{vhost}",
        OfHost,
        aliveness,
        "A message goes through a queue of the virtual host.",
    ),
    post("api/rebalance/queues", Administrators, rebalance, "One node has nothing to balance."),
];

fn ok() -> Outcome {
    Ok(Answer::json(&json!({ "status": "ok" })))
}

/// 503 with a reason and more.
fn failed(reason: &str, mut more: Object) -> Outcome {
    more.insert("status".into(), "failed".into());
    more.insert("reason".into(), reason.into());
    Ok(Answer::json(&more).status(StatusCode::SERVICE_UNAVAILABLE))
}

/// What is always so on one node that is up.
fn well(_: &Call) -> Outcome {
    ok()
}

fn single_node(_: &Call) -> Outcome {
    Ok(Answer::json(&json!({ "status": "ok", "reason": "single node cluster" })))
}

/// The resources that are alarmed.
fn alarmed(call: &Call) -> Vec<Value> {
    let node = call.node();
    let alarms = [(node.memory().is_alarmed(), "memory"), (node.is_low_on_disk(), "disk")];
    let raised = alarms.into_iter().filter(|(is_raised, _)| *is_raised);
    raised.map(|(_, resource)| json!({ "node": node.name(), "resource": resource })).collect()
}

fn report_alarms(call: &Call, reason: &str) -> Outcome {
    let alarms = alarmed(call);
    if alarms.is_empty() {
        return ok();
    }
    failed(reason, Object::from_iter([("alarms".to_owned(), alarms.into())]))
}

fn alarms(call: &Call) -> Outcome {
    report_alarms(call, "There are alarms in effect in the cluster")
}

fn local_alarms(call: &Call) -> Outcome {
    report_alarms(call, "There are alarms in effect on the node")
}

fn port_listener(call: &Call) -> Outcome {
    let port = call.name("port").parse::<u16>().map_err(|_| Refusal::bad("Invalid port"))?;
    let listeners = call.node().listeners.list();
    if listeners.iter().any(|listener| listener.address.port() == port) {
        return Ok(Answer::json(&json!({"status": "ok", "port": port})));
    }
    let ports: Vec<u16> = listeners.iter().map(|listener| listener.address.port()).collect();
    failed("No active listener", object! { "missing": port, "ports": ports })
}

/// The name that listeners have for a protocol, by whatever name it is asked for.
fn protocol_name(asked: &str) -> String {
    let asked = asked.to_lowercase();
    match asked.as_str() {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp0_9_1" => "amqp",
        "amqps" => "amqp/ssl",
        "streams" => "stream/ssl",
        "http1" | "http1.1" | "http_api" | "management" | "management_ui" | "ui" => "http",
        "prometheus" => "http/prometheus",
        other => other,
    }
    .to_owned()
}

fn protocol_listener(call: &Call) -> Outcome {
    let protocol = protocol_name(call.name("protocol"));
    let listeners = call.node().listeners.list();
    if listeners.iter().any(|listener| listener.protocol == protocol) {
        return Ok(Answer::json(&json!({"status": "ok", "protocol": protocol})));
    }
    let protocols: Vec<&str> = listeners.iter().map(|listener| listener.protocol).collect();
    failed("No active listener", object! { "missing": protocol, "protocols": protocols })
}

fn certificates(call: &Call) -> Outcome {
    let Ok(within) = call.name("within").parse::<i64>() else {
        return Err(Refusal::bad("Invalid expiration value."));
    };
    // A time that has passed is as good as now.
    let within = u64::try_from(within).unwrap_or(0);
    let days = match call.name("unit").to_lowercase().as_str() {
        "days" => 1,
        "weeks" => 7,
        "months" => 30,
        "years" => 365,
        _ => {
            return Err(Refusal::bad(
                "Time unit not recognised. Supported units: days, weeks, months, years.",
            ));
        }
    };
    let span_ms = within.saturating_mul(days * 24 * 60 * 60 * 1000);
    let until_ms = call.node().clock().now().as_millis().saturating_add(span_ms);
    let listeners = call.node().listeners.list();
    let expiring: Vec<_> =
        listeners.iter().filter_map(|listener| expiring(call, listener, until_ms)).collect();
    if expiring.is_empty() {
        return ok();
    }
    failed("Certificates expiring", Object::from_iter([("expired".into(), expiring.into())]))
}

/// What there is to be told of a listener, if one of its certificates does not hold until then.
fn expiring(call: &Call, listener: &Listener, until_ms: u64) -> Option<Value> {
    let all = listener.certificates.as_ref()?.list();
    let expire = |is_authority: bool| -> Vec<&Certificate> {
        let meant = all.iter().filter(|certificate| certificate.is_authority == is_authority);
        meant.filter(|certificate| certificate.expires_at.as_millis() <= until_ms).collect()
    };
    let (own, authorities) = (expire(false), expire(true));
    let first = own.first().or(authorities.first())?;
    let dates = |certificates: &[&Certificate]| -> Vec<String> {
        let date = |one: &&Certificate| {
            let since = Duration::from_millis(one.expires_at.as_millis());
            humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
        };
        certificates.iter().map(date).collect()
    };
    Some(json!({
        "node": call.node().name(),
        "protocol": listener.protocol,
        "interface": listener.address.ip().to_string(),
        "port": listener.address.port(),
        "certfile": first.file,
        "certfile_expires_on": dates(&own),
        "cacertfile_expires_on": dates(&authorities),
    }))
}

fn in_service(call: &Call) -> Outcome {
    if call.node().connections.is_closed() {
        return failed("this node does not let clients in", Object::new());
    }
    ok()
}

fn below_limit(call: &Call) -> Outcome {
    let connections = call.node().connections.count();
    let limit = call.node().limits.connections_max;
    let mut counts = Object::new();
    counts.insert("connections".into(), connections.into());
    counts.insert("limit".into(), limit.into());
    if connections >= limit {
        return failed("node connection limit is reached", counts);
    }
    counts.insert("status".into(), "ok".into());
    Ok(Answer::json(&counts))
}

fn node(call: &Call) -> Outcome {
    if !call.name("node").is_empty() {
        call.check_node()?;
    }
    let alarms = alarmed(call);
    if alarms.is_empty() {
        return ok();
    }
    let names = alarms.iter().filter_map(|alarm| alarm.get("resource")?.as_str());
    let reason = format!("resource alarm(s) in effect: [{}]", names.collect::<Vec<_>>().join(","));
    failed(&reason, Object::new())
}

fn aliveness(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let mut client = Client::open(call, &host)?;
    let declare = QueueDeclare::new(ALIVENESS_TEST);
    let publish = Publish {
        number: 0,
        exchange: b"",
        routing_key: ALIVENESS_TEST.as_bytes(),
        properties: &[0, 0],
        body: Body::Borrowed(b"test_message"),
    };
    let got = client.apply(|channel, effects| {
        channel.queue_declare(&declare, effects)?;
        channel.basic_publish(publish, false, false, effects)?;
        channel.basic_get(ALIVENESS_TEST, true, effects)
    });
    match got {
        Ok(Some(_)) => ok(),
        Ok(None) => failed("aliveness-test queue is empty", Object::new()),
        Err(error) => Err(Refusal::of_channel(&error)),
    }
}

fn rebalance(_: &Call) -> Outcome {
    Ok(Answer::done())
}
