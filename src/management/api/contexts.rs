//! Where HTTP is served, in the words of RabbitMQ: each port is a context of its web server.

use crate::management::call::Call;
use crate::management::json::{Object, object};

/// The ports of HTTP, by what is there. All values are texts, as they are in RabbitMQ.
pub(super) fn contexts(call: &Call) -> Vec<Object> {
    let mut found = Vec::new();
    for listener in call.node().listeners.list() {
        let description = match listener.protocol {
            "http" | "https" => "RabbitMQ Management",
            "http/prometheus" => "RabbitMQ Prometheus",
            _ => continue,
        };
        let mut context = object! {
            "description": description,
            "path": "/",
            "cowboy_opts": "[]",
            "port": listener.address.port().to_string(),
        };
        let mut add = |name: &str, text: String| context.insert(name.into(), text.into());
        if !listener.address.ip().is_unspecified() {
            add("ip", listener.address.ip().to_string());
        }
        if listener.protocol == "http/prometheus" {
            add("protocol", format!("'{}'", listener.protocol));
        }
        if listener.certificates.is_some() {
            add("ssl", "true".into());
        }
        found.push((description, listener.address.port(), context));
    }
    found.sort_by_key(|(description, port, _)| (*description, *port));
    found.into_iter().map(|(.., context)| context).collect()
}
