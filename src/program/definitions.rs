//! RabbitMQ's definitions: read from a file, and brought into a broker as far as they can be had.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use leveret::definitions::{
    DEFINITIONS_BYTES_MAX, Definitions, DefinitionsError, RefusedObject, VirtualHostDefinition,
};
use leveret::{Broker, Error, ImportError};

/// Why there are no definitions.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The file cannot be read.
    #[error("cannot read the definitions file {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The file holds something else.
    #[error("{}: {reason}", .path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: DefinitionsError,
    },
}

/// Reads a definitions file, and what is malformed in it.
///
/// # Errors
/// When it cannot be read, or is none.
pub(crate) fn read(path: &Path) -> Result<(Definitions, Vec<RefusedObject>), FileError> {
    let json = octets(path);
    let json = json.map_err(|reason| FileError::Unreadable { path: path.to_owned(), reason })?;
    let read = Definitions::from_json_in_part(&json);
    read.map_err(|reason| FileError::Bad { path: path.to_owned(), reason })
}

/// Reads a definitions file; tells what is malformed in it, and left out.
///
/// # Errors
/// When it cannot be read, or is none.
pub(crate) fn read_and_tell(
    path: &Path,
    tell: fn(&RefusedObject),
) -> Result<Definitions, FileError> {
    let (definitions, malformed) = read(path)?;
    malformed.iter().for_each(tell);
    Ok(definitions)
}

/// Reads one octet more than allowed at most, so that a huge file is refused and not loaded.
fn octets(path: &Path) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    File::open(path)?.take(DEFINITIONS_BYTES_MAX as u64 + 1).read_to_end(&mut json)?;
    Ok(json)
}

/// Completes definitions with the default virtual host where they bring none. Every object in them
/// names its virtual host then.
pub(crate) fn complete(mut definitions: Definitions, default_vhost: &str) -> Definitions {
    definitions.assign_virtual_host(default_vhost);
    if definitions.vhosts.is_empty() {
        let name = default_vhost.to_owned();
        definitions.vhosts.push(VirtualHostDefinition { name, ..Default::default() });
    }
    definitions
}

/// Brings in what can be had; tells of the rest.
///
/// # Errors
/// If the disk fails.
pub(crate) fn bring_in(
    definitions: &Definitions,
    broker: &Broker,
    tell: fn(&RefusedObject),
) -> Result<(), Error> {
    match broker.import(definitions) {
        Ok(()) => Ok(()),
        Err(ImportError::Refused(refused)) => {
            refused.iter().for_each(tell);
            Ok(())
        }
        Err(ImportError::Storage(error)) => Err(error),
    }
}

/// An object with its reason, which some have in several lines.
pub(crate) fn one_line(refused: &RefusedObject) -> String {
    refused.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Tells whoever started the program.
pub(crate) fn print(refused: &RefusedObject) {
    eprintln!("leveret: left out of the definitions: {}", one_line(refused));
}
