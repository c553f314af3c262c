//! The server as others start it: with rabbitmq.conf, by systemd, in a container.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::run;

/// A server, while it runs.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let quiet = ["serve", "--ephemeral", "--metrics", "none", "--stream", "none"];
        let mut process = Command::new(env!("CARGO_BIN_EXE_leveret"))
            .args(quiet)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("Server startup complete"), "{line}");
        Self(process)
    }

    /// Ends it; returns its log.
    fn stop(mut self) -> String {
        let id = self.0.id().to_string();
        assert!(run(Command::new("sh").args(["-c", &format!("kill -TERM {id}")]), "").status == 0);
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.0.wait().unwrap().success(), "{log}");
        log
    }
}

#[test]
fn rabbitmq_conf_is_read_and_what_is_not_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rabbitmq.conf");
    let text =
        "listeners.tcp.1 = 127.0.0.1:0\nmanagement.tcp.port = 0\nmqtt.allow_anonymous = no\n";
    std::fs::write(&file, text).unwrap();
    let without_end = folder.path().join("rabbitmq").display().to_string();
    let server = Running::start(&[], &[("RABBITMQ_CONFIG_FILE", &without_end)]);
    let log = server.stop();
    assert!(log.contains("'mqtt.allow_anonymous' is no setting here and is not read"), "{log}");
    let path = file.display().to_string();
    let server = Running::start(&["--rabbitmq-conf", &path, "--amqp", "127.0.0.1:0"], &[]);
    assert!(server.stop().contains("mqtt.allow_anonymous"));
}

#[test]
fn the_log_may_be_json() {
    let places = ["--amqp", "127.0.0.1:0", "--management", "none", "--log-format", "json"];
    let log = Running::start(&places, &[]).stop();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_told = |line: &serde_json::Value| {
        line["level"] == "INFO" && line["fields"]["message"] == "stopping"
    };
    assert!(lines.iter().any(is_told), "{log}");
}

#[test]
fn the_log_is_found_and_its_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (log, socket) = (folder.path().join("a.log"), folder.path().join("s"));
    let (log, socket) = (log.display().to_string(), socket.display().to_string());
    let server = ["--amqp", "127.0.0.1:0", "--management", "127.0.0.1:0", "--log-file", &log];
    let more = ["--ctl-socket", &socket, "--log-level", "info"];
    let server = Running::start(&[&server[..], &more].concat(), &[]);
    let ctl = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
        run(command.args(["ctl", "-q", "--socket", &socket]).args(arguments), "").output
    };
    let place = ctl(&["log_location"]);
    let written = std::fs::read_to_string(place.trim_end()).unwrap();
    assert!(!written.is_empty(), "{place}");
    let (_, started) = written.split_once("INFO started").unwrap();
    let started = format!("+00:00 [info] started{}", started.lines().next().unwrap());
    let told = ctl(&["log_tail"]);
    assert!(told.contains(&started), "{told} {written}");
    assert_eq!(ctl(&["log_tail", "-N", "1"]).lines().count(), 1);
    server.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told() {
    use std::os::unix::net::UnixDatagram;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let heard = || {
        let mut octets = [0; 256];
        let length = socket.recv(&mut octets).unwrap();
        String::from_utf8_lossy(&octets[..length]).trim().to_owned()
    };
    let place = path.display().to_string();
    let variables = [("NOTIFY_SOCKET", place.as_str()), ("WATCHDOG_USEC", "600000000")];
    let places = ["--amqp", "127.0.0.1:0", "--management", "none"];
    let server = Running::start(&places, &variables);
    let told = [heard(), heard()];
    assert!(told.contains(&"READY=1".into()) && told.contains(&"WATCHDOG=1".into()), "{told:?}");
    server.stop();
    assert_eq!(heard(), "STOPPING=1");
}
