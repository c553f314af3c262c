//! The command `leveret definitions`: what of a definitions file a broker can have, and what a
//! running server has.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::program::ctl::failure::Failure;
use crate::program::ctl::options::Server;
use crate::program::ctl::session::{Session, client};
use crate::program::definitions::{FileError, complete, one_line, read};
use leveret::definitions::{Definitions, RefusedObject};
use leveret::{Broker, Error, ImportError};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be done with definitions.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum DefinitionsCommand {
    /// Tells what of a definitions file cannot be had, and why, object by object. Ends with status
    /// 0 if all can, 1 if not, 2 if it cannot be read.
    Check {
        /// Definitions file as RabbitMQ exports it.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Writes what a running server has, as RabbitMQ exports and imports it.
    Export {
        #[command(flatten)]
        server: Server,
        /// File to write; default: the standard output
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// The file is no definitions.
    #[error(transparent)]
    File(#[from] FileError),
    /// A broker in memory does not fail so.
    #[error(transparent)]
    Import(#[from] Error),
    /// The server does not answer, or refuses.
    #[error("{0}")]
    Server(String),
    /// The file cannot be written.
    #[error("{}: {reason}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// What to print.
    pub text: String,
    /// Whether all can be had.
    pub is_complete: bool,
}

/// Does it.
///
/// # Errors
/// If there are no definitions, or nowhere to write them.
pub(crate) fn run(command: &DefinitionsCommand) -> Result<Checked, CheckError> {
    match command {
        DefinitionsCommand::Check { file } => check(file),
        DefinitionsCommand::Export { server, file } => {
            let text = exported(server).map_err(|error| CheckError::Server(error.into_reason()))?;
            let Some(path) = file else { return Ok(Checked { text, is_complete: true }) };
            let written = std::fs::write(path, text);
            let unwritable = |reason| CheckError::Unwritable { path: path.clone(), reason };
            written.map_err(unwritable)?;
            Ok(Checked { text: String::new(), is_complete: true })
        }
    }
}

fn exported(server: &Server) -> Result<String, Failure> {
    let session = Session::over(client(server, PATIENCE)?, "/".to_owned());
    Ok(format!("{:#}\n", session.value("/api/definitions")?))
}

/// Brings the definitions into a broker in memory.
fn check(file: &Path) -> Result<Checked, CheckError> {
    let (definitions, mut refused) = read(file)?;
    let objects = count(&definitions) + refused.len();
    let broker = Broker::builder().no_default_user().build();
    match broker.import(&complete(definitions, "/")) {
        Ok(()) => {}
        Err(ImportError::Refused(more)) => refused.extend(more),
        Err(ImportError::Storage(error)) => return Err(error.into()),
    }
    Ok(Checked { text: text(file, objects, &refused), is_complete: refused.is_empty() })
}

fn text(file: &Path, objects: usize, refused: &[RefusedObject]) -> String {
    let file = file.display();
    if refused.is_empty() {
        return format!("{file}: all {objects} objects can be had\n");
    }
    let mut text = String::new();
    for object in refused {
        let _ = writeln!(text, "{}", one_line(object)); // a String takes all
    }
    let left = refused.len();
    let _ = writeln!(text, "{file}: {left} of {objects} objects cannot be had; the rest can");
    text
}

fn count(definitions: &Definitions) -> usize {
    let Definitions {
        users,
        vhosts,
        permissions,
        topic_permissions,
        parameters,
        global_parameters,
        policies,
        queues,
        exchanges,
        bindings,
        ..
    } = definitions;
    let access = users.len() + permissions.len() + topic_permissions.len();
    let topology = vhosts.len() + queues.len() + exchanges.len() + bindings.len();
    access + topology + parameters.len() + global_parameters.len() + policies.len()
}
