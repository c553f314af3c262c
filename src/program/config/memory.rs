//! How much memory the broker may fill by default.

use leveret::internals::total_memory_bytes;

/// Share of the memory that the default watermark leaves to messages. The rest is for
/// connections, for indexes, for other programs and for the page cache.
const SHARE_PERCENT: u64 = 40;

/// The watermark where the size of the memory cannot be told: 1 GiB.
const FALLBACK_BYTES: u64 = 1 << 30;

/// 40 % of the memory that the process may use: that of its control group, where one is limited,
/// else that of the machine. 1 GiB where neither can be told.
pub(super) fn default_high_watermark_bytes() -> u64 {
    total_memory_bytes().map_or(FALLBACK_BYTES, |bytes| bytes / 100 * SHARE_PERCENT)
}
