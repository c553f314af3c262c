//! RabbitMQ's definitions: read from a file, and brought into a broker as far as they can be had.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use leveret::definitions::{
    DEFINITIONS_BYTES_MAX, Definitions, DefinitionsError, RefusedObject, VirtualHostDefinition,
};
use leveret::internals::did_you_mean;
use leveret::{Broker, Error, ImportError};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// What exports say besides their sections `[rabbitmq definitions]`.
const REMARKS: [&str; 13] = [
    "rabbit_version",
    "rabbitmq_version",
    "product_name",
    "product_version",
    "rabbitmq_definition_format",
    "original_cluster_name",
    "original_vhost_name",
    "explanation",
    "description",
    "metadata",
    "tags",
    "default_queue_type",
    "limits",
];

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

/// Reads a definitions file, and what is malformed or misspelt in it.
///
/// # Errors
/// When it cannot be read, or is none.
pub(crate) fn read(path: &Path) -> Result<(Definitions, Vec<RefusedObject>), FileError> {
    let json = octets(path);
    let json = json.map_err(|reason| FileError::Unreadable { path: path.to_owned(), reason })?;
    let read = Definitions::from_json_in_part(&json);
    let (definitions, mut refused) =
        read.map_err(|reason| FileError::Bad { path: path.to_owned(), reason })?;
    refused.extend(misspelt(&json));
    Ok((definitions, refused))
}

/// Sections that would be ignored, as what is not known is, and whose names come near to others.
pub(crate) fn misspelt(json: &[u8]) -> Vec<RefusedObject> {
    let Value::Object(sections) = json!(Definitions::default()) else { return Vec::new() };
    let named: BTreeMap<String, IgnoredAny> = serde_json::from_slice(json).unwrap_or_default();
    let is_known = |name: &str| sections.contains_key(name) || REMARKS.contains(&name);
    let refused = named.into_keys().filter(|name| !is_known(name)).filter_map(|name| {
        let meant = did_you_mean(&name, sections.keys().map(String::as_str));
        let reason = format!("there is no such section{meant}");
        (!meant.is_empty()).then(|| RefusedObject { object: format!("section '{name}'"), reason })
    });
    refused.collect()
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
