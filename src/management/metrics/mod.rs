//! Metrics for Prometheus, with the names, types, labels and texts of RabbitMQ's families
//! `[rabbitmq prometheus]`, and leveret's own beside them.
//!
//! All is told as it is at the moment of the scrape. Families are written one by one while they are
//! sent, and no lock is held meanwhile.

mod cluster;
mod collect;
mod global;
pub(super) mod memory;
mod node;
mod objects;
mod text;

use std::collections::HashSet;

use hyper::StatusCode;
use hyper::body::Bytes;

use prometheus::TEXT_FORMAT;

use self::cluster::{identity, queue_info};
use self::collect::{Objects, Wanted};
use self::memory::Memory;
use self::node::NodeFigures;
use self::text::{Group, Table};
use crate::management::answer::{Answer, Body, Outcome};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::rights::Who::Anyone;
use crate::node::Node;
use crate::node::login_attempts::LoginProtocol;
use crate::node::status::ConnectionState;

const TEXT: &str = "text/plain";

/// What all scrapes may ask for, without a login.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("metrics", Anyone, aggregated, "Figures of the node, and sums over all objects.").metrics(),
    get("metrics/per-object", Anyone, per_object, "Figures of each object.").metrics(),
    get(
        "metrics/detailed",
        Anyone,
        detailed,
        "Those of ?family=... alone, for each object, of ?vhost=... alone if that is given.",
    )
    .metrics(),
    get("metrics/memory-breakdown", Anyone, memory_breakdown, "What memory is used for.").metrics(),
    get("metrics/{registry}", Anyone, unknown, "There are no others.").metrics(),
];

/// What the names of RabbitMQ's families begin with.
const RABBITMQ: &str = "rabbitmq_";
/// The same of those that are asked for one by one.
const DETAILED: &str = "rabbitmq_detailed_";
const OWN: &str = "leveret_";

/// The node as it is told in several tables.
fn of_node(node: &Node) -> impl Iterator<Item = Bytes> + Send + use<> {
    let figures = NodeFigures::of(node);
    let table = |prefix, groups: &'static [Group<NodeFigures>]| one(prefix, groups, &figures);
    table(RABBITMQ, node::GROUPS)
        .chain(table(RABBITMQ, node::TOTALS))
        .chain(table("process_", node::PROCESS))
        .chain(table(OWN, node::OWN))
        .chain(connections_by_state(node))
        .chain(cluster::certificates(node))
        .chain(attempts(node, RABBITMQ, &Wanted::default()))
        .chain(global::families(figures.status))
}

/// Groups of one object without labels.
fn one<T: Clone>(
    prefix: &'static str,
    groups: impl IntoIterator<Item = &'static Group<T>>,
    object: &T,
) -> Table<T> {
    let mut table = Table::new(prefix, groups);
    table.add(&[], object.clone());
    table
}

/// How many connections are held back.
fn connections_by_state(node: &Node) -> impl Iterator<Item = Bytes> + Send + use<> {
    static GROUPS: &[Group<usize>] = &[Group {
        name: "connections",
        columns: &[text::gauge(
            "connections",
            "Connections by whether they are held back: because of an alarm (blocked; blocking \
             once they publish), or for a moment because the disk does not keep up (flow)",
            |count| *count as f64,
        )],
    }];
    let all = node.connections.list(node.alarm().is_some());
    let mut table = Table::new(OWN, GROUPS);
    use ConnectionState::{Blocked, Blocking, Flow, Running};
    for state in [Running, Blocking, Blocked, Flow] {
        let count = all.iter().filter(|connection| connection.state == state).count();
        table.add(&[("state", state.as_str())], count);
    }
    table
}

/// Logins, by protocol.
fn attempts(
    node: &Node,
    prefix: &'static str,
    wanted: &Wanted,
) -> impl Iterator<Item = Bytes> + Send + use<> {
    let mut table = Table::new(prefix, wanted.of(node::ATTEMPTS));
    for (protocol, name) in [(LoginProtocol::Amqp, "amqp091"), (LoginProtocol::Http, "http")] {
        table.add(&[("protocol", name)], node.login_attempts.counts(protocol));
    }
    table
}

fn aggregated(call: &Call) -> Outcome {
    let node = call.node();
    let Objects { queues, channels, connections, exchanges } =
        Objects::of(node, RABBITMQ, &Wanted::default(), true);
    let clients = channels.sums().chain(connections.sums());
    let sums = queues.sums().chain(clients).chain(exchanges.sums());
    answer(of_node(node).chain(sums).chain(identity(node)))
}

fn per_object(call: &Call) -> Outcome {
    let (node, all) = (call.node(), Wanted::default());
    let Objects { queues, channels, connections, exchanges } =
        Objects::of(node, RABBITMQ, &all, false);
    let objects = queues.chain(channels).chain(connections).chain(exchanges);
    answer(
        of_node(node).chain(objects).chain(queue_info(node, RABBITMQ, &all)).chain(identity(node)),
    )
}

fn detailed(call: &Call) -> Outcome {
    let node = call.node();
    let named = |name| call.query.all(name).map(str::to_owned).collect::<HashSet<_>>();
    let wanted = Wanted {
        groups: Some(named("family")),
        hosts: Some(named("vhost")).filter(|hosts| !hosts.is_empty()),
    };
    let Objects { queues, channels, connections, exchanges } =
        Objects::of(node, DETAILED, &wanted, false);
    let of_node = wanted.of(node::GROUPS);
    let of_node = (!of_node.is_empty()).then(|| one(DETAILED, of_node, &NodeFigures::of(node)));
    let info = queues.is_wanted().then(|| queue_info(node, DETAILED, &wanted));
    let families = of_node.into_iter().flatten().chain(attempts(node, DETAILED, &wanted));
    let objects = queues.chain(channels).chain(connections).chain(exchanges);
    let cluster = cluster::families(node, &wanted);
    let named = cluster.chain(info.into_iter().flatten()).chain(identity(node));
    answer(families.chain(objects).chain(named))
}

fn memory_breakdown(call: &Call) -> Outcome {
    let memory = one(RABBITMQ, memory::GROUPS, &Memory::of(call.node()));
    answer(memory.chain(identity(call.node())))
}

fn unknown(_: &Call) -> Outcome {
    Ok(Answer::text(TEXT, "Unknown Registry").status(StatusCode::NOT_FOUND))
}

/// Octets that are made at a time: so much of a scrape is in memory.
const PIECE_BYTES: usize = 64 << 10;

/// Answers with families, which are made while they are sent.
fn answer(families: impl Iterator<Item = Bytes> + Send + 'static) -> Outcome {
    let mut families = families.peekable();
    let pieces = std::iter::from_fn(move || {
        families.peek()?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        while piece.len() < PIECE_BYTES {
            let Some(family) = families.next() else { break };
            piece.extend_from_slice(&family);
        }
        Some(piece.into())
    });
    let mut answer = Answer::text(TEXT_FORMAT, Bytes::new());
    answer.body = Body::Pieces(Box::new(pieces));
    Ok(answer)
}
