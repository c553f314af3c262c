//! The commands that the documentation gives.

use std::path::Path;
use std::process::Command;

use crate::{Server, run};

#[cfg(unix)]
#[test]
fn the_commands_in_the_documentation_work() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md"));
    let text = text.unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("leveret ctl ")).collect();
    assert!(lines.len() > 15, "{lines:?}");
    let script = format!("set -eux\n{}", lines.join("\n"));
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let program = Path::new(env!("CARGO_BIN_EXE_leveret")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path());
    command.env("PATH", format!("{}:{path}", program.display()));
    let said = run(command.env("LEVERET_CTL_URL", format!("http://{}", server.http)), "");
    assert_eq!(said.status, 0, "{said:?}");
}
