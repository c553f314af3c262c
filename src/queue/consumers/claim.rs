//! What speaks for a consumer as the single active one.

use std::cmp::Reverse;

/// The highest priority, then the longest wait. A quorum queue asks for the larger prefetch before
/// that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) priority: i64,
    pub(super) prefetch: u32,
    pub(super) age: Reverse<u64>,
    pub(super) slot: usize,
}
