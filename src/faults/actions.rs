//! What a rule does.

use std::fmt;
use std::time::Duration;

use leveret_protocol::reply_code;

use crate::error::{Error, Scope};

/// Whether a rule acts instead of what it is about, or after that has taken effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Instead.
    #[default]
    Before,
    /// After that has taken effect.
    After,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// The connection is lost.
    Drop,
    /// The broker crashes.
    Crash,
    /// The channel or connection is closed.
    Close {
        /// With this reply code,
        code: u16,
        /// and this text.
        text: String,
        /// Which of them.
        scope: Scope,
    },
    /// The client is not read any more.
    StopReading,
    /// The publish finds no queue.
    Unroutable,
    /// The publisher is told that the publish is refused; its queues have it.
    Nack,
    /// The publish is refused.
    NackAndDrop,
    /// The publish is confirmed when the rule is released.
    Hold,
    /// The publish is never confirmed.
    Lose,
    /// The message is delivered once more.
    Twice,
    /// The message is delivered later.
    Delay(Duration),
    /// The message goes to the end of its queue.
    ToTheEnd,
    /// The frame does not end as it should.
    Corrupt,
    /// Half of the frame is sent, and then nothing.
    Truncate,
}

impl Action {
    /// Closes what the reply code closes.
    pub fn refuse(code: u16, text: String) -> Self {
        let scope = if reply_code::is_soft(code) { Scope::Channel } else { Scope::Connection };
        Self::Close { code, text, scope }
    }

    /// The error that ends what is to end.
    pub fn error(&self) -> Option<Error> {
        match self {
            Self::Drop => Some(Error::ConnectionLost),
            Self::Crash => Some(Error::Crashed),
            Self::Close { code, text, scope } => {
                Some(Error::Fault { code: *code, text: text.clone(), scope: *scope })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Drop => "drop the connection",
            Self::Crash => "crash",
            Self::Close { code, text, scope: Scope::Channel } => {
                return write!(f, "close the channel with {code} ({text})");
            }
            Self::Close { code, text, scope: Scope::Connection } => {
                return write!(f, "close the connection with {code} ({text})");
            }
            Self::StopReading => "stop reading",
            Self::Unroutable => "find no queue",
            Self::Nack => "nack",
            Self::NackAndDrop => "nack and drop",
            Self::Hold => "hold back",
            Self::Lose => "lose",
            Self::Twice => "deliver twice",
            Self::Delay(by) => return write!(f, "delay by {by:?}"),
            Self::ToTheEnd => "put at the end of the queue",
            Self::Corrupt => "corrupt",
            Self::Truncate => "truncate, and drop the connection",
        };
        f.write_str(text)
    }
}
