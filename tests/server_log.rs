//! What the server tells on its standard error, and what it keeps to itself.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// The program, while it serves.
struct Server {
    process: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Server {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_leveret"))
            .args(["serve", "--amqp", "localhost:0", "--management", "none", "--metrics", "none"])
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "it is not ready: {line:?}");
        let log = BufReader::new(process.stderr.take().unwrap());
        Self { process, log, address }
    }

    /// Reads the log up to a line with this text; returns all that was read.
    fn log_until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            assert!(self.log.read_line(&mut read).unwrap() > 0, "it ended; it said: {read}");
        }
        read
    }

    /// Connects, and sends octets; the server has taken them in when this returns.
    fn send(&self, octets: &[u8]) -> Vec<u8> {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.write_all(octets).unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer); // it may be reset
        answer
    }

    #[cfg(feature = "lapin")]
    fn url(&self, user: &str) -> String {
        format!("amqp://{user}:{user}@{}/%2f", self.address)
    }

    /// Ends it as an interrupt does; returns the rest of the log.
    fn stop(mut self) -> String {
        let id = self.process.id().to_string();
        assert!(
            Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().unwrap().success()
        );
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success());
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the test fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ping(address: &str) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_leveret");
    Command::new(program).args(["ping", "--amqp", address]).env_clear().output().unwrap()
}

#[test]
fn variables_that_are_no_settings_are_named_and_users_that_nobody_can_be_warned_of() {
    let variables = [
        ("RABBITMQ_NODE_PORT", "5672"),
        ("RABBITMQ_DEFAULT_USER", "app"),
        ("LEVERET_SERVICE_HOST", "10.0.0.1"),
    ];
    let mut server = Server::start(&[], &variables);
    let log = server.log_until("but AMQP is served to this host alone");
    assert!(log.contains("RABBITMQ_NODE_PORT is RabbitMQ's and is not read: set LEVERET_AMQP"));
    assert!(!log.contains("SERVICE_HOST") && !log.contains("RABBITMQ_DEFAULT_USER"), "{log}");
}

#[test]
fn a_misspelt_variable_is_an_error_that_names_the_one_that_is_meant() {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_leveret"));
    let variables = [("LEVERET_THREAD", "2"), ("LEVERET_SERVICE_HOST", "10.0.0.1")];
    let output = serve.arg("serve").env_clear().envs(variables).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let text = "environment variable LEVERET_THREAD is no setting; did you mean 'LEVERET_THREADS'?";
    assert_eq!(said, format!("leveret: {text}\n"));
}

#[test]
fn the_log_can_go_to_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leveret.log");
    let server = Server::start(&["--log-file", path.to_str().unwrap()], &[]);
    server.send(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(server.stop(), "", "nothing is left for the standard error");
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().flatten().collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let name = file.file_name().into_string().unwrap();
    assert!(name.starts_with("leveret.") && name.ends_with(".log"), "{name}");
    let log = std::fs::read_to_string(file.path()).unwrap();
    assert!(log.contains("this is HTTP") && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn other_protocols_are_called_by_their_names() {
    let mut server = Server::start(&[], &[]);
    for (octets, name) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"[..], "this is TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "this is HTTP"),
        (b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "this is MQTT"),
        (b"\x00\x00\x00\x1d\x00\x12\x00\x03\x00\x00\x00\x01", "this is Kafka"),
    ] {
        server.send(octets);
        let log = server.log_until(name);
        assert!(log.contains("bad protocol header") && log.contains("peer=\"127.0.0.1:"), "{log}");
    }
}

#[test]
fn health_checks_are_answered_and_not_told() {
    let server = Server::start(&[], &[]);
    let answer = ping(&server.address);
    assert!(answer.status.success(), "{answer:?}");
    let said = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert_eq!(said, format!("{} answers\n", server.address));
    drop(TcpStream::connect(&server.address).unwrap()); // as a load balancer asks
    let address = server.address.clone();
    let log = server.stop();
    assert!(!log.contains("peer="), "{log}");
    let answer = ping(&address);
    assert_eq!(answer.status.code(), Some(1));
    let said = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert!(said.starts_with(&format!("leveret: {address} does not answer: ")), "{said}");
    assert!(said.ends_with("--amqp says where to ask\n"), "{said}");
}

#[test]
fn the_start_tells_what_was_in_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &Path| path.join("data").to_str().unwrap().to_owned();
    let path = at(directory.path());
    let mut server = Server::start(&["--data-dir", &path], &[]);
    server.log_until(&format!("data directory {path}: it is new"));
    assert!(server.stop().contains("stopping"));
    let mut server = Server::start(&["--data-dir", &path], &[]);
    server.log_until(
        "1 virtual hosts, 1 users, 0 queues and 0 messages from before; it was stopped in order",
    );
}

#[cfg(feature = "lapin")]
#[tokio::test]
async fn connections_are_called_by_their_names_and_refusals_name_the_user() {
    use lapin::{Connection, ConnectionProperties};
    let mut server = Server::start(&["--lint", "warn"], &[]);
    let properties = ConnectionProperties::default().with_connection_name("billing".into());
    let connection = Connection::connect(&server.url("guest"), properties).await.unwrap();
    let log = server.log_until("connection opened");
    assert!(log.contains("name=\"billing\"") && log.contains("user=\"guest\""), "{log}");
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = lapin::types::FieldTable::default();
    arguments.insert("x-mesage-ttl".into(), lapin::types::AMQPValue::LongUInt(1));
    channel.queue_declare("q".into(), Default::default(), arguments).await.unwrap();
    server.log_until("did you mean 'x-message-ttl'?");
    connection.close(200, "done".into()).await.unwrap();
    assert!(server.log_until("connection closed").contains("name=\"billing\""));
    let wrong = Connection::connect(&server.url("eve"), ConnectionProperties::default()).await;
    assert!(wrong.is_err());
    let log = server.log_until("login refused: user 'eve' - invalid credentials");
    assert!(log.contains("peer=\"127.0.0.1:"), "{log}");
}

fn signal(server: &Server, name: &str) {
    let command = format!("kill -{name} {}", server.process.id());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

/// SIGHUP reads the configuration again; who logs out of the shell that started it stops nothing.
#[test]
fn a_hang_up_reads_the_configuration_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leveret.toml");
    std::fs::write(&file, "log_level = \"info\"\n").unwrap();
    let mut server = Server::start(&["--config", file.to_str().unwrap()], &[]);
    std::fs::write(&file, "log_level = \"debug\"\nchannel_max = 7\n").unwrap();
    signal(&server, "HUP");
    let told = server.log_until("needs a restart");
    assert!(told.contains("the configuration was read again"), "{told}");
    server.send(b"GET / HTTP/1.1\r\n\r\n");
    server.log_until("DEBUG");
    std::fs::write(&file, "log_level = 7\n").unwrap();
    signal(&server, "HUP");
    server.log_until("the configuration stays as it was: ");
    server.send(b"GET / HTTP/1.1\r\n\r\n");
    server.log_until("DEBUG");
    let rest = server.stop();
    assert!(rest.contains("stopping"), "{rest}");
}

/// A client that does not answer connection.close keeps the server from ending, but not twice.
#[test]
fn a_second_stop_ends_it_at_once() {
    let mut server = Server::start(&[], &[]);
    let mut client = TcpStream::connect(&server.address).unwrap();
    client.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    client.write_all(START_OK_TUNE_OK_OPEN).unwrap();
    // What comes is connection.start, tune and open-ok: then it is open.
    let mut taken = Vec::new();
    while !taken.windows(4).any(|octets| octets == [0, 10, 0, 41]) {
        let mut octets = [0; 4096];
        let read = client.read(&mut octets).unwrap();
        assert!(read > 0, "{taken:?}");
        taken.extend_from_slice(&octets[..read]);
    }
    signal(&server, "TERM");
    server.log_until("stopping");
    signal(&server, "TERM");
    server.log_until("stopped at once");
    assert_eq!(server.process.wait().unwrap().code(), Some(1));
}

/// connection.start-ok of `guest`, tune-ok and open.
const START_OK_TUNE_OK_OPEN: &[u8] = b"\x01\x00\x00\x00\x00\x00\x24\x00\x0a\x00\x0b\
    \x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x0c\x00guest\x00guest\x05en_US\xce\
    \x01\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x1f\x07\xff\x00\x02\x00\x00\x00\x00\xce\
    \x01\x00\x00\x00\x00\x00\x08\x00\x0a\x00\x28\x01/\x00\x00\xce";
