//! The commands that the documentation gives.

use std::path::Path;
use std::process::Command;

use crate::{Server, run};

/// What the page gives to a shell.
#[cfg(unix)]
fn scripts(page: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

#[cfg(unix)]
#[test]
fn the_commands_about_shovels_work() {
    let script = scripts("docs/beyond-one-node.md");
    assert!(script.contains("set_parameter shovel"), "{script}");
    work(&format!("set -eux\n{script}"));
}

#[cfg(unix)]
#[test]
fn the_commands_in_the_documentation_work() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md"));
    let text = text.unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("leveret ctl ")).collect();
    assert!(lines.len() > 15, "{lines:?}");
    work(&format!("set -eux\n{}", lines.join("\n")));
}

/// Runs a script against a server.
#[cfg(unix)]
fn work(script: &str) {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let program = Path::new(env!("CARGO_BIN_EXE_leveret")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(folder.path());
    command.env("PATH", format!("{}:{path}", program.display()));
    let said = run(command.env("LEVERET_CTL_URL", format!("http://{}", server.http)), "");
    assert_eq!(said.status, 0, "{said:?}");
}
