//! What a broker tells of itself, to tests and to whoever operates it: the journal, lint findings,
//! explanations, statistics.

pub mod explanation;
pub mod journal;
pub mod lint;
pub(crate) mod statistics;
