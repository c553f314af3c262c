//! What tools are told that this is. They decide by it what they ask for.

/// The version of RabbitMQ whose API this is.
pub(super) const COMPATIBLE: &str = "4.0.5";

/// What tools want to hear.
pub(super) const PRODUCT: &str = "RabbitMQ";

/// What tools are told of Erlang, whose versions some of them join by or parse.
pub(super) const ERLANG: &str = "26.2.5";

/// The same at length.
pub(super) const ERLANG_FULL: &str =
    "Erlang/OTP 26 (none: this is leveret, which is written in Rust)";

/// The version of leveret.
pub(super) const LEVERET: &str = env!("CARGO_PKG_VERSION");
