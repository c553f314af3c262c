//! How many chunks a subscription may be sent `[rabbitmq stream Credit]`.

/// Credit of a subscription, in chunks.
///
/// As RabbitMQ has it, sending begins once there is more than half of what the client gave at
/// first, and then goes on until nothing is left or there is nothing to send: so chunks go out in
/// bursts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    left: u32,
    /// Sending does not begin with so much or less.
    limit: u32,
    is_sending: bool,
}

impl Credit {
    pub(super) fn new(first: u16) -> Self {
        Self { left: first.into(), limit: u32::from(first / 2), is_sending: false }
    }

    /// The client takes more. What is negative takes nothing away.
    pub(super) fn give(&mut self, chunks: i16) {
        self.left = self.left.saturating_add(u32::from(chunks.max(0).unsigned_abs()));
    }

    /// Whether a chunk may be sent.
    pub(super) fn may_send(&self) -> bool {
        self.left > if self.is_sending { 0 } else { self.limit }
    }

    /// A chunk was sent.
    pub(super) fn sent(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.is_sending = self.left > 0;
    }

    /// There was nothing to send.
    pub(super) fn pause(&mut self) {
        self.is_sending = false;
    }

    /// Chunks that the client takes.
    pub(super) fn left(&self) -> u32 {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as long as it may, of so many chunks.
    fn send(credit: &mut Credit, there: usize) -> usize {
        let mut sent = 0;
        while sent < there && credit.may_send() {
            credit.sent();
            sent += 1;
        }
        if sent == there {
            credit.pause();
        }
        sent
    }

    /// As seen with RabbitMQ 4.0.5.
    #[test]
    fn chunks_go_out_in_bursts() {
        let mut credit = Credit::new(4);
        assert_eq!(send(&mut credit, 100), 4);
        let mut bursts = Vec::new();
        for _ in 0..3 {
            credit.give(1);
            bursts.push(send(&mut credit, 100));
        }
        assert_eq!(bursts, [0, 0, 3]);
        let mut none = Credit::new(0);
        assert_eq!(send(&mut none, 100), 0);
        none.give(1);
        assert_eq!(send(&mut none, 100), 1);
    }

    #[test]
    fn the_end_of_a_stream_ends_a_burst() {
        let mut credit = Credit::new(4);
        assert_eq!(send(&mut credit, 2), 2);
        assert_eq!(send(&mut credit, 100), 0);
        credit.give(1);
        assert_eq!(send(&mut credit, 100), 3);
    }

    #[test]
    fn nothing_makes_it_negative_or_overflow() {
        let mut credit = Credit::new(1);
        credit.give(-1);
        assert_eq!(credit.left(), 1);
        credit.sent();
        credit.sent();
        (0..200_000).for_each(|_| credit.give(i16::MAX));
        assert_eq!(credit.left(), u32::MAX);
    }
}
