//! Heartbeats: when to send one, and when the peer has been silent for too long.
//! [amqp 0-9-1 §4.2.7]

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Nothing was sent for half the interval.
    Send,
    /// Nothing came for two intervals.
    PeerSilent,
}

/// Times of the last traffic, in milliseconds of the caller's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeats {
    /// 0 for no heartbeats.
    interval_ms: u64,
    input_ms: u64,
    output_ms: u64,
}

impl Heartbeats {
    pub(crate) fn off() -> Self {
        Self { interval_ms: 0, input_ms: 0, output_ms: 0 }
    }

    pub(crate) fn start(interval_s: u16, now_ms: u64) -> Self {
        Self { interval_ms: u64::from(interval_s) * 1000, input_ms: now_ms, output_ms: now_ms }
    }

    pub(crate) fn input(&mut self, now_ms: u64) {
        self.input_ms = now_ms;
    }

    pub(crate) fn output(&mut self, now_ms: u64) {
        self.output_ms = now_ms;
    }

    fn send_at(&self) -> u64 {
        self.output_ms.saturating_add(self.interval_ms / 2)
    }

    fn silent_at(&self) -> u64 {
        self.input_ms.saturating_add(self.interval_ms * 2)
    }

    pub(crate) fn next(&self) -> Option<u64> {
        (self.interval_ms > 0).then(|| self.send_at().min(self.silent_at()))
    }

    pub(crate) fn due(&self, now_ms: u64) -> Due {
        match self.interval_ms {
            0 => Due::Nothing,
            _ if now_ms >= self.silent_at() => Due::PeerSilent,
            _ if now_ms >= self.send_at() => Due::Send,
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_doubles() {
        let mut beats = Heartbeats::start(10, 1000);
        assert_eq!(beats.next(), Some(6000));
        assert_eq!(beats.due(5999), Due::Nothing);
        assert_eq!(beats.due(6000), Due::Send);
        beats.output(6000);
        assert_eq!(beats.next(), Some(11_000));
        beats.output(20_000);
        assert_eq!((beats.next(), beats.due(21_000)), (Some(21_000), Due::PeerSilent));
        beats.input(20_500);
        assert_eq!(beats.due(21_000), Due::Nothing);
    }

    #[test]
    fn none_without_an_interval() {
        let beats = Heartbeats::start(0, 5);
        assert_eq!((beats.next(), beats.due(u64::MAX)), (None, Due::Nothing));
    }
}
