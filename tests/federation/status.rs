//! What is told of links, and having one begin anew, by `leveret ctl` and so over HTTP.

use std::process::Command;

use leveret::Broker;
use serde_json::{Value, json};

use crate::{Federated, SOON};

/// Runs `leveret ctl`; tells whether it succeeds, and what it says.
fn ctl(broker: &Broker, http: std::net::SocketAddr, arguments: &[&str]) -> (bool, String) {
    let _serving = broker;
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.env_clear().env("LEVERET_CTL_URL", format!("http://{http}"));
    let output = command.arg("ctl").args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn links(broker: &Broker, http: std::net::SocketAddr, more: &[&str]) -> Vec<Value> {
    let arguments = [&["-q", "federation_status", "--formatter", "json"], more].concat();
    serde_json::from_str(&ctl(broker, http, &arguments).1).unwrap()
}

#[test]
fn links_are_told_with_what_rabbitmq_tells_of_them() {
    let (up, down) = (Broker::new().named("up"), Broker::new().named("down"));
    let http = down.serve_http("127.0.0.1:0").unwrap();
    down.exchange("events");
    down.bound("q", "events", "k");
    let uri = up.uri();
    down.federate("events", &uri, json!({"exchange": "there"}));
    down.wait_for_links(1, "running");
    let told = links(&down, http, &[]);
    let link = &told[0];
    for (key, value) in [
        ("status", "running"),
        ("type", "exchange"),
        ("vhost", "/"),
        ("upstream", "up"),
        ("exchange", "events"),
        ("upstream_exchange", "there"),
        ("queue", ""),
        ("error", ""),
    ] {
        assert_eq!(link[key], value, "{link}");
    }
    assert_eq!(link["uri"], uri.replace("guest:guest@", ""));
    assert!(links(&down, http, &["--only-down"]).is_empty());
    let since = down.link().unwrap().since;
    let id = link["id"].as_str().unwrap();
    assert_eq!(id.len(), 8);
    let (restarted, _) = ctl(&down, http, &["restart_federation_link", id]);
    assert!(restarted);
    let is_anew = |down: &Broker| {
        down.link().is_some_and(|link| link.state == "running" && link.since > since)
    };
    down.wait_until(SOON, is_anew).unwrap();
    assert!(!ctl(&down, http, &["restart_federation_link", "00000000"]).0);
    down.federate("events", "amqp://127.0.0.1:1", json!({}));
    down.wait_for_links(1, "error");
    let told = links(&down, http, &["--only-down"]);
    assert_eq!(told[0]["status"], "error");
    assert!(told[0]["error"].as_str().unwrap().starts_with("upstream: amqp://127.0.0.1:1: "));
}
