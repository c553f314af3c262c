//! What can be changed while the server runs, and what it runs with.

use serde_json::{Value, json};

use super::failure::{self, Failure};
use super::output::Said;
use super::session::Session;
use crate::program::config::ByteSize;

/// Commands that change the node until its next start, and what tells its settings.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum TuningCommand {
    /// Blocks publishers above so much memory: 0.6 of it, or `absolute 4GB`
    SetVmMemoryHighWatermark {
        #[arg(required = true, num_args = 1..=2)]
        watermark: Vec<String>,
    },
    /// Blocks publishers while the disk has less room: 2GB, or `mem_relative 1.5`
    SetDiskFreeLimit {
        #[arg(required = true, num_args = 1..=2)]
        limit: Vec<String>,
    },
    /// Logs as much as this: error, warning, info, debug
    SetLogLevel { level: String },
    /// Tells the settings that the server runs with
    Environment,
}

const WATERMARKS: &str = "/api/leveret/watermarks";

/// Does it.
pub(super) fn run(session: &Session, command: &TuningCommand) -> Result<Said, Failure> {
    let node = session.node_name()?;
    match command {
        TuningCommand::SetVmMemoryHighWatermark { watermark } => {
            let words: Vec<&str> = watermark.iter().map(String::as_str).collect();
            let watermark = match words.as_slice() {
                ["absolute", size] => absolute(size)?,
                [share] => relative(share)?,
                _ => return Err(bad("write 0.6, or absolute 4GB")),
            };
            session.tell(format!("Setting memory threshold on {node} to {} ...", words.join(" ")));
            let body = json!({ "memory_high_watermark": watermark });
            session.put(WATERMARKS, &body).map(|_| Said::Nothing)
        }
        TuningCommand::SetDiskFreeLimit { limit } => {
            let words: Vec<&str> = limit.iter().map(String::as_str).collect();
            let limit = match words.as_slice() {
                ["mem_relative", share] => relative(share)?,
                [size] => absolute(size)?,
                _ => return Err(bad("write 2GB, or mem_relative 1.5")),
            };
            let said = words.join(" ");
            session.tell(format!("Setting disk free limit on {node} to {said} bytes ..."));
            session.put(WATERMARKS, &json!({ "disk_free_limit": limit })).map(|_| Said::Nothing)
        }
        TuningCommand::SetLogLevel { level } => {
            session.tell(format!("Setting log level to \"{level}\" on node {node} ..."));
            // Those of Erlang that are between two here, or beyond.
            let level = match level.as_str() {
                "notice" => "info",
                "critical" | "alert" | "emergency" | "none" => "error",
                level => level,
            };
            let body = json!({ "level": level });
            session.put("/api/leveret/log-level", &body).map(|_| Said::Nothing)
        }
        TuningCommand::Environment => {
            session.tell(format!("Application environment of node {node} ..."));
            let settings = session.value("/api/leveret/environment")?;
            let lines = settings.as_object().into_iter().flatten();
            let lines: Vec<_> = lines.map(|(name, value)| format!("{name} = {value}")).collect();
            Ok(Said::Text(lines.join("\n"), settings))
        }
    }
}

fn bad(text: &str) -> Failure {
    Failure::new(failure::USAGE, text)
}

fn absolute(size: &str) -> Result<Value, Failure> {
    let size: ByteSize = size.parse().map_err(|reason: String| bad(&reason))?;
    Ok(json!({ "absolute": size.0 }))
}

fn relative(share: &str) -> Result<Value, Failure> {
    let share = share.parse().ok().filter(|share: &f64| share.is_finite() && *share >= 0.0);
    let share = share.ok_or_else(|| bad("a share of the memory is a number such as 0.6"))?;
    Ok(json!({ "relative": share }))
}
