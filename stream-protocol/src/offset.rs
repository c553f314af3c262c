//! Where reading begins. [rabbitmq stream Subscribe]

use crate::wire::{Reader, Wire};

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// Nothing said: a consumer that becomes active begins where its Subscribe said. In answers to
    /// ConsumerUpdate alone.
    None,
    /// The first message there is.
    First,
    /// The last chunk there is.
    Last,
    /// What comes after the present end.
    Next,
    /// This offset.
    Offset(u64),
    /// The first chunk that is not older, in milliseconds since 1970.
    Timestamp(i64),
}

impl OffsetSpec {
    fn kind(self) -> u16 {
        match self {
            Self::None => 0,
            Self::First => 1,
            Self::Last => 2,
            Self::Next => 3,
            Self::Offset(_) => 4,
            Self::Timestamp(_) => 5,
        }
    }
}

impl<'a> Wire<'a> for OffsetSpec {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Some(match reader.read::<u16>()? {
            0 => Self::None,
            1 => Self::First,
            2 => Self::Last,
            3 => Self::Next,
            4 => Self::Offset(reader.read()?),
            5 => Self::Timestamp(reader.read()?),
            _ => return None,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.kind().write(out);
        match self {
            Self::Offset(offset) => offset.write(out),
            Self::Timestamp(time_ms) => time_ms.write(out),
            Self::None | Self::First | Self::Last | Self::Next => {}
        }
    }
}
