//! The program over TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::{Folder, connect, first_octets};

struct Program {
    process: Child,
    output: BufReader<ChildStdout>,
    log: BufReader<ChildStderr>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_leveret"))
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let log = BufReader::new(process.stderr.take().unwrap());
        Self { process, output, log }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    fn log_until(&mut self, text: &str) {
        let mut read = String::new();
        while !read.contains(text) {
            assert!(self.log.read_line(&mut read).unwrap() > 0, "it ended; it said: {read}");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address after these words.
fn address(line: &str, what: &str) -> std::net::SocketAddr {
    let (_, rest) = line.split_once(what).unwrap_or_else(|| panic!("no {what} in {line}"));
    rest.split([';', '\n']).next().unwrap().trim().parse().unwrap()
}

#[test]
fn the_server_takes_new_certificates_when_it_is_told() {
    let folder = Folder::new();
    let path = |name: &str| folder.path(name).display().to_string();
    let (cert, key) = (path("server.pem"), path("server.key"));
    let mut server = Program::start(&[
        "serve",
        "--ephemeral",
        "--amqp",
        "none",
        "--management",
        "none",
        "--metrics",
        "none",
        "--stream",
        "none",
        "--amqps",
        "127.0.0.1:0",
        "--https",
        "127.0.0.1:0",
        "--streams-tls",
        "127.0.0.1:0",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ]);
    let line = server.line();
    let (amqps, before) = (address(&line, "AMQPS on "), folder.made.authority());
    assert!(line.contains("; HTTPS API on 127.0.0.1:") && line.contains("; streams over TLS on "));
    first_octets(&mut connect(amqps, &before, None)).unwrap();

    let other = Folder::new();
    for name in ["server.pem", "server.key"] {
        std::fs::copy(other.path(name), folder.path(name)).unwrap();
    }
    // Who takes the wrong scheme, and who does not trust the server, is told what to do.
    let mut plain = std::net::TcpStream::connect(amqps).unwrap();
    plain.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    server.log_until(": the client does not speak TLS, which this port does: use amqps://");
    first_octets(&mut connect(amqps, &other.made.authority(), None)).unwrap_err();
    server.log_until(": the client does not trust the server's certificate");

    let id = server.process.id().to_string();
    assert!(
        Command::new("sh").args(["-c", &format!("kill -HUP {id}")]).status().unwrap().success()
    );
    server.log_until("new connections get the certificates that are in the files now");
    first_octets(&mut connect(amqps, &other.made.authority(), None)).unwrap();

    folder.write("server.pem", "hello");
    server.log_until("the certificates stay as they were: ");
    first_octets(&mut connect(amqps, &other.made.authority(), None)).unwrap();
}

#[test]
fn a_server_with_bad_certificates_does_not_start_and_says_why() {
    let folder = Folder::new();
    folder.write("words.pem", "hello");
    let (cert, key) = (folder.path("words.pem"), folder.path("server.key"));
    let mut server = Program::start(&[
        "serve",
        "--ephemeral",
        "--amqps",
        "127.0.0.1:0",
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ]);
    let mut text = String::new();
    server.log.read_to_string(&mut text).unwrap();
    assert!(!server.process.wait().unwrap().success());
    assert!(
        text.contains("leveret: no TLS: ") && text.contains("words.pem: there is no"),
        "{text}"
    );
}

#[test]
fn the_broker_for_tests_makes_its_own_certificates() {
    let mut program = Program::start(&["test", "--tls"]);
    let ready: Value = serde_json::from_str(&program.line()).unwrap();
    let text = |name: &str| ready["tls"][name].as_str().unwrap().to_owned();
    let uri = text("amqps");
    let place = uri.split(['@', '/']).nth(3).unwrap().parse().unwrap();
    let own =
        leveret::tls::TestCertificate { certificate: text("client_cert"), key: text("client_key") };
    let start = first_octets(&mut connect(place, &text("ca"), Some(&own))).unwrap();
    assert!(start.contains("EXTERNAL"), "{start}");
    program.process.stdin.take().unwrap().flush().unwrap();
    assert!(program.process.wait().unwrap().success());
}
