//! Frames that clients send. [rabbitmq stream commands]

use crate::command::{ANSWER, Command};
use crate::error::FrameError;
use crate::offset::OffsetSpec;
use crate::publish::Publish;
use crate::request::Request;
use crate::wire::{Reader, Wire, write_frame};

/// A frame of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame<'a> {
    /// Something to be answered.
    Request {
        /// What the answer has to carry.
        correlation: u32,
        /// What is asked for.
        request: Request<'a>,
    },
    /// Messages.
    Publish(Publish<'a>),
    /// The client takes further chunks.
    Credit {
        /// Id of the subscription.
        subscription: u8,
        /// Chunks.
        credit: i16,
    },
    /// An offset to be kept.
    StoreOffset {
        /// Name that it is kept under.
        reference: &'a str,
        /// Name of the stream.
        stream: &'a str,
        /// The offset.
        offset: u64,
    },
    /// Limits that the client agrees on.
    Tune {
        /// Largest frame, in octets; 0 for no limit.
        frame_max: u32,
        /// Interval of heartbeats, in seconds; 0 for none.
        heartbeat_s: u32,
    },
    /// The client is there.
    Heartbeat,
    /// The answer to Close.
    CloseAnswer {
        /// Correlation id of the server's request.
        correlation: u32,
        /// What came of it, by number.
        code: u16,
    },
    /// The answer to ConsumerUpdate.
    ConsumerUpdateAnswer {
        /// Correlation id of the server's request.
        correlation: u32,
        /// What came of it, by number.
        code: u16,
        /// Where a consumer that has become active begins.
        offset: OffsetSpec,
    },
}

impl<'a> ClientFrame<'a> {
    /// Reads a frame, which stands here without its size.
    ///
    /// # Errors
    /// [`FrameError`] if it is no frame of a client.
    pub fn read(frame: &'a [u8]) -> Result<Self, FrameError> {
        let mut reader = Reader(frame);
        let Some((key, version)) = reader.read::<(u16, u16)>() else {
            return Err(FrameError::Short { octets: frame.len() });
        };
        let unknown = FrameError::UnknownCommand { key, version };
        let command = Command::from_key(key).ok_or(unknown)?;
        if version == 0 || version > command.version_max() {
            return Err(unknown);
        }
        let malformed = FrameError::Malformed { command };
        let frame = match key & ANSWER {
            0 => Self::read_request(command, version, &mut reader),
            _ => Self::read_answer(command, &mut reader),
        };
        let frame = frame.ok_or(unknown)?.ok_or(malformed)?;
        // Some clients send an offset of 0 behind types that have none, which RabbitMQ ignores.
        let is_lenient = matches!(frame, Self::ConsumerUpdateAnswer { .. });
        if is_lenient || reader.is_empty() { Ok(frame) } else { Err(malformed) }
    }

    /// `None` for a command that clients do not send, `Some(None)` if it cannot be read.
    fn read_request(
        command: Command,
        version: u16,
        reader: &mut Reader<'a>,
    ) -> Option<Option<Self>> {
        Some(match command {
            Command::Publish => Publish::read(version, reader).map(Self::Publish),
            Command::Credit => {
                reader.read().map(|(subscription, credit)| Self::Credit { subscription, credit })
            }
            Command::StoreOffset => reader
                .read()
                .map(|(reference, stream, offset)| Self::StoreOffset { reference, stream, offset }),
            Command::Tune => read_tune(reader),
            Command::Heartbeat => Some(Self::Heartbeat),
            Command::PublishConfirm
            | Command::PublishError
            | Command::Deliver
            | Command::MetadataUpdate
            | Command::ConsumerUpdate => return None,
            _ => read_with_correlation(command, reader),
        })
    }

    fn read_answer(command: Command, reader: &mut Reader<'a>) -> Option<Option<Self>> {
        Some(match command {
            Command::Tune => read_tune(reader),
            Command::Close => {
                reader.read().map(|(correlation, code)| Self::CloseAnswer { correlation, code })
            }
            Command::ConsumerUpdate => reader.read().map(|(correlation, code, offset)| {
                Self::ConsumerUpdateAnswer { correlation, code, offset }
            }),
            _ => return None,
        })
    }

    /// The command that it belongs to.
    pub fn command(&self) -> Command {
        match self {
            Self::Request { request, .. } => request.command(),
            Self::Publish(_) => Command::Publish,
            Self::Credit { .. } => Command::Credit,
            Self::StoreOffset { .. } => Command::StoreOffset,
            Self::Tune { .. } => Command::Tune,
            Self::Heartbeat => Command::Heartbeat,
            Self::CloseAnswer { .. } => Command::Close,
            Self::ConsumerUpdateAnswer { .. } => Command::ConsumerUpdate,
        }
    }

    /// Writes the frame, with its size.
    pub fn write(&self, out: &mut Vec<u8>) {
        let key = self.command().key();
        match self {
            Self::Request { correlation, request } => write_frame(out, key, 1, |out| {
                correlation.write(out);
                request.write(out);
            }),
            Self::Publish(publish) => {
                Publish::write(publish.publisher, &publish.iter().collect::<Vec<_>>(), out);
            }
            Self::Credit { subscription, credit } => {
                write_frame(out, key, 1, |out| (*subscription, *credit).write(out));
            }
            Self::StoreOffset { reference, stream, offset } => {
                write_frame(out, key, 1, |out| (*reference, *stream, *offset).write(out));
            }
            Self::Tune { frame_max, heartbeat_s } => {
                write_frame(out, key | ANSWER, 1, |out| (*frame_max, *heartbeat_s).write(out));
            }
            Self::Heartbeat => write_frame(out, key, 1, |_| {}),
            Self::CloseAnswer { correlation, code } => {
                write_frame(out, key | ANSWER, 1, |out| (*correlation, *code).write(out));
            }
            Self::ConsumerUpdateAnswer { correlation, code, offset } => {
                write_frame(out, key | ANSWER, 1, |out| (*correlation, *code, *offset).write(out));
            }
        }
    }
}

fn read_tune<'a>(reader: &mut Reader<'a>) -> Option<ClientFrame<'a>> {
    reader.read().map(|(frame_max, heartbeat_s)| ClientFrame::Tune { frame_max, heartbeat_s })
}

fn read_with_correlation<'a>(command: Command, reader: &mut Reader<'a>) -> Option<ClientFrame<'a>> {
    let correlation = reader.read()?;
    let request = Request::read(command, reader)?;
    // That nothing is said about where to begin is for answers to ConsumerUpdate alone.
    let nowhere = matches!(request, Request::Subscribe { offset: OffsetSpec::None, .. });
    (!nowhere).then_some(ClientFrame::Request { correlation, request })
}
