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
const NOT_THE_SERVERS: [&str; 17] = [
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
    "LEVERET_OLD_DIRECTORIES",
    "LEVERET_RESTART",
    "LEVERET_TOOL_CACHE",
    "LEVERET_WIRE_ALONE",
    "LEVERET_WRITE_API",
    "LEVERET_WRITE_RIGHTS",
];

/// Variables that somebody may have meant as a setting, and that are not read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// A sentence for each one that is named as one of leveret's and is none.
    pub misspelt: Vec<String>,
    /// A sentence for each one of RabbitMQ's.
    pub foreign: Vec<String>,
}

/// Looks through the names of all variables.
pub(crate) fn unread(names: impl Iterator<Item = String>) -> Unread {
    let known: Vec<String> = flags().iter().flat_map(|flag| variables(flag)).collect();
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with("LEVERET_") || name.starts_with("RABBITMQ_"))
        .filter(|name| !known.contains(name) && !NOT_THE_SERVERS.contains(&name.as_str()))
        .filter(|name| !is_service_link(name))
        .collect();
    names.sort();
    let mut unread = Unread::default();
    for name in names {
        let sentences = match name.starts_with("LEVERET_") {
            true => &mut unread.misspelt,
            false => &mut unread.foreign,
        };
        sentences.push(sentence(&name, &known));
    }
    unread
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
            format!("environment variable {name} is no setting{meant}")
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

    fn of(names: &[&str]) -> Unread {
        unread(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn what_looks_like_a_setting_and_is_none_is_told() {
        let told = of(&["LEVERET_HEARTBEAT", "RABBITMQ_NODE_PORT", "RABBITMQ_ERLANG_COOKIE"]);
        assert_eq!(
            told.misspelt,
            ["environment variable LEVERET_HEARTBEAT is no setting; did you mean \
              'LEVERET_HEARTBEAT_S'?"]
        );
        assert_eq!(
            told.foreign,
            [
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
            Unread::default()
        );
        let links = ["LEVERET_SERVICE_HOST", "LEVERET_PORT", "RABBITMQ_PORT_5672_TCP_ADDR"];
        assert_eq!(of(&links), Unread::default());
    }

    #[test]
    fn counterparts_are_settings() {
        let known: Vec<String> = flags().iter().flat_map(|flag| variables(flag)).collect();
        for (_, ours) in COUNTERPARTS {
            assert!(known.contains(&ours.to_owned()), "{ours}");
        }
    }
}
