//! How much memory the broker may fill by default.

use std::fs;

/// Share of the memory that the default watermark leaves to messages. The rest is for
/// connections, for indexes, for other programs and for the page cache.
const SHARE_PERCENT: u64 = 40;

/// The watermark where the size of the memory cannot be told: 1 GiB.
const FALLBACK_BYTES: u64 = 1 << 30;

/// 40 % of the memory that the process may use: that of its control group, where one is limited,
/// else that of the machine. 1 GiB where neither can be told.
pub(super) fn default_high_watermark_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    high_watermark_bytes(machine.as_deref(), group.as_deref())
}

fn high_watermark_bytes(meminfo: Option<&str>, memory_max: Option<&str>) -> u64 {
    let machine = meminfo.and_then(total_bytes);
    // An unlimited group says "max".
    let group = memory_max.and_then(|text| text.trim().parse().ok());
    machine
        .into_iter()
        .chain(group)
        .min()
        .map_or(FALLBACK_BYTES, |bytes: u64| bytes / 100 * SHARE_PERCENT)
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:        1000000 kB\nMemFree:          500000 kB\n";

    #[test]
    fn the_smaller_of_machine_and_group_counts() {
        let of_machine = 1_024_000_000 / 100 * 40;
        assert_eq!(high_watermark_bytes(Some(MEMINFO), None), of_machine);
        assert_eq!(high_watermark_bytes(Some(MEMINFO), Some("max\n")), of_machine);
        assert_eq!(high_watermark_bytes(Some(MEMINFO), Some("500000\n")), 200_000);
        assert_eq!(high_watermark_bytes(Some(MEMINFO), Some("99999999999999")), of_machine);
    }

    #[test]
    fn nothing_known_falls_back() {
        assert_eq!(high_watermark_bytes(None, None), FALLBACK_BYTES);
        assert_eq!(high_watermark_bytes(Some("MemTotal: lots"), Some("?")), FALLBACK_BYTES);
    }
}
