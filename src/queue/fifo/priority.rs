//! Which message is next: priorities of classic queues `[rabbitmq priority]` and the two classes of
//! quorum queues `[rabbitmq quorum-queues#priorities]`.

/// Priorities above this are high in a quorum queue.
const NORMAL_MAX: u8 = 4;

/// Turns of the high class of a quorum queue for each turn of the normal one.
const HIGH_TURNS: u8 = 2;

const NORMAL: usize = 0;
const HIGH: usize = 1;
const RETURNED: usize = 2;

/// How a queue orders its levels. Within a level messages keep the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// One level for each priority from 0 to `x-max-priority`; the highest goes first.
    Strict {
        /// The highest priority; higher ones count as this.
        max_priority: u8,
    },
    /// Returned messages first, then two high ones for each normal one.
    Quorum {
        /// High messages since the last normal one.
        turn: u8,
    },
}

impl Order {
    /// The order of a quorum queue.
    pub(crate) const fn quorum() -> Self {
        Self::Quorum { turn: 0 }
    }

    /// Number of levels.
    pub(crate) fn levels(self) -> usize {
        match self {
            Self::Strict { max_priority } => usize::from(max_priority) + 1,
            Self::Quorum { .. } => RETURNED + 1,
        }
    }

    /// Number of levels that arrivals are put to: the first ones.
    pub(crate) fn levels_of_arrivals(self) -> usize {
        match self {
            Self::Strict { .. } => self.levels(),
            Self::Quorum { .. } => RETURNED,
        }
    }

    /// The level of a message that arrives.
    pub(crate) fn level(self, priority: u8) -> usize {
        match self {
            Self::Strict { max_priority } => usize::from(priority.min(max_priority)),
            Self::Quorum { .. } if priority > NORMAL_MAX => HIGH,
            Self::Quorum { .. } => NORMAL,
        }
    }

    /// The level of messages that come back, if they have one of their own.
    pub(crate) fn returned(self) -> Option<usize> {
        match self {
            Self::Strict { .. } => None,
            Self::Quorum { .. } => Some(RETURNED),
        }
    }

    /// The level that is next; `occupied` are those that hold messages.
    pub(crate) fn next(self, occupied: &Occupied) -> Option<usize> {
        match self {
            // Most queues have one level.
            Self::Strict { max_priority: 0 } => occupied.contains(0).then_some(0),
            Self::Strict { .. } => occupied.highest(),
            Self::Quorum { turn } => {
                let due = turn >= HIGH_TURNS && occupied.contains(NORMAL);
                let normal_first = due && !occupied.contains(RETURNED);
                if normal_first { Some(NORMAL) } else { occupied.highest() }
            }
        }
    }

    /// A message was taken from this level.
    pub(crate) fn taken(&mut self, level: usize) {
        if let Self::Quorum { turn } = self {
            match level {
                HIGH => *turn = (*turn + 1).min(HIGH_TURNS),
                NORMAL => *turn = 0,
                _ => {}
            }
        }
    }
}

/// The levels that hold messages: a set of numbers up to 255.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Occupied([u64; 4]);

impl Occupied {
    /// Adds or removes a level.
    pub(crate) fn set(&mut self, level: usize, occupied: bool) {
        if let Some(word) = self.0.get_mut(level / 64) {
            let bit = 1 << (level % 64);
            *word = if occupied { *word | bit } else { *word & !bit };
        }
    }

    fn contains(&self, level: usize) -> bool {
        self.0.get(level / 64).is_some_and(|word| word & (1 << (level % 64)) != 0)
    }

    fn highest(&self) -> Option<usize> {
        let (at, word) = self.0.iter().enumerate().rev().find(|(_, word)| **word != 0)?;
        Some(at * 64 + 63 - word.leading_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_level_is_found() {
        let mut occupied = Occupied::default();
        assert_eq!(occupied.highest(), None);
        for level in [0, 63, 64, 255] {
            occupied.set(level, true);
            assert_eq!(occupied.highest(), Some(level));
        }
        occupied.set(255, false);
        assert_eq!(occupied.highest(), Some(64));
    }

    #[test]
    fn priorities_are_clamped() {
        let order = Order::Strict { max_priority: 2 };
        assert_eq!((order.level(1), order.level(200)), (1, 2));
    }

    #[test]
    fn a_quorum_queue_takes_turns() {
        let mut order = Order::quorum();
        let mut left = [3, 4, 1]; // normal, high, returned
        let mut taken = Vec::new();
        loop {
            let mut occupied = Occupied::default();
            for (level, count) in left.iter().enumerate() {
                occupied.set(level, *count > 0);
            }
            let Some(level) = order.next(&occupied) else { break };
            order.taken(level);
            left[level] -= 1;
            taken.push(level);
        }
        assert_eq!(taken, [RETURNED, HIGH, HIGH, NORMAL, HIGH, HIGH, NORMAL, NORMAL]);
    }
}
