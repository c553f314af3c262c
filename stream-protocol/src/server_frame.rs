//! Frames that servers send. [rabbitmq stream commands]

use crate::command::{ANSWER, Command};
use crate::error::FrameError;
use crate::response::Response;
use crate::response_code::ResponseCode;
use crate::wire::{Reader, Wire, write_frame, write_length};

/// A frame of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame<'a> {
    /// The answer to a request.
    Response {
        /// The request's.
        correlation: u32,
        /// The answer.
        response: Response<'a>,
    },
    /// Messages that are safe.
    PublishConfirm {
        /// Id of their publisher.
        publisher: u8,
        /// Their publishing ids.
        publishing_ids: Vec<u64>,
    },
    /// Messages that were not taken.
    PublishError {
        /// Id of their publisher.
        publisher: u8,
        /// Their publishing ids, and why.
        errors: Vec<(u64, ResponseCode)>,
    },
    /// A chunk.
    Deliver {
        /// Id of the subscription.
        subscription: u8,
        /// In version 2, the first offset of the last chunk that is safe.
        committed_chunk_id: Option<u64>,
        /// Header and data of the chunk.
        chunk: &'a [u8],
    },
    /// Credit was given in vain.
    CreditError {
        /// Why.
        code: ResponseCode,
        /// Id of the subscription.
        subscription: u8,
    },
    /// A stream is gone or elsewhere: its publishers and subscriptions are no more.
    MetadataUpdate {
        /// Why.
        code: ResponseCode,
        /// Name of the stream.
        stream: &'a str,
    },
    /// Limits that the server proposes.
    Tune {
        /// Largest frame, in octets; 0 for no limit.
        frame_max: u32,
        /// Interval of heartbeats, in seconds; 0 for none.
        heartbeat_s: u32,
    },
    /// The server is there.
    Heartbeat,
    /// The end of the connection.
    Close {
        /// What the answer has to carry.
        correlation: u32,
        /// Why, by number.
        code: u16,
        /// Why, for people.
        reason: &'a str,
    },
    /// A single active consumer becomes active, or no longer is.
    ConsumerUpdate {
        /// What the answer has to carry.
        correlation: u32,
        /// Id of the subscription.
        subscription: u8,
        /// Which of the two.
        active: bool,
    },
}

impl<'a> ServerFrame<'a> {
    /// Reads a frame, which stands here without its size.
    ///
    /// # Errors
    /// [`FrameError`] if it is no frame of a server.
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
        let frame = match (key & ANSWER, command) {
            (0, _) => Self::read_push(command, version, &mut reader).ok_or(unknown)?,
            (_, Command::Credit) => {
                reader.read().map(|(code, subscription)| Self::CreditError { code, subscription })
            }
            _ => read_response(command, &mut reader),
        };
        let frame = frame.ok_or(malformed)?;
        if reader.is_empty() { Ok(frame) } else { Err(malformed) }
    }

    /// `None` for a command that servers do not send, `Some(None)` if it cannot be read.
    fn read_push(command: Command, version: u16, reader: &mut Reader<'a>) -> Option<Option<Self>> {
        Some(match command {
            Command::PublishConfirm => reader.read().map(|(publisher, publishing_ids)| {
                Self::PublishConfirm { publisher, publishing_ids }
            }),
            Command::PublishError => {
                reader.read().map(|(publisher, errors)| Self::PublishError { publisher, errors })
            }
            Command::Deliver => read_deliver(version, reader),
            Command::MetadataUpdate => {
                reader.read().map(|(code, stream)| Self::MetadataUpdate { code, stream })
            }
            Command::Tune => {
                reader.read().map(|(frame_max, heartbeat_s)| Self::Tune { frame_max, heartbeat_s })
            }
            Command::Heartbeat => Some(Self::Heartbeat),
            Command::Close => reader.read().map(|(correlation, code, reason)| Self::Close {
                correlation,
                code,
                reason,
            }),
            Command::ConsumerUpdate => {
                reader.read::<(_, _, u8)>().map(|(correlation, subscription, active)| {
                    Self::ConsumerUpdate { correlation, subscription, active: active != 0 }
                })
            }
            _ => return None,
        })
    }

    /// The command that it belongs to.
    pub fn command(&self) -> Command {
        match self {
            Self::Response { response, .. } => response.command(),
            Self::PublishConfirm { .. } => Command::PublishConfirm,
            Self::PublishError { .. } => Command::PublishError,
            Self::Deliver { .. } => Command::Deliver,
            Self::CreditError { .. } => Command::Credit,
            Self::MetadataUpdate { .. } => Command::MetadataUpdate,
            Self::Tune { .. } => Command::Tune,
            Self::Heartbeat => Command::Heartbeat,
            Self::Close { .. } => Command::Close,
            Self::ConsumerUpdate { .. } => Command::ConsumerUpdate,
        }
    }

    /// Writes the frame, with its size.
    pub fn write(&self, out: &mut Vec<u8>) {
        let key = self.command().key();
        match self {
            Self::Response { correlation, response } => {
                write_frame(out, key | ANSWER, 1, |out| {
                    correlation.write(out);
                    response.write(out);
                });
            }
            Self::PublishConfirm { publisher, publishing_ids } => {
                write_frame(out, key, 1, |out| {
                    publisher.write(out);
                    publishing_ids.write(out);
                });
            }
            Self::PublishError { publisher, errors } => {
                write_frame(out, key, 1, |out| {
                    publisher.write(out);
                    errors.write(out);
                });
            }
            Self::Deliver { subscription, committed_chunk_id, chunk } => {
                let version = if committed_chunk_id.is_some() { 2 } else { 1 };
                write_frame(out, key, version, |out| {
                    subscription.write(out);
                    committed_chunk_id.write(out);
                    out.extend_from_slice(chunk);
                });
            }
            Self::CreditError { code, subscription } => {
                write_frame(out, key | ANSWER, 1, |out| (*code, *subscription).write(out));
            }
            Self::MetadataUpdate { code, stream } => {
                write_frame(out, key, 1, |out| (*code, *stream).write(out));
            }
            Self::Tune { frame_max, heartbeat_s } => {
                write_frame(out, key, 1, |out| (*frame_max, *heartbeat_s).write(out));
            }
            Self::Heartbeat => write_frame(out, key, 1, |_| {}),
            Self::Close { correlation, code, reason } => {
                write_frame(out, key, 1, |out| (*correlation, *code, *reason).write(out));
            }
            Self::ConsumerUpdate { correlation, subscription, active } => {
                let active = u8::from(*active);
                write_frame(out, key, 1, |out| (*correlation, *subscription, active).write(out));
            }
        }
    }
}

fn read_response<'a>(command: Command, reader: &mut Reader<'a>) -> Option<ServerFrame<'a>> {
    let correlation = reader.read()?;
    let response = Response::read(command, reader)?;
    Some(ServerFrame::Response { correlation, response })
}

fn read_deliver<'a>(version: u16, reader: &mut Reader<'a>) -> Option<ServerFrame<'a>> {
    let subscription = reader.read()?;
    let committed_chunk_id = match version {
        1 => None,
        _ => Some(reader.read()?),
    };
    let chunk = reader.take(reader.0.len())?;
    Some(ServerFrame::Deliver { subscription, committed_chunk_id, chunk })
}

/// Writes the front of a Deliver frame; so many octets of a chunk, its header included, are to
/// follow. For who does not want to copy them.
pub fn write_deliver_front(
    subscription: u8,
    committed_chunk_id: Option<u64>,
    chunk_octets: usize,
    out: &mut Vec<u8>,
) {
    let version: u16 = if committed_chunk_id.is_some() { 2 } else { 1 };
    let front = 5 + committed_chunk_id.map_or(0, |_| 8);
    write_length(chunk_octets.saturating_add(front), out);
    (Command::Deliver.key(), version, subscription).write(out);
    committed_chunk_id.write(out);
}
