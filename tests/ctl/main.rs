//! `leveret ctl` and RabbitMQ's tools by name: what they say, and how they end. Texts and statuses
//! are those of RabbitMQ 3.10's, where they are not about what is only here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod access;
mod docs;
mod inspect;
mod lists;
#[cfg(unix)]
mod local;
mod node;
mod running;
#[cfg(target_os = "linux")]
mod service;
mod streams;
mod tls;
mod tools;
#[cfg(unix)]
mod top;

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use leveret::Broker;

/// A broker that is told what to do.
struct Server {
    broker: Broker,
    http: SocketAddr,
}

/// What a command says, and its status.
#[derive(Debug)]
struct Said {
    status: i32,
    output: String,
    errors: String,
}

impl Server {
    fn start() -> Self {
        let broker = Broker::new();
        let http = broker.serve_http("127.0.0.1:0").unwrap();
        Self { broker, http }
    }

    /// Runs `leveret ctl`.
    fn ctl(&self, arguments: &[&str]) -> Said {
        self.fed(arguments, "")
    }

    /// The same, with a standard input.
    fn fed(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
        command.arg("ctl").args(arguments);
        run(command.env("LEVERET_CTL_URL", format!("http://{}", self.http)), input)
    }

    /// What a command says that succeeds.
    fn output(&self, arguments: &[&str]) -> String {
        let said = self.ctl(arguments);
        assert_eq!(said.status, 0, "{arguments:?}: {said:?}");
        said.output
    }

    /// The status and the errors of a command that fails.
    fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let said = self.ctl(arguments);
        assert_ne!(said.status, 0, "{arguments:?}: {said:?}");
        (said.status, said.errors)
    }
}

fn run(command: &mut Command, input: &str) -> Said {
    for name in ["LEVERET_DEFAULT_USER", "RABBITMQ_DEFAULT_USER", "LEVERET_CTL_USER"] {
        command.env_remove(name);
    }
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = piped.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    Said {
        status: output.status.code().unwrap(),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}
