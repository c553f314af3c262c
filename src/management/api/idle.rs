//! Since when something is at rest.

use std::time::{Duration, UNIX_EPOCH};

use crate::time::clock::Timestamp;

/// What has done nothing for so long is idle, in milliseconds.
const IDLE_MS: u64 = 1000;

/// The time at which something last did anything, as text; `None` if it is not idle.
pub(super) fn idle_since(active_at: Timestamp, now: Timestamp) -> Option<String> {
    let active_ms = active_at.as_millis();
    let since = UNIX_EPOCH.checked_add(Duration::from_millis(active_ms))?;
    (now.as_millis().saturating_sub(active_ms) >= IDLE_MS).then(|| {
        let text = humantime::format_rfc3339_millis(since).to_string();
        text.replace('Z', "+00:00")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_for_a_second_is_idle() {
        let active_at = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(idle_since(active_at, active_at.after_ms(999)), None);
        let since = idle_since(active_at, active_at.after_ms(1000));
        assert_eq!(since.as_deref(), Some("2023-11-14T22:13:20.123+00:00"));
    }
}
