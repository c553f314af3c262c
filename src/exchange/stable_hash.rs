//! A hash that is the same in every process, so that placement survives a restart.

use std::hash::{Hash, Hasher};

/// FNV-1a, with the bits mixed at the end. Not for tables that a peer could fill with collisions.
pub(super) struct StableHasher(u64);

impl StableHasher {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// The stable hash of a value, as stable as what its `Hash` feeds.
pub(super) fn stable_hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = StableHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Spreads every bit of `x` over the whole result (the finalizer of `SplitMix64`).
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Scales a uniform 64 bit number to a position below `len`; 0 if `len` is 0.
pub(super) fn scale(x: u64, len: usize) -> usize {
    ((u128::from(x) * len as u128) >> 64) as usize
}
