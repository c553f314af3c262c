//! Whether others than this machine can reach the server, if that seems to be wanted.

use std::net::SocketAddr;
use std::path::Path;

use leveret::names::UserName;

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

/// What to say if others reach the server, and none of its users may come from where they are.
pub(super) fn nobody_from_elsewhere(
    config: &ServerConfig,
    bound: &[SocketAddr],
    users: &[UserName],
) -> Option<String> {
    let is_reached = bound.iter().any(|address| !address.ip().is_loopback());
    let is_for_others = users.iter().any(|user| !config.loopback_users.contains(user));
    // That there are no users at all is told elsewhere.
    if !is_reached || is_for_others || users.is_empty() {
        return None;
    }
    let names: Vec<_> = users.iter().map(|user| format!("'{user}'")).collect();
    let names = names.join(" and ");
    Some(format!(
        "AMQP is served to other hosts, but only {names} may log in, and from this host alone: \
         RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS make another user at a first start, \
         loopback_users = [] in the file or LEVERET_LOOPBACK_USERS=none lets these in from anywhere"
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

    #[test]
    fn a_server_that_only_guest_may_use_from_here_need_not_be_reached_by_others() {
        let (everywhere, here) = ("0.0.0.0:5672".parse().unwrap(), "[::1]:5672".parse().unwrap());
        let config = ServerConfig::default();
        let told = |address, users: &[&str]| {
            let users: Vec<UserName> = users.iter().map(|name| (*name).into()).collect();
            nobody_from_elsewhere(&config, &[address], &users)
        };
        let text = told(everywhere, &["guest"]).unwrap();
        assert!(text.contains("only 'guest' may log in, and from this host alone"), "{text}");
        assert!(text.contains("RABBITMQ_DEFAULT_USER"), "{text}");
        assert_eq!(told(everywhere, &["guest", "app"]), None);
        assert_eq!(told(here, &["guest"]), None);
    }
}
