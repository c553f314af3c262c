//! Faults of what the broker sends to its clients: frames that are no frames.

#[cfg(feature = "gateway")]
use crate::faults::Hit;
use crate::faults::{Action, Rule, When};

#[cfg(feature = "gateway")]
/// Octets before the payload of a frame: its type, its channel, its size.
const HEADER_OCTETS: usize = 7;

/// Rules for frames to clients. Their channel is that of the frame, 0 for the connection.
#[derive(Debug)]
pub struct Frames(());

impl When<Frames> {
    /// The last octet of the frame is not the one that ends frames: a client has to take that for
    /// a fatal error `[amqp 0-9-1 4.2.3]`.
    pub fn corrupt(self) -> Rule {
        self.then(Action::Corrupt)
    }

    /// Half of the frame is sent, and then the connection is lost.
    pub fn truncate(self) -> Rule {
        self.then(Action::Truncate)
    }
}

/// Does to whole frames what rules say; `meet` asks them about a frame of a channel. Tells whether
/// the connection is lost with the last of the octets.
#[cfg(feature = "gateway")]
pub(crate) fn spoil(octets: &mut Vec<u8>, meet: impl Fn(u16) -> Option<Hit>) -> bool {
    let mut at = 0;
    while let Some(&[_, c1, c0, s3, s2, s1, s0]) =
        octets.get(at..).and_then(|rest| rest.first_chunk::<HEADER_OCTETS>())
    {
        let size = u32::from_be_bytes([s3, s2, s1, s0]) as usize;
        let end = at.saturating_add(HEADER_OCTETS).saturating_add(size);
        let hit = meet(u16::from_be_bytes([c1, c0]));
        match hit.as_ref().map(Hit::action) {
            Some(Action::Corrupt) => octets.get_mut(end).into_iter().for_each(|last| *last = 0),
            Some(Action::Truncate) => {
                octets.truncate(at + (end - at) / 2);
                return true;
            }
            _ => {}
        }
        at = end.saturating_add(1);
    }
    false
}
