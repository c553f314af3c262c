//! What is told of the whole cluster, which is this node: who it is, its virtual hosts, exchanges
//! and queues by name.

use hyper::body::Bytes;

use crate::management::metrics::collect::Wanted;
use crate::management::metrics::text::{Group, Table, gauge, untyped};
use crate::management::version;
use crate::node::Node;

/// Something that is told by its labels alone, or by one number.
struct Named(f64);

static HOSTS: &[Group<Named>] = &[Group {
    name: "vhost_status",
    columns: &[gauge("vhost_status", "Whether a given vhost is running", |named| named.0)],
}];

static BINDINGS: &[Group<Named>] = &[Group {
    name: "exchange_bindings",
    columns: &[gauge(
        "exchange_bindings",
        "Number of bindings for an exchange. This value is cluster-wide.",
        |named| named.0,
    )],
}];

static EXCHANGES: &[Group<Named>] = &[Group {
    name: "exchange_names",
    columns: &[gauge(
        "exchange_name",
        "Enumerates exchanges without any additional info. This value is cluster-wide. A cheaper \
         alternative to `exchange_bindings`",
        |named| named.0,
    )],
}];

static QUEUES: &[Group<Named>] = &[Group {
    name: "queue_info",
    columns: &[gauge(
        "queue_info",
        "A metric with a constant '1' value and labels that provide some queue details",
        |named| named.0,
    )],
}];

static BUILD: &[Group<Named>] = &[Group {
    name: "build_info",
    columns: &[untyped("build_info", "RabbitMQ & Erlang/OTP version info", |named| named.0)],
}];

static IDENTITY: &[Group<Named>] = &[Group {
    name: "identity_info",
    columns: &[untyped("identity_info", "RabbitMQ node & cluster identity info", |named| named.0)],
}];

static OWN: &[Group<Named>] = &[Group {
    name: "build_info",
    columns: &[gauge("build_info", "Version of leveret", |named| named.0)],
}];

/// Virtual hosts, exchanges and bindings, as far as they are asked for.
pub(super) fn families(node: &Node, wanted: &Wanted) -> impl Iterator<Item = Bytes> + Send + use<> {
    const PREFIX: &str = "rabbitmq_cluster_";
    let mut hosts = Table::new(PREFIX, wanted.of(HOSTS));
    let mut bindings = Table::new(PREFIX, wanted.of(BINDINGS));
    let mut names = Table::new(PREFIX, wanted.of(EXCHANGES));
    for host in node.all_virtual_hosts().iter().filter(|host| wanted.has_host(host)) {
        let vhost = ("vhost", host.name().as_str());
        hosts.add(&[vhost], Named(1.0));
        if !bindings.is_wanted() && !names.is_wanted() {
            continue;
        }
        let exchanges = host.exchanges();
        let public = exchanges.iter().filter(|x| !x.is_default() && !x.attributes().internal);
        for exchange in public {
            let kind = exchange.attributes().kind.as_str();
            let labels = [vhost, ("exchange", exchange.name().as_str()), ("type", kind)];
            bindings.add(&labels, Named(exchange.binding_count() as f64));
            names.add(&labels, Named(1.0));
        }
    }
    hosts.chain(bindings).chain(names)
}

/// The queues with their types.
pub(super) fn queue_info(
    node: &Node,
    prefix: &'static str,
    wanted: &Wanted,
) -> impl Iterator<Item = Bytes> + Send + use<> {
    let mut queues = Table::new(prefix, QUEUES);
    for host in node.all_virtual_hosts().iter().filter(|host| wanted.has_host(host)) {
        for queue in host.queues() {
            let kind = queue.attributes().arguments.queue_type.as_str();
            let labels = [
                ("vhost", host.name().as_str()),
                ("queue", queue.name().as_str()),
                ("queue_type", &format!("rabbit_{kind}_queue")),
                ("membership", "leader"),
            ];
            queues.add(&labels, Named(1.0));
        }
    }
    queues
}

/// Until when the certificates hold that listeners show.
pub(super) fn certificates(node: &Node) -> impl Iterator<Item = Bytes> + Send + use<> {
    static GROUPS: &[Group<f64>] = &[Group {
        name: "certificates",
        columns: &[gauge(
            "certificate_expires_timestamp_seconds",
            "When a certificate that a listener shows, or checks clients with, expires, in seconds \
             since the epoch",
            |seconds| *seconds,
        )],
    }];
    let mut table = Table::new("leveret_", GROUPS);
    for listener in node.listeners.list() {
        let port = listener.address.port().to_string();
        for certificate in listener.certificates.iter().flat_map(|all| all.list()) {
            let labels = [
                ("protocol", listener.protocol),
                ("port", port.as_str()),
                ("file", certificate.file.as_str()),
                ("subject", certificate.subject.as_str()),
            ];
            table.add(&labels, certificate.expires_at.as_millis() as f64 / 1000.0);
        }
    }
    table
}

/// Who tells all this.
pub(super) fn identity(node: &Node) -> impl Iterator<Item = Bytes> + Send + use<> {
    let mut build = Table::new("rabbitmq_", BUILD);
    let versions = [
        ("rabbitmq_version", version::COMPATIBLE),
        ("prometheus_plugin_version", version::COMPATIBLE),
        ("prometheus_client_version", version::LEVERET),
        ("erlang_version", version::ERLANG),
    ];
    build.add(&versions, Named(1.0));
    let mut identity = Table::new("rabbitmq_", IDENTITY);
    let cluster = node.cluster_name();
    let labels = [
        ("rabbitmq_node", node.name()),
        ("rabbitmq_cluster", cluster.as_str()),
        ("rabbitmq_cluster_permanent_id", node.name()),
    ];
    identity.add(&labels, Named(1.0));
    let mut own = Table::new("leveret_", OWN);
    own.add(&[("version", version::LEVERET)], Named(1.0));
    build.chain(identity).chain(own)
}
