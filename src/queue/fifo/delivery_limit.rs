//! How often a message may come back: `x-delivery-limit`
//! `[rabbitmq quorum-queues#poison-message-handling]`.

/// Limit of a quorum queue that was declared without one.
pub(crate) const QUORUM_DEFAULT: u32 = 20;

/// Most returns of a message to its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryLimit(Option<u32>);

impl DeliveryLimit {
    /// No limit, as classic queues have it.
    pub const fn none() -> Self {
        Self(None)
    }

    /// The limit of a quorum queue: what was declared, 20 by default, none if negative.
    pub fn quorum(declared: Option<i64>) -> Self {
        match declared {
            None => Self(Some(QUORUM_DEFAULT)),
            Some(limit) if limit < 0 => Self(None),
            Some(limit) => Self(Some(u32::try_from(limit).unwrap_or(u32::MAX))),
        }
    }

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self.0.is_none()
    }

    /// Whether a message that came back `count` times has to go.
    pub fn is_exceeded(self, count: u32) -> bool {
        self.0.is_some_and(|limit| count > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_returns() {
        assert!(!DeliveryLimit::none().is_exceeded(u32::MAX));
        assert!(!DeliveryLimit::quorum(None).is_exceeded(20));
        assert!(DeliveryLimit::quorum(None).is_exceeded(21));
        assert!(DeliveryLimit::quorum(Some(0)).is_exceeded(1));
        assert!(!DeliveryLimit::quorum(Some(-1)).is_exceeded(u32::MAX));
    }
}
