//! What the memory of the server is used for.

use std::cmp::Reverse;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::output::Said;
use super::session::{Session, part};

/// Commands about the memory.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum MemoryCommand {
    /// Tells what the memory is used for, the most first
    MemoryBreakdown {
        /// What octets are counted in
        #[arg(long, default_value = "gb")]
        unit: Unit,
    },
}

/// What octets are counted in, by RabbitMQ's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Unit {
    /// Octets
    Bytes,
    /// Millions of them
    Mb,
    /// Thousands of millions
    Gb,
}

impl Unit {
    fn write(self, bytes: u64) -> String {
        match self {
            Self::Bytes => format!("{bytes} bytes"),
            Self::Mb => format!("{:?} mb", rounded(bytes as f64 / 1e6, 1e4)),
            Self::Gb => format!("{:?} gb", rounded(bytes as f64 / 1e9, 1e4)),
        }
    }
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// Does it.
pub(super) fn run(session: &Session, command: &MemoryCommand) -> Result<Said, Failure> {
    let MemoryCommand::MemoryBreakdown { unit } = command;
    session.tell(format!("Reporting memory breakdown on node {}...", session.node_name()?));
    let overview = session.value("/api/overview?columns=node")?;
    let node = overview.get("node").and_then(Value::as_str).unwrap_or_default();
    let told = session.value(&format!("/api/nodes/{}/memory", part(node)))?;
    let all = told.pointer("/memory/total/rss").and_then(Value::as_u64).unwrap_or_default();
    let uses = told.get("memory").and_then(Value::as_object).into_iter().flatten();
    let mut uses: Vec<(&str, u64)> =
        uses.filter_map(|(name, bytes)| Some((name.as_str(), bytes.as_u64()?))).collect();
    uses.sort_by_key(|(_, bytes)| Reverse(*bytes));
    let percentage = |bytes: u64| rounded(bytes as f64 * 100.0 / all.max(1) as f64, 100.0);
    let line = |&(name, bytes): &(&str, u64)| {
        format!("{name}: {} ({:?}%)", unit.write(bytes), percentage(bytes))
    };
    let lines: Vec<_> = uses.iter().map(line).collect();
    let shown = |&(name, bytes): &(&str, u64)| {
        (name.to_owned(), json!({ "bytes": bytes, "percentage": percentage(bytes) }))
    };
    let shown: Map<_, _> = uses.iter().map(shown).collect();
    Ok(Said::Text(lines.join("\n"), Value::Object(shown)))
}
