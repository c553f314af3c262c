//! Length limits: `x-max-length`, `x-max-length-bytes`, `x-overflow` `[rabbitmq maxlength]`.

/// What happens at a full queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest messages are dropped, or dead-lettered with the reason `maxlen`.
    #[default]
    DropHead,
    /// New messages are refused: their publishers get a nack, if they asked for confirms.
    RejectPublish,
    /// As `RejectPublish`, and what was refused is dead-lettered with the reason `maxlen`.
    RejectPublishDlx,
}

/// The limits of one queue. Only ready messages count, and of them only the bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LengthLimit {
    /// Most ready messages.
    pub max_length: Option<u64>,
    /// Most octets in the bodies of ready messages.
    pub max_length_bytes: Option<u64>,
    /// What happens beyond.
    pub overflow: Overflow,
}

impl LengthLimit {
    /// Whether a message of `body_bytes` is refused by a queue that holds `length` ready messages
    /// of `length_bytes`.
    pub fn refuses(&self, length: u64, length_bytes: u64, body_bytes: u64) -> bool {
        self.overflow != Overflow::DropHead
            && self.is_exceeded(length + 1, length_bytes.saturating_add(body_bytes))
    }

    /// Whether messages have to be dropped from the head.
    pub fn must_drop(&self, length: u64, length_bytes: u64) -> bool {
        self.overflow == Overflow::DropHead && self.is_exceeded(length, length_bytes)
    }

    fn is_exceeded(&self, length: u64, length_bytes: u64) -> bool {
        self.max_length.is_some_and(|max| length > max)
            || self.max_length_bytes.is_some_and(|max| length_bytes > max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_by_either_limit() {
        let limit = LengthLimit {
            max_length: Some(2),
            max_length_bytes: Some(5),
            overflow: Overflow::RejectPublish,
        };
        assert!(!limit.refuses(1, 3, 2));
        assert!(limit.refuses(1, 3, 3));
        assert!(limit.refuses(2, 0, 0));
        assert!(!limit.must_drop(9, 9));
    }

    #[test]
    fn no_limit_never_acts() {
        let limit = LengthLimit::default();
        assert!(!limit.refuses(u64::MAX - 1, u64::MAX, u64::MAX));
        assert!(!limit.must_drop(u64::MAX, u64::MAX));
    }
}
