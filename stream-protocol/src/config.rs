//! Settings of the server side of a connection.

/// Settings that all connections of a server share.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// Largest frame to propose, in octets; 0 for no limit. Default 1,048,576. The client decides.
    pub frame_max: u32,
    /// Interval of heartbeats to propose, in seconds; 0 for none. Default 60. The client decides.
    pub heartbeat_s: u32,
    /// Largest frame that is taken from an open connection, in octets. Default 16 MiB and 64 KiB.
    /// RabbitMQ takes frames larger than what was agreed on, and clients send them, so that is no
    /// limit.
    pub frame_octets_max: usize,
    /// Time for each step of the handshake, in milliseconds. Default 10,000.
    pub step_timeout_ms: u64,
    /// Time until a refused login or virtual host is answered, in milliseconds. It slows down
    /// guessing of passwords. Default 3,000.
    pub refusal_delay_ms: u64,
    /// Time to wait for the answer to Close, in milliseconds. Default 10,000.
    pub close_timeout_ms: u64,
    /// Time to wait for the answer to ConsumerUpdate, in milliseconds. Default 60,000.
    pub request_timeout_ms: u64,
    /// What the server says about itself. Default: nothing.
    pub server_properties: Vec<(String, String)>,
    /// Mechanisms to offer. Default `PLAIN` and `AMQPLAIN`.
    pub mechanisms: Vec<String>,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            frame_max: 1_048_576,
            heartbeat_s: 60,
            frame_octets_max: (16 * 1024 + 64) * 1024,
            step_timeout_ms: 10_000,
            refusal_delay_ms: 3_000,
            close_timeout_ms: 10_000,
            request_timeout_ms: 60_000,
            server_properties: Vec::new(),
            mechanisms: vec!["PLAIN".to_owned(), "AMQPLAIN".to_owned()],
        }
    }
}
