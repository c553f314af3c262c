//! The program's answers to its command line.

#![cfg(feature = "server")]

use std::io;
use std::process::{Command, Output};

fn leveret(arguments: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_leveret")).args(arguments).env_clear().output()
}

fn standard_error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_version_is_printed() {
    let output = leveret(&["--version"]).unwrap();
    assert!(output.status.success());
    let version = format!("leveret {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}

#[test]
fn help_names_commands_options_and_layers() {
    let output = leveret(&["--help"]).unwrap();
    assert!(output.status.success());
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["serve", "--definitions <FILE>", "[default: 127.0.0.1:5672]", "LEVERET_FRAME_MAX"]
    {
        assert!(help.contains(part), "{part} in {help}");
    }
}

#[test]
fn bad_flags_end_with_status_2() {
    let output = leveret(&["--shout"]).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(standard_error(&output).contains("unexpected argument '--shout'"));
}

#[test]
fn bad_configuration_is_one_sentence_and_status_2() {
    let output = leveret(&["--default-vhost", ""]).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        standard_error(&output),
        "leveret: default_user and default_vhost must not be empty\n"
    );
}

#[test]
fn definitions_that_cannot_be_read_end_the_start() {
    let output = leveret(&["serve", "--definitions", "/nonexistent.json"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = standard_error(&output);
    assert!(error.starts_with("leveret: cannot read the definitions file /nonexistent.json: "));
}

#[test]
fn a_broker_for_tests_does_not_start_without_its_definitions() {
    let output = leveret(&["test", "--definitions", "/nonexistent.json"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = standard_error(&output);
    assert!(error.starts_with("leveret: cannot read the definitions file /nonexistent.json: "));
}

#[test]
fn explain_answers_by_a_definitions_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("definitions.json");
    let definitions = r#"{
        "queues": [{"name": "billing", "durable": true, "auto_delete": false, "arguments": {}},
            {"name": 7}],
        "bindings": [{"source": "amq.topic", "destination": "none", "routing_key": "all"},
            {"source": "amq.topic", "destination": "billing", "destination_type": "queue",
            "routing_key": "order.*", "arguments": {}}]
    }"#;
    std::fs::write(&path, definitions).unwrap();
    let path = path.to_str().unwrap();
    let ask = |more: &[&str]| leveret(&[&["explain", "--definitions", path], more].concat());
    let output = ask(&["--exchange", "amq.topic", "--key", "order.new"]).unwrap();
    assert!(output.status.success(), "{}", standard_error(&output));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.contains("It goes to 'billing'."), "{answer}");
    assert_eq!(
        standard_error(&output),
        "leveret: left out of the definitions: queues[1].name: invalid type: integer `7`, expected \
         a string\nleveret: left out of the definitions: binding of 'none' to 'amq.topic': no \
         queue 'none' in vhost '/'\n"
    );
    let output = ask(&["--exchange", "none", "--header", "a=1"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(standard_error(&output).contains("no exchange 'none' in vhost '/'"));
}

#[test]
fn definitions_are_checked_object_by_object() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("definitions.json");
    let path = path.to_str().unwrap();
    let check = |definitions: &str| {
        std::fs::write(path, definitions).unwrap();
        leveret(&["definitions", "check", path]).unwrap()
    };
    // As `rabbitmqctl export_definitions` of RabbitMQ 3.10 writes what is in pairs.
    let exported = r#"{
        "parameters": [
            {"component": "vhost-limits", "name": "limits", "vhost": "/",
                "value": {"max-queues": 5}},
            {"component": "operator_policy", "name": "lim", "vhost": "/", "value": {
                "apply-to": "queues", "definition": [["max-length", 100]], "pattern": "^q",
                "priority": 0}}],
        "global_parameters": [{"name": "mqtt_default_vhosts", "value": [["a", "b"]]}],
        "vhosts": [{"limits": [["max-queues", 5]], "metadata": {"tags": []}, "name": "/"}]}"#;
    let output = check(exported);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        (said, output.status.code()),
        (format!("{path}: all 4 objects can be had\n"), Some(0))
    );
    let output = check(
        r#"{"vhosts": [{"name": "/"}],
        "policies": [{"name": "p", "vhost": "/", "pattern": "(", "definition": {"max-length": 1}}],
        "queues": [{"name": "q", "vhost": "/"}, {"name": 7, "vhost": "/"},
            {"name": "odd", "vhost": "/", "arguments": {"x-max-length": "many"}}],
        "parameters": [{"component": "shovel", "name": "s", "vhost": "/", "value": {}}]}"#,
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("queues[1].name: invalid type") && said.contains("queue 'odd': "),
        "{said}"
    );
    let policy = "policy 'p': Validation failed pattern: pattern '(' is refused: unclosed group\n";
    assert!(said.contains(policy), "{said}");
    assert!(said.ends_with("objects cannot be had; the rest can\n"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    let said = check(r#"{"queue": [{"name": "q"}], "product_name": "RabbitMQ", "unheard_of": 1}"#);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let section = "section 'queue': there is no such section; did you mean 'queues'?\n";
    assert_eq!(said, format!("{section}{path}: 1 of 1 objects cannot be had; the rest can\n"));
    let cut_off = standard_error(&check("{"));
    assert!(cut_off.contains("in the document: EOF while parsing"), "{cut_off}");
    assert_eq!(check("not json").status.code(), Some(2));
}

#[test]
fn a_directory_that_is_no_data_directory_is_called_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let output = leveret(&["data", "inspect", path]).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(standard_error(&output).starts_with(&format!("leveret: {path} is empty: a server")));
}

/// What a server says that cannot start, without what the operating system says.
fn refusal(arguments: &[&str]) -> io::Result<String> {
    let nothing_else = ["--management", "none", "--metrics", "none", "--stream", "none"];
    let output = leveret(&[&["serve"], arguments, &nothing_else[..]].concat())?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    Ok(standard_error(&output))
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let error = refusal(&["--ephemeral", "--amqp", &address]).unwrap();
    assert!(error.starts_with(&format!("leveret: cannot listen on {address}: ")), "{error}");
    assert!(error.contains("has this port: end that, or choose another one"), "{error}");
    let nowhere = refusal(&["--ephemeral", "--amqp", "192.0.2.1:5672"]).unwrap();
    assert!(nowhere.contains("; this machine has no such address"), "{nowhere}");
}

#[test]
fn a_data_directory_that_cannot_be_one_is_told_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = refusal(&["--amqp", "127.0.0.1:0", "--data-dir", file.to_str().unwrap()]).unwrap();
    assert!(error.contains("; it has to be a directory, or a name that nothing has"), "{error}");

    let rabbitmqs = directory.path().join("mnesia");
    std::fs::create_dir(&rabbitmqs).unwrap();
    std::fs::write(rabbitmqs.join("schema.DAT"), "").unwrap();
    let error =
        refusal(&["--amqp", "127.0.0.1:0", "--data-dir", rabbitmqs.to_str().unwrap()]).unwrap();
    assert!(error.contains("is a data directory of RabbitMQ"), "{error}");
    assert!(error.contains("export_definitions"), "{error}");
    assert_eq!(std::fs::read_dir(&rabbitmqs).unwrap().count(), 1, "nothing is written there");
}

#[test]
fn a_data_directory_is_for_one_server() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let broker = leveret::Broker::builder().open(&path).unwrap();
    let path = path.to_str().unwrap();
    let error = refusal(&["--amqp", "127.0.0.1:0", "--data-dir", path]).unwrap();
    assert!(error.ends_with("is in use by another process; it is for one at a time\n"), "{error}");
    let looked = standard_error(&leveret(&["data", "inspect", path]).unwrap());
    assert!(looked.contains("stop that server, or ask it with `leveret inspect`"), "{looked}");
    drop(broker);
    assert!(leveret(&["data", "inspect", path]).unwrap().status.success());
}

#[test]
fn a_reader_that_has_enough_ends_a_command_without_a_word() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("definitions.json");
    std::fs::write(&path, "{}").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.args(["definitions", "check"]).arg(&path).stdout(writer);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(standard_error(&output), "");
}
