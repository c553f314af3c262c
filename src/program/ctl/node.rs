//! The node: what it is, waiting for it, and stopping it.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::columns;
use super::failure::{self, Failure};
use super::health::listeners;
use super::output::Said;
use super::session::{Session, part};

/// How often it is asked whether the server is there.
const LOOK: Duration = Duration::from_millis(200);

/// Commands about the node.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum NodeCommand {
    /// Tells what the node is and has
    Status {
        /// Ignored
        #[arg(long)]
        unit: Option<String>,
    },
    /// Tells of the cluster, which is this node
    ClusterStatus,
    /// Waits until the server runs
    AwaitStartup,
    /// Waits until the server runs
    Wait {
        /// Ignored: the server is asked
        pidfile: Option<String>,
        /// Ignored: the server is asked
        #[arg(short = 'P', long)]
        pid: Option<u32>,
    },
    /// Waits until so many nodes run: 1 is all there is
    AwaitOnlineNodes { count: u32 },
    /// Does nothing: a server that answers is started
    StartApp,
    /// Stops a server on this machine
    Stop {
        /// Ignored
        pidfile: Option<String>,
    },
    /// Stops a server on this machine, and waits until it has ended
    Shutdown,
    /// Lists ports that are open
    Listeners,
    /// Tells the version of RabbitMQ that the server is compatible with
    ServerVersion,
    /// The same in a word
    Version,
    /// Lists feature flags
    ListFeatureFlags { columns: Vec<String> },
    /// Lists what RabbitMQ has given up or is about to
    ListDeprecatedFeatures {
        columns: Vec<String>,
        /// What of it is in use
        #[arg(long)]
        used: bool,
    },
    /// Does nothing: all feature flags are enabled
    EnableFeatureFlag { name: String },
    /// Lists how often somebody logged in or was not let in
    ListNodeAuthAttemptStats,
}

/// Does it.
pub(super) fn run(session: &Session, command: &NodeCommand) -> Result<Said, Failure> {
    match command {
        NodeCommand::Status { .. } => status(session),
        NodeCommand::ClusterStatus => cluster_status(session),
        NodeCommand::AwaitStartup | NodeCommand::Wait { .. } => await_startup(session),
        NodeCommand::AwaitOnlineNodes { count: 0 | 1 } => await_startup(session),
        NodeCommand::AwaitOnlineNodes { count } => {
            let text = format!("there is one node, and there will never be {count}");
            Err(Failure::new(failure::UNAVAILABLE, text))
        }
        NodeCommand::StartApp => {
            session.tell(format!("Starting node {} ...", session.node_name()?));
            Ok(Said::Nothing)
        }
        NodeCommand::Stop { .. } => stop(session, false),
        NodeCommand::Shutdown => stop(session, true),
        NodeCommand::Listeners => {
            session.tell(format!(
                "Asking node {} to report its protocol listeners ...",
                session.node_name()?
            ));
            let listeners = listeners(session)?;
            let lines: Vec<_> = listeners.iter().map(line).collect();
            Ok(Said::Text(lines.join("\n"), json!({ "listeners": listeners, "result": "ok" })))
        }
        NodeCommand::ServerVersion => {
            session
                .tell(format!("Asking node {} for its RabbitMQ version...", session.node_name()?));
            version(session)
        }
        NodeCommand::Version => version(session),
        NodeCommand::ListFeatureFlags { columns } => {
            let columns = columns::chosen(columns, &columns::FEATURE_FLAGS, &["name", "state"])?;
            session.tell("Listing feature flags ...");
            Ok(columns::said(columns, &session.list("/api/feature-flags")?, true))
        }
        NodeCommand::ListDeprecatedFeatures { columns, used } => {
            let known = &columns::DEPRECATED_FEATURES;
            let columns = columns::chosen(columns, known, &["name", "deprecation_phase"])?;
            let (what, path) = match used {
                true => (" in use", "/api/deprecated-features/used"),
                false => ("", "/api/deprecated-features"),
            };
            session.tell(format!("Listing deprecated features{what} ..."));
            Ok(columns::said(columns, &session.list(path)?, false))
        }
        NodeCommand::EnableFeatureFlag { name } => {
            session.tell(match name.as_str() {
                "all" => "Enabling all feature flags ...".to_owned(),
                name => format!("Enabling feature flag \"{name}\" ..."),
            });
            let flags = session.list("/api/feature-flags")?;
            let is_known = |flag: &Value| flag.get("name").and_then(Value::as_str) == Some(name);
            if name == "all" || flags.iter().any(is_known) {
                return Ok(Said::Nothing);
            }
            Err(Failure::new(failure::SOFTWARE, format!("there is no feature flag '{name}'")))
        }
        NodeCommand::ListNodeAuthAttemptStats => {
            let node = session.node_name()?;
            session.tell(format!("Listing authentication attempts for node \"{node}\" ..."));
            let overview = session.value("/api/overview")?;
            let path = format!("/api/auth/attempts/{}", part(&text_at(&overview, "/node")));
            let columns =
                ["protocol", "auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded"];
            let columns = columns.map(str::to_owned).to_vec();
            Ok(columns::said(columns, &session.list(&path)?, true))
        }
    }
}

fn version(session: &Session) -> Result<Said, Failure> {
    let version = text_at(&session.value("/api/overview")?, "/rabbitmq_version");
    Ok(Said::Text(version.clone(), json!(version)))
}

fn text_at(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn line(listener: &Value) -> String {
    let ip = text_at(listener, "/ip_address");
    let ip = if ip.contains(':') { format!("[{ip}]") } else { ip };
    let (port, protocol) = (text_at(listener, "/port"), text_at(listener, "/protocol"));
    let purpose = match protocol.as_str() {
        "amqp" => "AMQP 0-9-1",
        "amqp/ssl" => "AMQP 0-9-1 over TLS",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS (HTTPS)",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        "stream" => "stream",
        "stream/ssl" => "stream over TLS",
        other => other,
    };
    format!("Interface: {ip}, port: {port}, protocol: {protocol}, purpose: {purpose}")
}

/// What the node tells of itself.
pub(super) fn own(session: &Session) -> Result<(Value, Value), Failure> {
    let overview = session.value("/api/overview")?;
    let node = session.value(&format!("/api/nodes/{}", part(&text_at(&overview, "/node"))))?;
    Ok((overview, node))
}

fn status(session: &Session) -> Result<Said, Failure> {
    session.tell(format!("Status of node {} ...", session.node_name()?));
    let (overview, node) = own(session)?;
    let uptime_ms = node.get("uptime").and_then(Value::as_u64).unwrap_or_default();
    let number = |pointer: &str| node.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let alarms: Vec<_> = [("mem_alarm", "memory"), ("disk_free_alarm", "disk")]
        .iter()
        .filter(|(field, _)| node.get(*field) == Some(&Value::Bool(true)))
        .map(|(_, name)| *name)
        .collect();
    let listeners = listeners(session)?;
    let lines: Vec<_> = listeners.iter().map(line).collect();
    let totals = |name: &str| text_at(&overview, &format!("/object_totals/{name}"));
    let text = format!(
        "Runtime\n\nOS PID: {}\nUptime (seconds): {}\nIs under maintenance?: false\n\
         RabbitMQ version: {}\nleveret version: {}\nNode name: {}\n\nAlarms\n\n{}\n\nMemory\n\n\
         Total memory used: {:.4} gb\nMemory high watermark: {:.4} gb\n\nFile Descriptors\n\n\
         Total: {}, limit: {}\n\nFree Disk Space\n\nFree disk space: {:.4} gb\n\nTotals\n\n\
         Connection count: {}\nQueue count: {}\nVirtual host count: {}\n\nListeners\n\n{}",
        text_at(&node, "/os_pid"),
        uptime_ms / 1000,
        text_at(&overview, "/rabbitmq_version"),
        env!("CARGO_PKG_VERSION"),
        text_at(&overview, "/node"),
        if alarms.is_empty() { "(none)".to_owned() } else { alarms.join("\n") },
        number("/mem_used") as f64 / 1e9,
        number("/mem_limit") as f64 / 1e9,
        number("/fd_used"),
        number("/fd_total"),
        number("/disk_free") as f64 / 1e9,
        totals("connections"),
        totals("queues"),
        session.list("/api/vhosts?columns=name")?.len(),
        lines.join("\n"),
    );
    let value = json!({
        "pid": number("/os_pid").max(text_at(&node, "/os_pid").parse().unwrap_or_default()),
        "uptime": uptime_ms / 1000,
        "rabbitmq_version": text_at(&overview, "/rabbitmq_version"),
        "node_name": text_at(&overview, "/node"),
        "alarms": alarms,
        "listeners": listeners,
        "totals": overview.get("object_totals"),
        "is_under_maintenance": false,
    });
    Ok(Said::Text(text, value))
}

fn cluster_status(session: &Session) -> Result<Said, Failure> {
    let node = session.node_name()?;
    session.tell(format!("Cluster status of node {node} ..."));
    let overview = session.value("/api/overview")?;
    let (name, cluster) = (text_at(&overview, "/node"), text_at(&overview, "/cluster_name"));
    let version = text_at(&overview, "/rabbitmq_version");
    let listeners = listeners(session)?;
    let line = |one: &Value| format!("Node: {name}, {}", line(one).replacen('I', "i", 1));
    let lines: Vec<String> = listeners.iter().map(line).collect();
    let text = format!(
        "Basics\n\nCluster name: {cluster}\n\nDisk Nodes\n\n{name}\n\nRunning Nodes\n\n{name}\n\n\
         Versions\n\n{name}: RabbitMQ {version}\n\nNetwork Partitions\n\n(none)\n\nListeners\n\n{}",
        lines.join("\n")
    );
    let value = json!({
        "cluster_name": cluster, "disk_nodes": [name], "ram_nodes": [], "running_nodes": [name],
        "partitions": {}, "listeners": { name: listeners },
    });
    Ok(Said::Text(text, value))
}

/// Asks until the server answers, or the time is over.
fn await_startup(session: &Session) -> Result<Said, Failure> {
    let looks = session.timeout_s.saturating_mul(1000) / LOOK.as_millis() as u64;
    let mut looked = 0;
    loop {
        let asked = session.client.try_ask(Method::GET, "/api/health/checks/is-in-service", None);
        match asked {
            Ok(answer) if answer.status != 503 => return Ok(Said::Nothing),
            _ if looked >= looks => break,
            _ => looked += 1,
        }
        std::thread::sleep(LOOK);
    }
    let text = format!(
        "the server at {} did not start within {} s",
        session.client.authority, session.timeout_s
    );
    Err(Failure::new(failure::UNAVAILABLE, text))
}

/// Tells the process of the server to stop, as `kill` does.
#[cfg(unix)]
fn stop(session: &Session, is_awaited: bool) -> Result<Said, Failure> {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let (_, node) = own(session)?;
    let refused = |text: String| Failure::new(failure::UNAVAILABLE, text);
    if !session.client.is_here() {
        return Err(refused(format!(
            "a server is stopped on its own machine, and not from {}",
            session.client.authority
        )));
    }
    let id = text_at(&node, "/os_pid");
    let pid: i32 = id
        .parse()
        .ok()
        .filter(|&pid| pid > 1)
        .ok_or_else(|| refused(format!("the server does not tell its process: '{id}'")))?;
    session.tell(format!("Stopping and halting node {} ...", text_at(&node, "/name")));
    kill(Pid::from_raw(pid), Signal::SIGTERM)
        .map_err(|error| refused(format!("process {pid} cannot be stopped: {error}")))?;
    let looks = session.timeout_s.saturating_mul(1000) / LOOK.as_millis() as u64;
    for _ in 0..if is_awaited { looks } else { 0 } {
        if kill(Pid::from_raw(pid), None).is_err() {
            return Ok(Said::Nothing);
        }
        std::thread::sleep(LOOK);
    }
    Ok(Said::Nothing)
}

#[cfg(not(unix))]
fn stop(_: &Session, _: bool) -> Result<Said, Failure> {
    Err(Failure::new(failure::UNAVAILABLE, "stop the server's process"))
}
