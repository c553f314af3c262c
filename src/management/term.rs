//! What RabbitMQ's complaints quote, as the HTTP API has it.

pub(super) use crate::definitions::term::{pairs, value};

/// A text as a page would have it.
pub(super) fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
