//! What RabbitMQ has not: under `api/leveret/`. See docs/http-api.md.

pub(crate) mod delayed;
pub(crate) mod event_exchange;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod holding;
pub(crate) mod journal;
pub(crate) mod live;
pub(crate) mod looking;
pub(crate) mod moving;
pub(crate) mod offsets;
pub(crate) mod server;
pub(crate) mod super_streams;
pub(crate) mod testing;
pub(crate) mod watermarks;
