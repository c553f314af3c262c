//! What can be set on the HTTP API.

/// Settings of the HTTP API: see [`BrokerBuilder::http`](crate::BrokerBuilder::http).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Origins whose pages may call the API, such as `https://ops.example`; `*` allows all.
    /// Default: none `[rabbitmq management.cors.allow_origins]`.
    pub cors_allow_origins: Vec<String>,
    /// Seconds for which a browser may remember that. Default: 1800
    /// `[rabbitmq management.cors.max_age]`.
    pub cors_max_age_s: u32,
    /// Names by which the API may be called over the loopback interface, besides `localhost`, the
    /// name of this machine and addresses: those that a proxy on this machine passes on. Default:
    /// none.
    pub hosts: Vec<String>,
    /// Connections at a time, at least 1. Default: 512.
    pub connections_max: usize,
    /// Largest body of a request, octets. Definitions may have
    /// [`DEFINITIONS_BYTES_MAX`](crate::definitions::DEFINITIONS_BYTES_MAX) if that is more.
    /// Default: 20,000,000 `[rabbitmq management.http.max_body_size]`.
    pub body_bytes_max: usize,
    /// Milliseconds for the body of a request, from first octet to last, and as many to wait while
    /// others of more than 64 KiB are worked on. Default: 60,000.
    pub body_timeout_ms: u64,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            cors_allow_origins: Vec::new(),
            cors_max_age_s: 1800,
            hosts: Vec::new(),
            connections_max: 512,
            body_bytes_max: 20_000_000,
            body_timeout_ms: 60_000,
        }
    }
}
