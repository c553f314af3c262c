//! Configuration files: in TOML and in RabbitMQ's format, and variables beside them.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use crate::program::config::{self, Invocation};

static FOLDER: LazyLock<PathBuf> =
    LazyLock::new(|| tempfile::tempdir().expect("a directory").keep());

/// A variable's name and value in the first line, `;` for none; then the file. The first octet says
/// which format it has.
pub fn run(data: &[u8]) {
    let [format, data @ ..] = data else { return };
    let flag = if format % 2 == 0 { "--config" } else { "--rabbitmq-conf" };
    let end = data.iter().position(|&octet| octet == b'\n').unwrap_or(0);
    let (line, text) = data.split_at(end);
    let line = String::from_utf8_lossy(line).replace('\0', "");
    let file = FOLDER.join(format!("file-{}", std::process::id()));
    fs::write(&file, text.strip_prefix(b"\n").unwrap_or(text)).expect("it can be written");
    let arguments = ["leveret", "serve", flag].map(OsString::from);
    let environment = |name: &str| {
        let (given, value) = line.split_once('=')?;
        (given == name).then(|| OsString::from(value))
    };
    match config::parse(arguments.into_iter().chain([file.into()]), &environment) {
        Ok(Invocation::Serve(config)) => assert!(!format!("{config:?}").is_empty()),
        Ok(other) => panic!("asked to serve: {other:?}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
