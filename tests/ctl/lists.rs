//! Queues, exchanges, connections, policies, parameters, definitions.

use leveret::Publish;

use crate::Server;

/// With a queue `q` that has two messages, bound to `amq.topic`.
fn with_queue() -> (Server, leveret::Connection) {
    let server = Server::start();
    let connection = server.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    channel.queue_bind("q", "amq.topic", "a.#").unwrap();
    for _ in 0..2 {
        assert!(channel.publish(Publish::to_queue("q").body("x")).wait().unwrap().is_ack());
    }
    (server, connection)
}

#[test]
fn queues_are_listed_with_the_columns_that_are_asked_for() {
    let (server, _connection) = with_queue();
    assert_eq!(
        server.output(&["list_queues"]),
        "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\nname\tmessages\nq\t2\n"
    );
    let columns = ["list_queues", "name", "messages_ready", "consumers", "type", "state"];
    assert_eq!(
        server.output(&[&columns[..], &["-q"]].concat()),
        "name\tmessages_ready\tconsumers\ttype\tstate\nq\t2\t0\tclassic\trunning\n"
    );
    let json = server.output(&["list_queues", "name", "messages", "--formatter", "json"]);
    assert_eq!(json, "[\n{\"name\":\"q\",\"messages\":2}\n]\n");
    let csv = server.output(&["list_queues", "name", "--formatter=csv", "--no-table-headers"]);
    assert_eq!(csv, "\"q\"\n");
    assert_eq!(server.output(&["list_queues", "-p", "nowhere", "-q"]), "");
    let lines = server.output(&["list_queues", "name", "--formatter", "json_stream"]);
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let unresponsive = "Listing unresponsive queues for vhost / ...\n";
    assert_eq!(server.output(&["list_unresponsive_queues"]), unresponsive);
    let (status, text) = server.failure(&["list_queues", "name", "bogus"]);
    assert_eq!(status, 64);
    assert!(text.contains("Info key(s) bogus are not supported"), "{text}");
}

#[test]
fn everything_else_is_listed() {
    let (server, connection) = with_queue();
    let channel = connection.open_channel().unwrap();
    let _consumer = channel.basic_consume("q").unwrap();
    let exchanges = server.output(&["list_exchanges", "-s"]);
    assert!(exchanges.contains("amq.topic\ttopic\n") && exchanges.contains("\tdirect\n"));
    let bindings = server.output(&["list_bindings", "source_name", "routing_key", "-s"]);
    assert!(bindings.contains("amq.topic\ta.#\n"), "{bindings}");
    let consumers = server.output(&["list_consumers", "queue_name", "ack_required", "-q"]);
    assert_eq!(consumers, "queue_name\tack_required\nq\ttrue\n");
    let usual = "queue_name\tchannel_pid\tconsumer_tag\tack_required\tprefetch_count\tactive\t\
                 arguments\n";
    assert!(server.output(&["list_consumers", "-q"]).starts_with(usual));
    let channels = server.output(&["list_channels", "user", "consumer_count", "-s"]);
    assert!(channels.contains("guest\t1\n"), "{channels}");
    let connections = server.output(&["list_connections", "user", "state", "-s"]);
    assert_eq!(connections, "guest\trunning\n");
}

#[test]
fn queues_are_purged_and_deleted() {
    let (server, _connection) = with_queue();
    assert_eq!(server.output(&["purge_queue", "q"]), "Purging queue 'q' in vhost '/' ...\n");
    assert_eq!(server.output(&["list_queues", "-s"]), "q\t0\n");
    let deleted = server.output(&["delete_queue", "q", "--if-empty", "--if-unused"]);
    let told = "Deleting queue 'q' on vhost '/' if queue is empty and if queue is unused ...\n";
    assert!(deleted.starts_with(told), "{deleted}");
    assert_eq!(server.failure(&["delete_queue", "q"]), (64, "Error:\nQueue not found\n".into()));
    assert_eq!(server.failure(&["purge_queue", "q"]), (69, "Error:\nnot_found\n".into()));
}

#[test]
fn connections_are_closed() {
    let (server, _connection) = with_queue();
    let name = server.output(&["list_connections", "name", "-s"]);
    server.output(&["close_connection", name.trim_end(), "maintenance"]);
    assert_eq!(server.output(&["list_connections", "-s"]), "");
    assert_eq!(server.failure(&["close_connection", "x", "y"]).0, 69);
    let _other = server.broker.connect().unwrap();
    assert_eq!(
        server.output(&["close_all_connections", "bye"]),
        "Closing all connections in vhost /, reason: bye...\nClosed 1 connections\n"
    );
}

#[test]
fn policies_and_parameters() {
    let server = Server::start();
    let set = ["set_policy", "p", "^x", r#"{"max-length":5}"#, "--priority", "3"];
    assert_eq!(
        server.output(&[&set[..], &["--apply-to", "queues"]].concat()),
        "Setting policy \"p\" for pattern \"^x\" to \"{\"max-length\":5}\" with priority \"3\" for \
         vhost \"/\" ...\n"
    );
    assert_eq!(
        server.output(&["list_policies"]),
        "Listing policies for vhost \"/\" ...\nvhost\tname\tpattern\tapply-to\tdefinition\t\
         priority\n/\tp\t^x\tqueues\t{\"max-length\":5}\t3\n"
    );
    let json = server.output(&["list_policies", "--formatter", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["definition"], r#"{"max-length":5}"#);
    server.output(&["set_operator_policy", "o", "^y", r#"{"max-length":9}"#]);
    assert!(server.output(&["list_operator_policies", "-s"]).starts_with("/\to\t^y\t"));
    server.output(&["clear_operator_policy", "o"]);
    server.output(&["clear_policy", "p"]);
    let gone = server.failure(&["clear_policy", "p"]);
    assert_eq!(gone, (69, "Error:\nParameter does not exist\n".into()));
    let (status, text) = server.failure(&["set_policy", "p", "^x", "junk"]);
    assert!(status == 69 && text.contains("JSON decoding error. Reason: "), "{text}");
    let (_, text) = server.failure(&["set_policy", "p", "^x", r#"{"max-lenght":5}"#]);
    assert!(text.contains(r#"[{<<"max-lenght">>,5}] are not recognised"#), "{text}");
    server.output(&["set_global_parameter", "g", "{\"a\": 1}"]);
    assert!(server.output(&["list_global_parameters", "-s"]).contains("g\t{\"a\":1}\n"));
    server.output(&["clear_global_parameter", "g"]);
    assert_eq!(server.output(&["set_cluster_name", "foo"]), "Setting cluster name to foo ...\n");
}

#[test]
fn definitions_go_out_and_in() {
    let (server, _connection) = with_queue();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("d.json").display().to_string();
    server.output(&["set_policy", "p", "^x", r#"{"max-length":5}"#]);
    assert_eq!(
        server.output(&["export_definitions", &file]),
        format!("Exporting definitions in JSON to a file at \"{file}\" ...\n")
    );
    let other = Server::start();
    other.output(&["import_definitions", &file]);
    assert!(other.output(&["list_policies", "-s"]).starts_with("/\tp\t^x\t"));
    assert_eq!(server.output(&["export_definitions", "-"]).chars().next(), Some('{'));
    assert_eq!(server.failure(&["import_definitions", "/nowhere"]).0, 65);
}
