//! Limits of a virtual host `[rabbitmq vhosts#limits]`.

use serde::{Deserialize, Serialize};

/// Limits of a virtual host. A negative one is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct HostLimits {
    /// Most connections at a time: `max-connections`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<i64>,
    /// Most queues: `max-queues`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_queues: Option<i64>,
}

impl HostLimits {
    /// Most connections at a time, if there is a limit.
    pub(crate) fn connections(&self) -> Option<u64> {
        self.max_connections.and_then(|limit| u64::try_from(limit).ok())
    }

    /// Most queues, if there is a limit.
    pub(crate) fn queues(&self) -> Option<u64> {
        self.max_queues.and_then(|limit| u64::try_from(limit).ok())
    }

    /// The limit of that name, to be read or set; `None` if there is no such limit.
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut Option<i64>> {
        match name {
            "max-connections" => Some(&mut self.max_connections),
            "max-queues" => Some(&mut self.max_queues),
            _ => None,
        }
    }
}
