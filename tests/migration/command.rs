//! The command, as an operator runs it.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use leveret::Broker;

use crate::cluster::Cluster;

/// A migration of one broker.
pub(crate) struct Migration {
    http: SocketAddr,
    arguments: Vec<String>,
}

/// What the command said, and whether it ended with status 0.
#[derive(Debug)]
pub(crate) struct Said {
    pub is_well: bool,
    pub output: String,
    pub errors: String,
}

/// A command that runs.
pub(crate) struct Running(Child);

impl Migration {
    /// To a cluster.
    pub(crate) fn of(broker: &Broker, cluster: &Cluster) -> Self {
        let mut arguments: Vec<_> =
            cluster.uris().into_iter().flat_map(|uri| ["--to".to_owned(), uri]).collect();
        arguments.extend(["--management".to_owned(), cluster.management()]);
        Self::with(broker, arguments)
    }

    /// With these arguments.
    pub(crate) fn with(broker: &Broker, arguments: Vec<String>) -> Self {
        Self { http: broker.serve_http("127.0.0.1:0").unwrap(), arguments }
    }

    /// Runs the command with further arguments.
    pub(crate) fn run(&self, more: &[&str]) -> Said {
        self.start(more).wait()
    }

    /// Starts it.
    pub(crate) fn start(&self, more: &[&str]) -> Running {
        let child = Command::new(env!("CARGO_BIN_EXE_leveret"))
            .args(["migrate", "--url", &format!("http://{}", self.http)])
            .args(&self.arguments)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Running(child.unwrap())
    }
}

impl Running {
    /// Ends it without a word.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it ends.
    pub(crate) fn wait(self) -> Said {
        let output = self.0.wait_with_output().unwrap();
        let said = Said {
            is_well: output.status.success(),
            output: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        };
        println!("{}{}", said.output, said.errors);
        said
    }
}

/// What `leveret definitions export` writes.
pub(crate) fn definitions(broker: &Broker) -> String {
    let http = broker.serve_http("127.0.0.1:0").unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args(["definitions", "export", "--url", &format!("http://{http}")])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}
