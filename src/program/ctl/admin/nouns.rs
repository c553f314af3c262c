//! What `rabbitmqadmin` declares, deletes and lists.

/// Something that can be declared.
pub(super) struct Noun {
    pub name: &'static str,
    /// Where it is in the API; names in braces come from what is given.
    pub place: &'static str,
    /// What has to be given.
    pub mandatory: &'static [&'static str],
    /// What else may be given, with what it is if it is not; empty for nothing.
    pub optional: &'static [(&'static str, &'static str)],
}

/// All of them.
pub(super) const NOUNS: &[Noun] = &[
    Noun {
        name: "exchange",
        place: "exchanges/{vhost}/{name}",
        mandatory: &["name", "type"],
        optional: &[
            ("auto_delete", "false"),
            ("durable", "true"),
            ("internal", "false"),
            ("arguments", "{}"),
        ],
    },
    Noun {
        name: "queue",
        place: "queues/{vhost}/{name}",
        mandatory: &["name"],
        optional: &[
            ("auto_delete", "false"),
            ("durable", "true"),
            ("arguments", "{}"),
            ("node", ""),
            ("queue_type", ""),
        ],
    },
    Noun {
        name: "binding",
        place: "bindings/{vhost}/e/{source}/{end}/{destination}",
        mandatory: &["source", "destination"],
        optional: &[("destination_type", "queue"), ("routing_key", ""), ("arguments", "{}")],
    },
    Noun {
        name: "vhost",
        place: "vhosts/{name}",
        mandatory: &["name"],
        optional: &[("tracing", ""), ("description", ""), ("tags", ""), ("default_queue_type", "")],
    },
    Noun {
        name: "user",
        place: "users/{name}",
        mandatory: &["name", "tags"],
        optional: &[("password", ""), ("password_hash", ""), ("hashing_algorithm", "")],
    },
    Noun {
        name: "permission",
        place: "permissions/{vhost}/{user}",
        mandatory: &["vhost", "user", "configure", "write", "read"],
        optional: &[],
    },
    Noun {
        name: "parameter",
        place: "parameters/{component}/{vhost}/{name}",
        mandatory: &["component", "name", "value"],
        optional: &[],
    },
    Noun {
        name: "policy",
        place: "policies/{vhost}/{name}",
        mandatory: &["name", "pattern", "definition"],
        optional: &[("priority", "0"), ("apply-to", "")],
    },
    Noun {
        name: "operator_policy",
        place: "operator-policies/{vhost}/{name}",
        mandatory: &["name", "pattern", "definition"],
        optional: &[("priority", "0"), ("apply-to", "")],
    },
    Noun {
        name: "vhost_limit",
        place: "vhost-limits/{vhost}/{name}",
        mandatory: &["name", "value"],
        optional: &[],
    },
];

/// Names whose values are JSON.
pub(super) const JSON: &[&str] = &["arguments", "definition", "value", "properties", "priority"];

/// What can be listed, and the columns that are shown unless others are named.
pub(super) const LISTS: &[(&str, &[&str])] = &[
    ("bindings", &["source", "destination", "routing_key"]),
    ("channels", &["name", "user"]),
    ("connections", &["name", "user", "channels"]),
    ("consumers", &["channel_details.name", "queue.name", "consumer_tag"]),
    ("exchanges", &["name", "type"]),
    ("nodes", &["name", "type", "mem_used"]),
    ("operator_policies", &["vhost", "name", "pattern", "definition", "priority", "apply-to"]),
    ("parameters", &["component", "vhost", "name", "value"]),
    ("permissions", &["vhost", "user", "configure", "write", "read"]),
    ("policies", &["vhost", "name", "pattern", "definition", "priority", "apply-to"]),
    ("queues", &["name", "messages"]),
    ("users", &["name", "password_hash", "tags"]),
    ("vhost_limits", &["vhost", "value"]),
    ("vhosts", &["name", "messages"]),
];

/// What is listed of a virtual host below it, and not beside it.
pub(super) const BELOW_HOSTS: &[&str] = &["connections", "channels", "permissions"];

/// What belongs to no virtual host.
pub(super) const OF_ALL: &[&str] = &["nodes", "users", "vhosts"];
