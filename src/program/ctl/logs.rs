//! The log of the server.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::failure::Failure;
use super::node::own;
use super::output::Said;
use super::session::Session;

/// Commands about the log.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "commands are called so")]
pub(super) enum LogsCommand {
    /// Tells where the log is written to
    LogLocation {
        /// Ignored: there is one
        #[arg(short, long)]
        all: bool,
    },
    /// Prints the last lines of the log
    LogTail {
        /// How many
        #[arg(short = 'N', long, value_name = "LINES", default_value_t = 50)]
        number: usize,
    },
}

/// Does it.
pub(super) fn run(session: &Session, command: &LogsCommand) -> Result<Said, Failure> {
    let name = session.node_name()?;
    match command {
        LogsCommand::LogLocation { .. } => {
            session.tell(format!("Log file location(s) on node {name} ..."));
            let (_, node) = own(session)?;
            let paths = node.get("log_files").cloned().unwrap_or_default();
            let lines = paths.as_array().into_iter().flatten().filter_map(Value::as_str);
            let text = lines.collect::<Vec<_>>().join("\n");
            Ok(Said::Text(text, json!({ "result": "ok", "node_name": name, "paths": paths })))
        }
        LogsCommand::LogTail { number } => {
            session.tell(format!("Last {number} log lines on node {name} ..."));
            let log = session.value(&format!("/api/leveret/log?last={number}"))?;
            let lines = log.get("lines").and_then(Value::as_array).into_iter().flatten();
            let lines: Vec<_> = lines.map(line).collect();
            Ok(Said::Text(lines.join("\n"), json!(lines)))
        }
    }
}

/// A line as RabbitMQ writes it.
fn line(line: &Value) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = line.get("at").and_then(Value::as_u64).unwrap_or_default();
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(at)).unwrap_or(UNIX_EPOCH);
    let at = humantime::format_rfc3339_micros(at).to_string();
    let at = at.replace('T', " ").replace('Z', "+00:00");
    format!("{at} [{}] {}", text("level"), text("text"))
}
