//! What a frame means in each state.

use std::collections::VecDeque;
use std::sync::Arc;

use super::state::{Finish, State};
use crate::client_frame::ClientFrame;
use crate::command::{Command, server_versions};
use crate::config::ConnectionConfig;
use crate::error::FrameError;
use crate::event::{Closed, Event};
use crate::offset::OffsetSpec;
use crate::request::Request;
use crate::response::Response;
use crate::response_code::ResponseCode;
use crate::server_frame::ServerFrame;
use crate::timer::Heartbeats;

/// A ConsumerUpdate that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    correlation: u32,
    subscription: u8,
    active: bool,
    pub(super) deadline_ms: u64,
}

/// Everything of a connection but the decoder.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) config: Arc<ConnectionConfig>,
    pub(super) state: State,
    pub(super) finish: Option<Finish>,
    /// Latest time that the owner told, in milliseconds.
    pub(super) now_ms: u64,
    /// When the present state ends by itself.
    pub(super) deadline_ms: Option<u64>,
    pub(super) heartbeats: Heartbeats,
    pub(super) mechanism: String,
    pub(super) frame_max: u32,
    pub(super) heartbeat_s: u32,
    pub(super) deliver_version: u16,
    /// Of the server's next request.
    pub(super) next_correlation: u32,
    /// In the order of their deadlines.
    pub(super) updates: VecDeque<Update>,
    /// The answer that is sent when the state Refusing ends.
    pub(super) refusal: Vec<u8>,
    pub(super) output: Vec<u8>,
}

pub(super) type Result<'a> = std::result::Result<Option<Event<'a>>, FrameError>;

impl Machine {
    pub(super) fn handle<'a>(&mut self, frame: &'a [u8]) -> Option<Event<'a>> {
        let frame = ClientFrame::read(frame);
        if self.state == State::Closing {
            if let Ok(frame) = frame {
                self.handle_when_closing(&frame);
            }
            return None;
        }
        let result = match frame {
            Err(error) => Err(error),
            Ok(ClientFrame::Heartbeat) => return None,
            Ok(frame) if self.state == State::Running => self.handle_when_open(frame),
            Ok(frame) => self.handle_handshake(frame),
        };
        result.unwrap_or_else(|error| {
            self.fail(error).then_some(Event::Closed(Closed::ByError(error)))
        })
    }

    fn handle_when_open<'a>(&mut self, frame: ClientFrame<'a>) -> Result<'a> {
        Ok(Some(match frame {
            ClientFrame::Publish(publish) => Event::Publish(publish),
            ClientFrame::Credit { subscription, credit } => Event::Credit { subscription, credit },
            ClientFrame::StoreOffset { reference, stream, offset } => {
                Event::StoreOffset { reference, stream, offset }
            }
            ClientFrame::ConsumerUpdateAnswer { correlation, offset, .. } => {
                return Ok(self.consumer_updated(correlation, offset));
            }
            ClientFrame::Request { correlation, request } => {
                return self.request(correlation, request);
            }
            // An answer to a Close that was not sent.
            ClientFrame::Tune { .. } | ClientFrame::CloseAnswer { .. } => {
                return Err(unexpected(&frame));
            }
            ClientFrame::Heartbeat => return Ok(None),
        }))
    }

    fn request<'a>(&mut self, correlation: u32, request: Request<'a>) -> Result<'a> {
        match request {
            Request::SaslAuthenticate { mechanism, response } => {
                Ok(self.login(correlation, mechanism, response, true))
            }
            Request::Close { code, reason } => {
                self.respond_code(correlation, Command::Close, ResponseCode::Ok);
                self.end(Finish::Closed);
                Ok(Some(Event::Closed(Closed::ByClient { code, reason })))
            }
            Request::ExchangeCommandVersions { versions } => {
                let deliver = versions.iter().find(|it| it.key == Command::Deliver.key());
                if deliver.is_some_and(|versions| versions.max >= 2) {
                    self.deliver_version = 2;
                }
                let (code, versions) = (ResponseCode::Ok, server_versions());
                self.respond(correlation, Response::ExchangeCommandVersions { code, versions });
                Ok(None)
            }
            Request::PeerProperties { .. }
            | Request::SaslHandshake { .. }
            | Request::Open { .. } => {
                Err(unexpected(&ClientFrame::Request { correlation, request }))
            }
            _ => Ok(Some(Event::Request { correlation, request })),
        }
    }

    pub(super) fn respond(&mut self, correlation: u32, response: Response<'_>) {
        ServerFrame::Response { correlation, response }.write(&mut self.output);
    }

    pub(super) fn respond_code(&mut self, correlation: u32, command: Command, code: ResponseCode) {
        self.respond(correlation, Response::Code { command, code });
    }

    pub(super) fn consumer_update(&mut self, subscription: u8, active: bool) {
        if !self.state.is_open() {
            return;
        }
        let correlation = self.next_correlation;
        self.next_correlation = correlation.wrapping_add(1);
        let deadline_ms = self.now_ms.saturating_add(self.config.request_timeout_ms);
        self.updates.push_back(Update { correlation, subscription, active, deadline_ms });
        ServerFrame::ConsumerUpdate { correlation, subscription, active }.write(&mut self.output);
    }

    /// RabbitMQ ignores answers to what it did not ask.
    fn consumer_updated(&mut self, correlation: u32, offset: OffsetSpec) -> Option<Event<'static>> {
        let at = self.updates.iter().position(|update| update.correlation == correlation)?;
        let Update { subscription, active, .. } = self.updates.remove(at)?;
        Some(Event::ConsumerUpdated { subscription, active, offset })
    }
}

pub(super) fn unexpected(frame: &ClientFrame<'_>) -> FrameError {
    FrameError::Unexpected { command: frame.command() }
}
