//! The local socket, which needs no password.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use leveret::Broker;

use crate::{Said, run};

/// Runs `leveret ctl` with a data directory in its environment.
fn ctl(directory: &std::path::Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.arg("ctl").args(arguments).env_remove("LEVERET_CTL_URL");
    run(command.env("LEVERET_DATA_DIR", directory), "")
}

#[test]
fn who_may_open_the_socket_needs_no_password() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ctl.sock");
    let broker = Broker::builder().default_user("shop", "secret").build();
    broker.serve_http_locally(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let said = ctl(directory.path(), &["-q", "list_users", "--formatter", "json"]);
    assert!(said.status == 0 && said.output.contains("shop"), "{said:?}");
    let made = ctl(directory.path(), &["add_vhost", "orders"]);
    assert_eq!(made.status, 0, "{made:?}");
    let login = |password| ctl(directory.path(), &["authenticate_user", "shop", password]).status;
    assert_eq!(login("secret"), 0);
    assert_ne!(login("wrong"), 0, "a login that is given is checked");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ctl.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a server that has crashed has left it");
    let broker = Broker::new();
    broker.serve_http_locally(&path).unwrap();
    let other = Broker::new();
    assert!(other.serve_http_locally(&path).is_err(), "a server listens there");
    let file = directory.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    assert!(other.serve_http_locally(&file).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    drop(broker);
    assert!(!path.exists(), "a server that has stopped leaves none");
}

#[test]
fn a_server_that_stops_leaves_the_socket_of_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ctl.sock");
    let broker = Broker::new();
    broker.serve_http_locally(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(broker);
    assert!(path.exists());
}
