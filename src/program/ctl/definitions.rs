//! Definitions, out and in.

use std::io::Read;

use serde_json::Value;

use super::failure::{self, Failure};
use super::output::Said;
use super::parameters::json;
use super::session::Session;

/// Octets of a file of definitions that are read at most.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Commands about definitions.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum DefinitionsCommand {
    /// Writes the definitions to a file, as JSON; `-` is the standard output
    ExportDefinitions {
        file: String,
        /// json
        #[arg(long, default_value = "json")]
        format: String,
    },
    /// Reads definitions from a file, or from the standard input
    ImportDefinitions {
        file: Option<String>,
        /// json
        #[arg(long, default_value = "json")]
        format: String,
        /// Only if they have changed, which is always looked at: what is there stays as it is
        #[arg(long = "skip-if-unchanged")]
        skip_if_unchanged: bool,
    },
}

/// Does it.
pub(super) fn run(session: &Session, command: &DefinitionsCommand) -> Result<Said, Failure> {
    let (DefinitionsCommand::ExportDefinitions { format, .. }
    | DefinitionsCommand::ImportDefinitions { format, .. }) = command;
    if !format.eq_ignore_ascii_case("json") {
        return Err(Failure::new(failure::USAGE, "definitions are read and written as JSON alone"));
    }
    match command {
        DefinitionsCommand::ExportDefinitions { file, .. } if file == "-" => {
            let definitions = session.value("/api/definitions")?;
            Ok(Said::Text(definitions.to_string(), definitions))
        }
        DefinitionsCommand::ExportDefinitions { file, .. } => {
            session.tell(format!("Exporting definitions in JSON to a file at \"{file}\" ..."));
            let definitions = session.value("/api/definitions")?;
            std::fs::write(file, definitions.to_string())
                .map_err(|error| unusable(file, &error))?;
            Ok(Said::Nothing)
        }
        DefinitionsCommand::ImportDefinitions { file, .. } => {
            let definitions = read(session, file.as_deref())?;
            session.post("/api/definitions", &definitions)?;
            Ok(Said::well("Definitions were imported"))
        }
    }
}

fn unusable(file: &str, error: &std::io::Error) -> Failure {
    Failure::new(failure::DATA, format!("{file}: {error}"))
}

fn read(session: &Session, file: Option<&str>) -> Result<Value, Failure> {
    let mut text = String::new();
    let done = match file {
        Some(file) => {
            session.tell(format!("Importing definitions in JSON from a file at \"{file}\" ..."));
            std::fs::File::open(file)
                .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        }
        None => {
            session.tell("Importing definitions in JSON from standard input ...");
            std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)
        }
    };
    done.map_err(|error| unusable(file.unwrap_or("standard input"), &error))?;
    json(&text)
}
