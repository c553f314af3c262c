//! What RabbitMQ has not: under `api/leveret/`. See docs/http-api.md.

pub mod delayed;
pub mod explain;
pub mod history;
pub mod holding;
pub mod live;
pub mod looking;
pub mod moving;
pub mod offsets;
pub mod super_streams;
