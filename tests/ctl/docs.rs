//! The commands that the documentation gives.

use std::path::Path;
use std::process::Command;

use leveret::AdvertisedAddress;
use leveret::tls::{TestCertificates, Tls};

use crate::{Server, run};

/// What the page gives to a shell.
#[cfg(unix)]
fn scripts(page: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    // A cluster to move to is not at hand here.
    blocks.filter(|block| !block.contains("leveret migrate")).collect()
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
    let is_command = |line: &&str| {
        let commands = ["ctl ", "top", "inspect", "explain ", "completions ", "man "];
        line.strip_prefix("leveret ")
            .is_some_and(|rest| commands.iter().any(|c| rest.starts_with(c)))
    };
    let lines: Vec<_> = text.lines().filter(is_command).collect();
    assert!(lines.len() > 30, "{lines:?}");
    // What is the system's stands beside the script here.
    let script = lines.join("\n").replace("/etc/bash_completion.d", ".");
    let script = script.replace("/usr/local/share/man/man1", ".");
    work(&format!("set -eux\n{script}"));
}

/// With fewer messages, and where the test's server listens.
#[cfg(unix)]
#[test]
fn the_commands_about_streams_work() {
    let server = Server::start();
    let amqp = server.broker.listen("127.0.0.1:0").unwrap();
    let streams =
        server.broker.listen_for_streams("127.0.0.1:0", AdvertisedAddress::default()).unwrap();
    let script = scripts("docs/streams.md")
        .replace("127.0.0.1:5672", &amqp.to_string())
        .replace("127.0.0.1:5552", &streams.to_string())
        .replace("000000 ", "000 ")
        .replace("--consumers 0", "--consumers 0 --messages 2000");
    assert!(script.matches("leveret bench").count() == 3, "{script}");
    assert!(script.matches("leveret ctl").count() > 5, "{script}");
    work_on(&server, &format!("set -eux\n{script}"));
}

/// Runs a script against a server, which is at `broker.example`, too, and has `ca.pem`.
#[cfg(unix)]
fn work(script: &str) {
    work_on(&Server::start(), script);
}

#[cfg(unix)]
fn work_on(server: &Server, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let made = TestCertificates::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.authority()).unwrap();
    let tls = Tls::open(made.server_settings().unwrap()).unwrap();
    let https = server.broker.serve_https("127.0.0.1:0", &tls).unwrap();
    let place = format!("https://localhost:{}", https.port());
    let script = script.replace("https://broker.example:15671", &place);
    let program = Path::new(env!("CARGO_BIN_EXE_leveret")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path());
    command.env("PATH", format!("{}:{path}", program.display()));
    let said = run(command.env("LEVERET_CTL_URL", format!("http://{}", server.http)), "");
    assert_eq!(said.status, 0, "{said:?}");
}
