//! The node, its health, and its end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Server, run};

#[test]
fn a_server_that_is_well_passes_all_checks() {
    let server = Server::start();
    let port = server.http.port().to_string();
    for check in [
        &["ping"][..],
        &["check_running"],
        &["is_running"],
        &["check_alarms"],
        &["check_local_alarms"],
        &["check_port_connectivity"],
        &["check_port_listener", &port],
        &["check_protocol_listener", "http"],
        &["check_virtual_hosts"],
        &["check_certificate_expiration", "--within", "2", "--unit", "months"],
        &["check_if_node_is_quorum_critical"],
        &["check_if_node_is_mirror_sync_critical"],
        &["node_health_check"],
        &["await_startup"],
        &["wait", "/var/lib/rabbitmq/pid", "--timeout", "5"],
        &["await_online_nodes", "1"],
    ] {
        server.output(check);
    }
    assert_eq!(server.output(&["ping", "-q"]), "Ping succeeded\n");
    let booting = server.output(&["is_booting", "-q", "-n", "rabbit@here"]);
    assert_eq!(
        booting,
        "RabbitMQ on node rabbit@here is fully booted (check with is_running), stopped or has not \
         started booting yet\n"
    );
    let running = server.output(&["check_running", "-q", "-n", "rabbit@here"]);
    assert_eq!(running, "RabbitMQ on node rabbit@here is fully booted and running\n");
}

#[test]
fn a_server_that_is_not_well_fails() {
    let server = Server::start();
    server.broker.set_memory_alarm(true);
    let (status, text) = server.failure(&["check_local_alarms"]);
    assert!(status == 69 && text.contains("memory"), "{text}");
    assert_eq!(server.failure(&["check_port_listener", "1"]).0, 69);
    assert_eq!(server.failure(&["check_protocol_listener", "mqtt"]).0, 69);
    assert_eq!(server.failure(&["await_online_nodes", "3"]).0, 69);
}

#[test]
fn who_is_not_there_or_not_let_in_is_told() {
    let server = Server::start();
    let (status, text) = server.failure(&["list_users", "--url", "http://127.0.0.1:1"]);
    assert!(
        status == 69 && text.contains("unable to perform an operation on the server"),
        "{text}"
    );
    assert_eq!(server.failure(&["ping", "--url", "http://127.0.0.1:1"]).0, 69);
    let (status, text) = server.failure(&["list_users", "--login-password", "wrong"]);
    assert!(status == 77 && text.contains("refuses user 'guest'"), "{text}");
    let late = ["await_startup", "--url", "http://127.0.0.1:1", "--timeout", "1"];
    assert_eq!(server.failure(&late).0, 69);
    assert_eq!(server.failure(&["list_users", "--url", "ftp://x"]).0, 64);
}

#[test]
fn the_node_tells_of_itself() {
    let server = Server::start();
    let status = server.output(&["status", "-q"]);
    assert!(status.contains("RabbitMQ version: 4.0.5") && status.contains("Alarms\n\n(none)"));
    let json: Value =
        serde_json::from_str(&server.output(&["status", "--formatter", "json"])).unwrap();
    assert_eq!(json["rabbitmq_version"], "4.0.5");
    assert!(server.output(&["cluster_status", "-q"]).contains("Running Nodes\n\n"));
    let listeners = server.output(&["listeners", "-q"]);
    let port = server.http.port();
    let line = format!("Interface: 127.0.0.1, port: {port}, protocol: http, purpose: HTTP API\n");
    assert_eq!(listeners, line);
    assert_eq!(server.output(&["server_version", "-q"]), "4.0.5\n");
    assert!(server.output(&["list_feature_flags", "-s"]).contains("\tenabled\n"));
    let flags = server.output(&["list_feature_flags", "stability", "name", "-q"]);
    assert!(
        flags.starts_with("stability\tname\n") && flags.contains("\tquorum_queue\n"),
        "{flags}"
    );
    assert_eq!(server.failure(&["list_feature_flags", "colour"]).0, 64);
    let deprecated = server.output(&["list_deprecated_features"]);
    let head = "Listing deprecated features ...\nname\tdeprecation_phase\n";
    assert!(deprecated.starts_with(head), "{deprecated}");
    assert!(deprecated.contains("transient_nonexcl_queues\tpermitted_by_default\n"));
    let used = server.output(&["list_deprecated_features", "--used", "name"]);
    assert!(used.starts_with("Listing deprecated features in use ...\nname\n"), "{used}");
    assert!(!used.contains("transient_nonexcl_queues"), "{used}");
    assert_eq!(server.output(&["version"]), server.output(&["server_version", "-q"]));
    server.output(&["enable_feature_flag", "all"]);
}

#[test]
#[cfg(target_os = "linux")]
fn the_memory_is_told_by_its_use() {
    let server = Server::start();
    let memory = server.output(&["memory_breakdown"]);
    assert!(memory.starts_with("Reporting memory breakdown on node "), "{memory}");
    assert!(memory.contains("...\nother_system: 0.") && memory.contains("\ncode: 0.0 gb (0.0%)\n"));
    let json = server.output(&["memory_breakdown", "--formatter", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let bytes = json["other_system"]["bytes"].as_u64().unwrap();
    assert!(bytes > 1_000_000 && json["other_system"]["percentage"] == 100.0, "{json}");
    let memory = server.output(&["memory_breakdown", "--unit", "bytes", "-q"]);
    assert!(memory.contains("\nbinary: 0 bytes (0.0%)\n"), "{memory}");
}

#[test]
fn a_server_is_stopped() {
    let serve = ["serve", "--ephemeral", "--amqp", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let mut process = Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args(serve)
        .args(["--metrics", "none"])
        .env("RABBITMQ_DEFAULT_USER", "app")
        .env("RABBITMQ_DEFAULT_PASS", "secret")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (_, rest) = line.split_once("HTTP API on ").unwrap();
    let url = format!("http://{}", rest.split(';').next().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    let command = command.args(["ctl", "shutdown", "-q", "--url", &url]);
    let command = command.env("LEVERET_DEFAULT_PASS", "secret");
    // It is there until somebody waits for it.
    let ended = std::thread::spawn(move || process.wait());
    let said = run(command.args(["--user", "app"]), "");
    assert_eq!(said.status, 0, "{said:?}");
    assert!(ended.join().unwrap().unwrap().success());
}
