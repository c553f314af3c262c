//! What a broker tells of itself, to tests above all: the journal, lint findings, explanations.

pub mod explanation;
pub mod journal;
pub mod lint;
