//! Slows down who guesses passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::time::clock::{Timestamp, until};

/// Wrong logins of one address that are answered at once; further ones wait their turn.
const BURST: u64 = 50;

/// A turn comes this often, milliseconds.
const TURN_MS: u64 = 200;

/// What a wrong login waits at most. The connection is held meanwhile, and connections are few.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Addresses that are remembered, at most.
const ADDRESSES_MAX: usize = 10_000;

/// When each address has had all its turns.
#[derive(Default)]
pub(super) struct Throttle(Mutex<HashMap<IpAddr, Timestamp>, rank::Throttle>);

impl Throttle {
    /// A login from this address was wrong; tells how long its answer has to wait.
    pub(super) fn note_failure(&self, address: IpAddr, now: Timestamp) -> Duration {
        let mut turns = self.0.lock();
        if turns.len() >= ADDRESSES_MAX && !turns.contains_key(&address) {
            turns.retain(|_, used_up| *used_up > now);
            if turns.len() >= ADDRESSES_MAX {
                turns.clear(); // as many addresses at once are no help against anybody
            }
        }
        let used_up = turns.entry(address).or_insert(now);
        *used_up = (*used_up).max(now).after_ms(TURN_MS);
        until(*used_up, now.after_ms(BURST * TURN_MS)).min(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_few_wrong_logins_are_answered_at_once_and_many_are_not() {
        let throttle = Throttle::default();
        for _ in 0..BURST {
            assert_eq!(throttle.note_failure(HERE, START), Duration::ZERO);
        }
        assert_eq!(throttle.note_failure(HERE, START), Duration::from_millis(TURN_MS));
        assert_eq!(throttle.note_failure(HERE, START), Duration::from_millis(2 * TURN_MS));
        for _ in 0..1000 {
            throttle.note_failure(HERE, START);
        }
        assert_eq!(throttle.note_failure(HERE, START), WAIT_MAX);
        let elsewhere = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(throttle.note_failure(elsewhere, START), Duration::ZERO);
    }

    #[test]
    fn who_stops_guessing_is_forgiven() {
        let throttle = Throttle::default();
        for _ in 0..BURST + 10 {
            throttle.note_failure(HERE, START);
        }
        let later = START.after_ms(TURN_MS * (BURST + 10));
        assert_eq!(throttle.note_failure(HERE, later), Duration::ZERO);
    }
}
