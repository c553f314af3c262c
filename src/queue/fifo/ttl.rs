//! Time to live of messages: `x-message-ttl` and the `expiration` property `[rabbitmq ttl]`.

use crate::time::clock::Timestamp;

/// When a message that enters a queue now expires: the smaller of the queue's and its own time
/// to live counts.
pub(crate) fn expires_at(
    now: Timestamp,
    queue_ttl_ms: Option<u64>,
    own_ttl_ms: Option<u64>,
) -> Timestamp {
    match (queue_ttl_ms, own_ttl_ms) {
        (None, None) => Timestamp::NEVER,
        (Some(ttl), None) | (None, Some(ttl)) => now.after_ms(ttl),
        (Some(queue), Some(own)) => now.after_ms(queue.min(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_counts() {
        let now = Timestamp::from_millis(1000);
        assert_eq!(expires_at(now, None, None), Timestamp::NEVER);
        assert_eq!(expires_at(now, Some(5), None), now.after_ms(5));
        assert_eq!(expires_at(now, Some(5), Some(3)), now.after_ms(3));
        assert_eq!(expires_at(now, Some(5), Some(8)), now.after_ms(5));
    }
}
