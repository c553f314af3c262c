//! Whether the server is well.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::{Value, json};

use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part, refused};

/// Commands that check something: they end with status 0 if all is well, else with 69.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum HealthCommand {
    /// Asks whether the server answers
    Ping,
    /// Checks that the server runs
    CheckRunning,
    /// Tells whether the server runs
    IsRunning,
    /// Tells whether the server is still starting
    IsBooting,
    /// Checks that no alarm is raised
    CheckAlarms,
    /// Checks that no alarm is raised on this node
    CheckLocalAlarms,
    /// Lists the alarms that are raised
    Alarms,
    /// Checks that all ports can be connected to
    CheckPortConnectivity {
        /// Where they are, if not at the addresses that are listened on
        #[arg(long)]
        address: Option<String>,
    },
    /// Checks that something listens on a port
    CheckPortListener { port: u16 },
    /// Checks that something listens for a protocol
    CheckProtocolListener { protocol: String },
    /// Checks that all virtual hosts run
    CheckVirtualHosts,
    /// Checks that no certificate expires soon
    CheckCertificateExpiration {
        /// So many
        #[arg(long, default_value_t = 4)]
        within: u64,
        /// days, weeks, months or years
        #[arg(long, default_value = "weeks")]
        unit: String,
    },
    /// Checks that no quorum would be lost without this node
    CheckIfNodeIsQuorumCritical,
    /// Checks that no mirror would be lost without this node
    CheckIfNodeIsMirrorSyncCritical,
    /// Checks alarms and virtual hosts, as old scripts ask for it
    NodeHealthCheck,
}

/// Does it.
pub(super) fn run(session: &Session, command: &HealthCommand) -> Result<Said, Failure> {
    if let HealthCommand::Ping = command {
        return ping(session);
    }
    let node = session.node_name()?;
    let check = |told: String, path: &str, good: String, bad: &str| {
        session.tell(told);
        check(session, path, good, bad)
    };
    match command {
        HealthCommand::CheckRunning | HealthCommand::IsRunning | HealthCommand::Ping => {
            session.tell(format!("Checking if RabbitMQ is running on node {node} ..."));
            session.value("/api/overview")?;
            Ok(Said::well(format!("RabbitMQ on node {node} is fully booted and running")))
        }
        // What serves HTTP is started.
        HealthCommand::IsBooting => {
            session.tell(format!("Asking node {node} for its boot status ..."));
            let text = format!(
                "RabbitMQ on node {node} is fully booted (check with is_running), stopped or has \
                 not started booting yet"
            );
            Ok(Said::Text(text.clone(), json!({ "result": false, "message": text })))
        }
        HealthCommand::CheckAlarms | HealthCommand::Alarms => check(
            format!("Asking node {node} to report any known resource alarms ..."),
            "alarms",
            format!("Node {node} reported no alarms, local or clusterwide"),
            "alarms",
        ),
        HealthCommand::CheckLocalAlarms => check(
            format!("Asking node {node} to report any local resource alarms ..."),
            "local-alarms",
            format!("Node {node} reported no local alarms"),
            "alarms",
        ),
        HealthCommand::CheckPortConnectivity { address } => {
            connectivity(session, &node, address.as_deref())
        }
        HealthCommand::NodeHealthCheck => {
            session.tell(format!("Performing health check on node {node} ..."));
            let answer = session.get("/api/healthchecks/node")?;
            match answer.json().get("status").and_then(Value::as_str) {
                Some("ok") => Ok(Said::well("Health check passed")),
                _ => Err(refused(&answer)),
            }
        }
        listening => run_listening(session, &node, listening),
    }
}

/// Checks what is served, and what the node is needed for.
fn run_listening(session: &Session, node: &str, command: &HealthCommand) -> Result<Said, Failure> {
    let check = |told: String, path: &str, good: String, bad: &str| {
        session.tell(told);
        check(session, path, good, bad)
    };
    match command {
        HealthCommand::CheckPortListener { port } => check(
            format!("Asking node {node} if there's an active listener on port {port} ..."),
            &format!("port-listener/{port}"),
            format!("A listener for port {port} is running on node {node}."),
            "missing",
        ),
        HealthCommand::CheckProtocolListener { protocol } => check(
            format!("Asking node {node} if there's an active listener for protocol {protocol} ..."),
            &format!("protocol-listener/{}", part(protocol)),
            format!("A listener for protocol {protocol} is running on node {node}."),
            "missing",
        ),
        HealthCommand::CheckVirtualHosts => check(
            format!("Checking if all vhosts are running on node {node} ..."),
            "virtual-hosts",
            format!("Node {node} reported all vhosts as running"),
            "virtual-hosts",
        ),
        HealthCommand::CheckCertificateExpiration { within, unit } => check(
            format!("Checking certificate expiration on node {node} ..."),
            &format!("certificate-expiration/{within}/{}", part(unit)),
            format!("No certificates are expiring within {within} {unit}."),
            "expired",
        ),
        HealthCommand::CheckIfNodeIsQuorumCritical => check(
            format!("Checking if node {node} is critical for quorum of any quorum queues ..."),
            "node-is-quorum-critical",
            format!("Node {node} is the only one: there is no quorum to lose"),
            "queues",
        ),
        _ => check(
            format!("Checking if node {node} is critical for data safety of any mirror ..."),
            "node-is-mirror-sync-critical",
            format!("Node {node} has no mirrors"),
            "queues",
        ),
    }
}

fn ping(session: &Session) -> Result<Said, Failure> {
    let node = session.node.as_deref().unwrap_or(&session.client.authority);
    session.tell(format!("Will ping {node}. Timeout: {}000 ms.", session.timeout_s));
    let asked = session.client.try_ask(hyper::Method::GET, "/api/index.html", None);
    match asked {
        // Whoever refuses a login is there.
        Ok(answer) if answer.status < 500 => Ok(Said::well("Ping succeeded")),
        Ok(answer) => Err(refused(&answer)),
        Err(reason) => {
            let text = format!("{} does not answer: {reason}", session.client.authority);
            Err(Failure::new(failure::UNAVAILABLE, text))
        }
    }
}

/// Asks one of the health checks.
fn check(session: &Session, path: &str, good: String, bad: &str) -> Result<Said, Failure> {
    let answer = session.get(&format!("/api/health/checks/{path}"))?;
    if answer.status == 200 {
        return Ok(Said::well(good));
    }
    let details = answer.json().get(bad).map(|details| format!(": {details}"));
    let text = format!("{}{}", answer.reason(), details.unwrap_or_default());
    Err(Failure { code: failure::UNAVAILABLE, text })
}

/// The listeners, as the overview has them.
pub(super) fn listeners(session: &Session) -> Result<Vec<Value>, Failure> {
    let overview = session.value("/api/overview")?;
    Ok(overview.get("listeners").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn connectivity(session: &Session, node: &str, address: Option<&str>) -> Result<Said, Failure> {
    session.tell(format!("Testing TCP connections to all active listeners on node {node} ..."));
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for listener in listeners(session)? {
        let port = listener.get("port").and_then(Value::as_u64).unwrap_or_default();
        let at = listener.get("ip_address").and_then(Value::as_str).unwrap_or_default();
        let at = match (address, at) {
            (Some(address), _) => address,
            (None, "0.0.0.0" | "::") => session.client.host(),
            (None, at) => at,
        };
        let place = (at, u16::try_from(port).unwrap_or_default()).to_socket_addrs();
        let is_open = place.ok().and_then(|mut all| all.next()).is_some_and(|place| {
            let patience = Duration::from_secs(session.timeout_s.clamp(1, 30));
            TcpStream::connect_timeout(&place, patience).is_ok()
        });
        if is_open { &mut good } else { &mut bad }.push(port.to_string());
    }
    if bad.is_empty() {
        let text = format!("Successfully connected to ports {} on node {node}.", good.join(", "));
        return Ok(Said::Text(text, json!({ "result": "ok", "ports": good })));
    }
    let text = format!("Connection to ports {} on node {node} failed", bad.join(", "));
    Err(Failure { code: failure::UNAVAILABLE, text })
}
