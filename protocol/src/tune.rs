//! What a connection is tuned to. [amqp 0-9-1 connection.tune]

use amq_protocol::protocol::connection::TuneOk;

use crate::constants::FRAME_MAX_MIN;

/// Agreed limits of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Channels that may be open at the same time; 0 for no limit.
    pub channel_max: u16,
    /// Largest frame in octets, the eight around the payload included.
    pub frame_max: u32,
    /// Heartbeat interval in seconds; 0 for none.
    pub heartbeat_s: u16,
}

/// The client's answer lies below the protocol's minimum or above what was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TuneError {
    /// `channel_max`
    #[error("negotiated channel_max = {0} is not acceptable")]
    ChannelMax(u16),
    /// `frame_max`
    #[error("negotiated frame_max = {0} is not acceptable")]
    FrameMax(u32),
}

impl Tuning {
    /// Checks the client's answer to this offer. Where a limit is offered, 0 (none) is more than
    /// that; the heartbeat is as the client says.
    ///
    /// # Errors
    /// [`TuneError`] for a limit that is out of range.
    pub fn agree(&self, answer: &TuneOk) -> Result<Self, TuneError> {
        let channel_max = answer.channel_max;
        if self.channel_max != 0 && (channel_max == 0 || channel_max > self.channel_max) {
            return Err(TuneError::ChannelMax(channel_max));
        }
        if !(FRAME_MAX_MIN..=self.frame_max).contains(&answer.frame_max) {
            return Err(TuneError::FrameMax(answer.frame_max));
        }
        Ok(Self { channel_max, frame_max: answer.frame_max, heartbeat_s: answer.heartbeat })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(channel_max: u16, frame_max: u32) -> Result<Tuning, TuneError> {
        let offer = Tuning { channel_max: 2047, frame_max: 131_072, heartbeat_s: 60 };
        offer.agree(&TuneOk { channel_max, frame_max, heartbeat: 7 })
    }

    #[test]
    fn range() {
        let least = Tuning { channel_max: 1, frame_max: 4096, heartbeat_s: 7 };
        assert_eq!(agree(1, 4096), Ok(least));
        assert!(agree(2047, 131_072).is_ok());
        assert_eq!(agree(2048, 4096), Err(TuneError::ChannelMax(2048)));
        assert_eq!(agree(0, 4096), Err(TuneError::ChannelMax(0)));
        for frame_max in [0, 4095, 131_073] {
            assert_eq!(agree(5, frame_max), Err(TuneError::FrameMax(frame_max)));
        }
    }
}
