//! What tools are told that this is. They decide by it what they ask for.

/// The version of RabbitMQ whose API this is.
pub const COMPATIBLE: &str = "4.0.5";

/// What tools want to hear.
pub const PRODUCT: &str = "RabbitMQ";

/// The version of leveret.
pub const LEVERET: &str = env!("CARGO_PKG_VERSION");
