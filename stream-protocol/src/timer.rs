//! Heartbeats: when to send one, and when the peer has been silent for too long.
//! [rabbitmq stream Heartbeat]

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Nothing was sent for an interval, or for half of one since the beginning.
    Send,
    /// Nothing came for two intervals.
    PeerSilent,
}

/// Deadlines in milliseconds of the caller's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeats {
    /// 0 for no heartbeats.
    interval_ms: u64,
    send_at_ms: u64,
    silent_at_ms: u64,
}

impl Heartbeats {
    pub(crate) fn off() -> Self {
        Self { interval_ms: 0, send_at_ms: 0, silent_at_ms: 0 }
    }

    pub(crate) fn start(interval_s: u32, now_ms: u64) -> Self {
        let mut beats = Self { interval_ms: u64::from(interval_s) * 1000, ..Self::off() };
        beats.input(now_ms);
        beats.send_at_ms = now_ms.saturating_add(beats.interval_ms / 2);
        beats
    }

    pub(crate) fn input(&mut self, now_ms: u64) {
        self.silent_at_ms = now_ms.saturating_add(2 * self.interval_ms);
    }

    pub(crate) fn output(&mut self, now_ms: u64) {
        self.send_at_ms = now_ms.saturating_add(self.interval_ms);
    }

    pub(crate) fn next(&self) -> Option<u64> {
        (self.interval_ms > 0).then(|| self.send_at_ms.min(self.silent_at_ms))
    }

    pub(crate) fn due(&self, now_ms: u64) -> Due {
        match self.interval_ms {
            0 => Due::Nothing,
            _ if now_ms >= self.silent_at_ms => Due::PeerSilent,
            _ if now_ms >= self.send_at_ms => Due::Send,
            _ => Due::Nothing,
        }
    }
}
