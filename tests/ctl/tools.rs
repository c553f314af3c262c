//! The program by other names; plugins; what makes no sense here; completions and manual pages.

use std::process::Command;

use crate::{Server, run};

/// Runs the program by another name, as a link has it.
#[cfg(unix)]
fn called(name: &str, server: &Server, arguments: &[&str]) -> crate::Said {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join(name);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leveret"), &link).unwrap();
    let url = format!("http://{}", server.http);
    run(Command::new(link).args(arguments).env("LEVERET_CTL_URL", url), "")
}

#[cfg(unix)]
#[test]
fn links_make_it_rabbitmqs_tools() {
    let server = Server::start();
    let said = called("rabbitmqctl", &server, &["-n", "rabbit@x", "list_users", "-s"]);
    assert_eq!((said.status, said.output.as_str()), (0, "guest\t[administrator]\n"));
    assert_eq!(called("rabbitmq-diagnostics", &server, &["-q", "ping"]).output, "Ping succeeded\n");
    assert_eq!(called("rabbitmq-queues", &server, &["rebalance", "all"]).status, 0);
    assert_eq!(called("rabbitmq-streams", &server, &["list_stream_connections"]).status, 0);
    assert_eq!(called("rabbitmqctl", &server, &["nosuch"]).status, 64);
    assert_eq!(called("rabbitmqctl", &server, &["list_users", "--bogus"]).status, 64);
    assert_eq!(called("rabbitmqctl", &server, &["--help"]).status, 0);
    assert_eq!(called("rabbitmqctl", &server, &["help", "list_users"]).status, 0);
}

#[cfg(unix)]
#[test]
fn plugins_are_built_in_or_not_there() {
    let server = Server::start();
    let plugins = |arguments: &[&str]| called("rabbitmq-plugins", &server, arguments);
    let enable = ["enable", "--offline", "rabbitmq_management", "rabbitmq_prometheus"];
    assert_eq!(plugins(&enable).status, 0);
    let said = plugins(&["enable", "rabbitmq_mqtt"]);
    assert_eq!(said.status, 70);
    assert!(said.errors.contains("{:plugins_not_found, [:rabbitmq_mqtt]}"), "{said:?}");
    assert_eq!(plugins(&["is_enabled", "rabbitmq_stream"]).status, 0);
    assert_eq!(plugins(&["is_enabled", "rabbitmq_federation"]).status, 0);
    assert_eq!(plugins(&["is_enabled", "rabbitmq_mqtt"]).status, 69);
    assert!(plugins(&["list", "-m", "-q"]).output.contains("rabbitmq_management\n"));
    assert_eq!(plugins(&["disable", "rabbitmq_mqtt"]).status, 0);
}

#[cfg(unix)]
#[test]
fn the_exchange_of_events_is_a_plugin_that_can_be_enabled() {
    let server = Server::start();
    let plugins = |arguments: &[&str]| called("rabbitmq-plugins", &server, arguments);
    let events = "rabbitmq_event_exchange";
    let exchanges = || server.output(&["-q", "list_exchanges", "name"]);
    assert_eq!(plugins(&["is_enabled", events]).status, 69);
    assert!(!exchanges().contains("amq.rabbitmq.event"));
    assert_eq!(plugins(&["enable", events, "rabbitmq_management"]).status, 0);
    assert!(exchanges().contains("amq.rabbitmq.event"));
    assert_eq!(plugins(&["is_enabled", events]).status, 0);
    assert!(plugins(&["list", "-m", "-q"]).output.contains(events));
    assert_eq!(plugins(&["set", "rabbitmq_management"]).status, 0);
    assert!(!exchanges().contains("amq.rabbitmq.event"));
    let said = plugins(&["enable", "--offline", events]);
    assert!(said.status == 69 && said.errors.contains("LEVERET_EVENT_EXCHANGE"), "{said:?}");
}

#[test]
fn what_makes_no_sense_here_says_so() {
    let server = Server::start();
    for (command, word) in [
        (&["join_cluster", "rabbit@other"][..], "one node"),
        (&["stop_app"], "shutdown"),
        (&["reset"], "data directory"),
        (&["eval", "1 + 1."], "Erlang"),
    ] {
        let (status, text) = server.failure(command);
        assert!(status == 69 && text.contains(word), "{command:?}: {text}");
    }
}

#[test]
fn there_are_completions_and_manual_pages() {
    let leveret = || Command::new(env!("CARGO_BIN_EXE_leveret"));
    for shell in ["bash", "zsh", "fish"] {
        let said = run(leveret().args(["completions", shell]), "");
        assert!(said.status == 0 && said.output.contains("list_queues"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(leveret().arg("man").arg(folder.path()), "").status, 0);
    let page = std::fs::read_to_string(folder.path().join("leveret-serve.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("data"));
}
