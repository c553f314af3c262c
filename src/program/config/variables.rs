//! Environment variables that look like settings and are none.

use leveret::internals::did_you_mean;

use super::layers::{flags, variables};

/// RabbitMQ's variables that have a setting here of another name.
const COUNTERPARTS: [(&str, &str); 8] = [
    ("RABBITMQ_NODE_PORT", "LEVERET_AMQP"),
    ("RABBITMQ_NODE_IP_ADDRESS", "LEVERET_AMQP"),
    ("RABBITMQ_MNESIA_BASE", "LEVERET_DATA_DIR"),
    ("RABBITMQ_MNESIA_DIR", "LEVERET_DATA_DIR"),
    ("RABBITMQ_LOGS", "LEVERET_LOG_LEVEL"),
    ("RABBITMQ_VM_MEMORY_HIGH_WATERMARK", "LEVERET_MEMORY_HIGH_WATERMARK_BYTES"),
    ("RABBITMQ_MANAGEMENT_PORT", "LEVERET_MANAGEMENT"),
    ("RABBITMQ_LOAD_DEFINITIONS", "LEVERET_DEFINITIONS"),
];

/// Those that are for what goes with the program: its packages, tests and benchmarks.
const NOT_THE_SERVERS: [&str; 13] = [
    "LEVERET_BINARY",
    "LEVERET_BENCH_DIR",
    "LEVERET_CLIENT_CACHE",
    "LEVERET_CONFORMANCE",
    "LEVERET_CONFORMANCE_HTTP",
    "LEVERET_CRASH_SEEDS",
    "LEVERET_CTL_PASSWORD",
    "LEVERET_CTL_URL",
    "LEVERET_CTL_USER",
    "LEVERET_DAMAGE_CASES",
    "LEVERET_KILL_ROUNDS",
    "LEVERET_RESTART",
    "LEVERET_WRITE_API",
];

/// A sentence for each variable that somebody may have meant as a setting, and that is not read.
pub(crate) fn unread(names: impl Iterator<Item = String>) -> Vec<String> {
    let known: Vec<String> = flags().iter().flat_map(|flag| variables(flag)).collect();
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with("LEVERET_") || name.starts_with("RABBITMQ_"))
        .filter(|name| !known.contains(name) && !NOT_THE_SERVERS.contains(&name.as_str()))
        .filter(|name| !is_service_link(name))
        .collect();
    names.sort();
    names.iter().map(|name| sentence(name, &known)).collect()
}

fn sentence(name: &str, known: &[String]) -> String {
    let counterpart = COUNTERPARTS.iter().find(|(theirs, _)| *theirs == name);
    match counterpart {
        Some((_, ours)) => {
            format!("environment variable {name} is RabbitMQ's and is not read: set {ours}")
        }
        None if name.starts_with("RABBITMQ_") => format!(
            "environment variable {name} is not read: of RabbitMQ's only RABBITMQ_DEFAULT_USER, \
             RABBITMQ_DEFAULT_PASS, RABBITMQ_DEFAULT_VHOST and RABBITMQ_CONFIG_FILE are"
        ),
        None => {
            let meant = did_you_mean(name, known.iter().map(String::as_str));
            format!("environment variable {name} is no setting and is not read{meant}")
        }
    }
}

/// What Docker and Kubernetes set for a service of this name: `LEVERET_PORT_5672_TCP_ADDR`.
fn is_service_link(name: &str) -> bool {
    let Some((_, rest)) = name.split_once('_') else { return false };
    rest == "PORT"
        || rest.contains("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || rest.contains("_TCP")
        || (rest.starts_with("PORT_") && rest.ends_with("_UDP"))
        || rest.starts_with("ENV_")
        || rest == "NAME"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<String> {
        unread(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn what_looks_like_a_setting_and_is_none_is_told() {
        let told = of(&["LEVERET_HEARTBEAT", "RABBITMQ_NODE_PORT", "RABBITMQ_ERLANG_COOKIE"]);
        assert_eq!(
            told,
            [
                "environment variable LEVERET_HEARTBEAT is no setting and is not read; did you \
                 mean 'LEVERET_HEARTBEAT_S'?",
                "environment variable RABBITMQ_ERLANG_COOKIE is not read: of RabbitMQ's only \
                 RABBITMQ_DEFAULT_USER, RABBITMQ_DEFAULT_PASS, RABBITMQ_DEFAULT_VHOST and \
                 RABBITMQ_CONFIG_FILE are",
                "environment variable RABBITMQ_NODE_PORT is RabbitMQ's and is not read: set \
                 LEVERET_AMQP",
            ]
        );
    }

    #[test]
    fn what_is_read_and_what_others_set_is_not_told() {
        assert_eq!(
            of(&["PATH", "LEVERET_AMQP", "RABBITMQ_DEFAULT_USER", "LEVERET_BINARY"]),
            [""; 0]
        );
        let links = ["LEVERET_SERVICE_HOST", "LEVERET_PORT", "RABBITMQ_PORT_5672_TCP_ADDR"];
        assert_eq!(of(&links), [""; 0]);
    }

    #[test]
    fn counterparts_are_settings() {
        let known: Vec<String> = flags().iter().flat_map(|flag| variables(flag)).collect();
        for (_, ours) in COUNTERPARTS {
            assert!(known.contains(&ours.to_owned()), "{ours}");
        }
    }
}
