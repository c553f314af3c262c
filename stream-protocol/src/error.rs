//! What is wrong with a frame.

use crate::command::Command;
use crate::response_code::ResponseCode;

/// A frame that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It has no key and version.
    #[error("a frame of {octets} octets has no key and version")]
    Short {
        /// Its size.
        octets: usize,
    },
    /// A key that is not known, or not from this side.
    #[error("no command has key {key:#06x}, version {version}, from this side")]
    UnknownCommand {
        /// The key as it came.
        key: u16,
        /// The version.
        version: u16,
    },
    /// The fields of the command cannot be read, or more octets follow.
    #[error("the fields of {command:?} cannot be read")]
    Malformed {
        /// The command.
        command: Command,
    },
    /// The command does not belong in this place of the handshake.
    #[error("{command:?} is not expected here")]
    Unexpected {
        /// The command.
        command: Command,
    },
    /// It is larger than the server takes.
    #[error("a frame of {octets} octets, at most {octets_max} are taken")]
    TooLarge {
        /// Its size.
        octets: usize,
        /// The limit.
        octets_max: usize,
    },
}

impl FrameError {
    /// What Close says about it.
    pub fn code(self) -> ResponseCode {
        match self {
            Self::TooLarge { .. } => ResponseCode::FrameTooLarge,
            _ => ResponseCode::UnknownFrame,
        }
    }
}
