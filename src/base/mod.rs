//! What everything stands on and that knows nothing of a broker: identities, waking, waiting.

pub(crate) mod argument;
#[cfg(feature = "gateway")]
pub(crate) mod bind;
pub(crate) mod blocking;
#[cfg(feature = "remote")]
pub(crate) mod broker_uri;
pub(crate) mod disk;
pub(crate) mod erlang_term;
pub(crate) mod field_value;
pub(crate) mod herald;
pub(crate) mod hoards;
pub(crate) mod host_name;
pub(crate) mod ids;
pub(crate) mod lock;
pub(crate) mod long_deque;
pub(crate) mod memory_alarm;
pub mod names;
pub(crate) mod octets;
#[cfg(feature = "management")]
pub(crate) mod process;
pub(crate) mod rank;
pub(crate) mod sequence_map;
pub(crate) mod waiters;
pub(crate) mod wake;
