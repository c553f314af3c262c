//! Whether others than this machine can reach the server, if that seems to be wanted.

use std::net::SocketAddr;
use std::path::Path;

use crate::program::config::ServerConfig;

/// What to say if the server is reached from this machine alone, where that is of little use: in a
/// container, or with a user who may connect from anywhere.
pub(super) fn only_from_here(config: &ServerConfig, bound: &[SocketAddr]) -> Option<String> {
    if bound.iter().any(|address| !address.ip().is_loopback()) {
        return None;
    }
    let why = if is_container() {
        "in a container"
    } else if !config.loopback_users.contains(&config.default_user) {
        "with a user who may connect from anywhere"
    } else {
        return None;
    };
    let port = bound.first().map_or(5672, SocketAddr::port);
    Some(format!(
        "{why}, but AMQP is served to this host alone: amqp = [\"0.0.0.0:{port}\"] in the file, \
         LEVERET_AMQP or --amqp lets others connect"
    ))
}

fn is_container() -> bool {
    let marks = ["/.dockerenv", "/run/.containerenv"];
    marks.iter().any(|mark| Path::new(mark).exists())
        || ["KUBERNETES_SERVICE_HOST", "container"].iter().any(|n| std::env::var_os(n).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_from_anywhere_cannot_come_to_the_loopback_interface() {
        let local = ["127.0.0.1:5672".parse().unwrap()];
        let config = ServerConfig { loopback_users: Vec::new(), ..ServerConfig::default() };
        let text = only_from_here(&config, &local).unwrap();
        assert!(text.contains("amqp = [\"0.0.0.0:5672\"]"), "{text}");
        assert_eq!(only_from_here(&config, &["0.0.0.0:5672".parse().unwrap()]), None);
    }
}
