//! What a frame means in each state.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, channel};

use super::state::{Finish, Held, Outcome, State};
use crate::channel::{ChannelState, Channels};
use crate::config::{ClientCapabilities, ConnectionConfig};
use crate::constants::{FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, FRAME_OVERHEAD};
use crate::content::ContentHeader;
use crate::decoder::Piece;
use crate::error::ConnectionError;
use crate::event::{Body, Closed, Event, Publish};
use crate::frame::{Frame, FrameHeader};
use crate::method::{MethodId, PublishMethod, read_ack, read_method, read_qos};
use crate::output::Output;
use crate::reply_code;
use crate::timer::Heartbeats;
use crate::tune::Tuning;

pub(super) type Result<T> = std::result::Result<T, ConnectionError>;

/// Shortest payload of a content header frame that RabbitMQ takes for one.
const CONTENT_HEADER_MIN: usize = 12;

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
    pub(super) tuning: Tuning,
    pub(super) capabilities: ClientCapabilities,
    pub(super) mechanism: String,
    /// As much of the protocol header as has come.
    pub(super) header: Vec<u8>,
    /// Where frames begin is unknown since one was broken: how many octets of close-ok the input
    /// ends with.
    pub(super) close_ok: Option<usize>,
    /// The owner wants to know when a publish begins.
    pub(super) announces: bool,
    /// basic.acks that follow each other are told of together.
    pub(super) joins_acks: bool,
    pub(super) channels: Channels,
    pub(super) held: Held,
    pub(super) output: Output,
}

impl Machine {
    /// Forgets what the last event referred to.
    pub(super) fn forget_held(&mut self) {
        if let Held::Publish { content, .. } = std::mem::take(&mut self.held) {
            self.channels.recycle(content);
        }
    }

    /// What to do with a piece of input.
    pub(super) fn handle(&mut self, piece: Piece<'_>) -> Outcome {
        let is_broken = matches!(piece, Piece::BadEnd { .. } | Piece::TooLarge(_));
        if self.state.is_over() {
            if is_broken {
                self.lose_step();
            } else {
                self.handle_when_over(piece);
            }
            return Outcome::Nothing;
        }
        let result = match piece {
            Piece::Frame(frame) => self.frame(frame),
            Piece::BodyPart { channel, octets } => self.body_part(channel, octets),
            Piece::BodyEnd { channel } => Ok(self.body_end(channel)),
            Piece::BadEnd { frame, end } => {
                let cause = format!("{{invalid_frame_end_marker,{end}}}");
                Err(ConnectionError::frame(frame.kind, frame.payload, &cause))
            }
            Piece::TooLarge(header) => Err(self.too_large(header)),
        };
        result.unwrap_or_else(|error| {
            let outcome = self.fail(error);
            if is_broken {
                self.lose_step();
            }
            outcome
        })
    }

    fn too_large(&self, header: FrameHeader) -> ConnectionError {
        let payload_max = self.tuning.frame_max as usize - FRAME_OVERHEAD;
        let cause = format!("{{frame_too_large,{},{payload_max}}}", header.size);
        ConnectionError::frame(header.kind, b"", &cause)
    }

    /// Whether an incomplete body frame is to be taken in parts.
    pub(super) fn streams(&self, header: &FrameHeader) -> bool {
        if self.state.is_over() {
            return true;
        }
        match self.channels.state(header.channel) {
            ChannelState::Closing => true,
            ChannelState::Body | ChannelState::Discard => {
                let left = self.channels.peek(header.channel).map_or(0, |content| content.left);
                u64::from(header.size) <= left
            }
            _ => false,
        }
    }

    fn frame(&mut self, frame: Frame<'_>) -> Result<Outcome> {
        let Frame { kind, channel, payload } = frame;
        let is_known = match kind {
            FRAME_METHOD => MethodId::split(payload).is_some(),
            FRAME_HEADER => payload.len() >= CONTENT_HEADER_MIN,
            FRAME_BODY => true,
            FRAME_HEARTBEAT => payload.is_empty(),
            _ => false,
        };
        if channel != 0 && self.state != State::Running {
            return Err(ConnectionError::misplaced(kind, payload));
        }
        match (kind, channel) {
            _ if !is_known => Err(ConnectionError::frame(kind, payload, "unknown_frame")),
            (FRAME_HEARTBEAT, 0) => Ok(Outcome::Nothing),
            (FRAME_METHOD, 0) => self.connection_method(payload),
            (_, 0) | (FRAME_HEARTBEAT, _) => Err(ConnectionError::misplaced(kind, payload)),
            _ => self.channel_frame(frame),
        }
    }

    fn channel_frame(&mut self, frame: Frame<'_>) -> Result<Outcome> {
        let Frame { kind, channel, payload } = frame;
        match self.channels.state(channel) {
            ChannelState::Free => self.frame_on_free_channel(frame),
            ChannelState::Closing => {
                self.frame_on_closing_channel(frame);
                Ok(Outcome::Nothing)
            }
            ChannelState::Open if kind == FRAME_METHOD => self.channel_method(channel, payload),
            ChannelState::Open => Err(not_a_method()),
            ChannelState::Header if kind == FRAME_HEADER => self.content_header(channel, payload),
            ChannelState::Header => Err(not_a_header()),
            ChannelState::Body | ChannelState::Discard if kind == FRAME_BODY => {
                self.body_part(channel, payload)?;
                Ok(self.body_end(channel))
            }
            ChannelState::Body | ChannelState::Discard => Err(not_a_body()),
        }
    }

    fn frame_on_free_channel(&mut self, frame: Frame<'_>) -> Result<Outcome> {
        let (open, channel_max) = (self.channels.count(), self.tuning.channel_max);
        if channel_max != 0 && open >= usize::from(channel_max) {
            let text = format!(
                "number of channels opened ({open}) has reached the negotiated channel_max \
                 ({channel_max})"
            );
            return Err(ConnectionError::new(reply_code::NOT_ALLOWED, &text, MethodId::NONE));
        }
        if frame.kind != FRAME_METHOD {
            return Err(not_a_method());
        }
        let id = MethodId::split(frame.payload).map_or(MethodId::NONE, |(id, _)| id);
        // Routing keys need not be UTF-8, so a basic.publish is not read here.
        if id != MethodId::BASIC_PUBLISH {
            read_method(frame.payload)?;
        }
        if id != MethodId::CHANNEL_OPEN {
            let text = "expected 'channel.open'";
            return Err(ConnectionError::new(reply_code::CHANNEL_ERROR, text, id));
        }
        self.channels.set(frame.channel, ChannelState::Open);
        Ok(Outcome::Event(Event::ChannelOpened { channel: frame.channel }))
    }

    pub(super) fn accept_channel(&mut self, channel: u16) {
        let open_ok = channel::AMQPMethod::OpenOk(channel::OpenOk {});
        self.output.method(channel, &AMQPClass::Channel(open_ok));
    }

    fn frame_on_closing_channel(&mut self, frame: Frame<'_>) {
        if frame.kind != FRAME_METHOD {
            return;
        }
        match MethodId::split(frame.payload) {
            Some((MethodId::CHANNEL_CLOSE_OK, _)) => {
                self.channels.set(frame.channel, ChannelState::Free);
            }
            Some((MethodId::CHANNEL_CLOSE, _)) => self.channel_close_ok(frame.channel),
            _ => {}
        }
    }

    fn channel_close_ok(&mut self, channel: u16) {
        let close_ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
        self.output.method(channel, &AMQPClass::Channel(close_ok));
    }

    /// A method on an open channel.
    fn channel_method(&mut self, channel: u16, payload: &[u8]) -> Result<Outcome> {
        let (id, arguments) = MethodId::split(payload).unwrap_or((MethodId::NONE, &[]));
        let cannot_decode = || ConnectionError::cannot_decode(id, arguments);
        if id == MethodId::BASIC_PUBLISH {
            let method = PublishMethod::read(arguments).ok_or_else(cannot_decode)?;
            self.channels.content(channel).begin(&method);
            self.channels.set(channel, ChannelState::Header);
            return Ok(Outcome::Nothing);
        }
        if id == MethodId::BASIC_ACK {
            let (delivery_tag, multiple) = read_ack(arguments).ok_or_else(cannot_decode)?;
            let delivery_tags = delivery_tag..=delivery_tag;
            return Ok(Outcome::Event(Event::Ack { channel, delivery_tags, multiple }));
        }
        let method = read_method(payload)?;
        match id {
            MethodId::BASIC_QOS => {
                let (prefetch_size, prefetch_count, global) =
                    read_qos(arguments).ok_or_else(cannot_decode)?;
                let qos = Event::Qos { channel, prefetch_size, prefetch_count, global };
                Ok(Outcome::Event(qos))
            }
            MethodId::CHANNEL_OPEN => {
                let text = "second 'channel.open' seen";
                Err(ConnectionError::new(reply_code::CHANNEL_ERROR, text, id))
            }
            MethodId::CHANNEL_CLOSE => {
                self.channels.set(channel, ChannelState::Free);
                self.channel_close_ok(channel);
                Ok(Outcome::Event(Event::ChannelClosed { channel }))
            }
            _ if !id.is_from_client() => Err(ConnectionError::unimplemented(id)),
            _ => Ok(Outcome::Event(Event::Method { channel, method })),
        }
    }

    fn content_header(&mut self, channel: u16, payload: &[u8]) -> Result<Outcome> {
        let header = ContentHeader::read(payload).ok_or_else(not_a_header)?;
        if header.class_id != MethodId::BASIC_PUBLISH.class_id {
            let text = format!(
                "expected content header for class 60, got one for class {} instead",
                header.class_id
            );
            return Err(ConnectionError::unexpected(&text, MethodId::BASIC_PUBLISH));
        }
        if header.weight != 0 {
            return Err(not_a_header());
        }
        header.validate()?;
        self.channels.content(channel).header(&header);
        let message_size_max = self.config.message_size_max;
        if header.body_size > message_size_max {
            self.channels.set(channel, ChannelState::Discard);
            let body_size = header.body_size;
            let event = Event::MessageTooLarge { channel, body_size, message_size_max };
            return Ok(Outcome::Event(event));
        }
        self.channels.set(channel, ChannelState::Body);
        if self.announces && header.body_size > 0 {
            return Ok(Outcome::Event(Event::PublishBegun { channel }));
        }
        Ok(self.body_end(channel))
    }

    /// Some octets of a body; a frame that came in parts has been checked to fit.
    fn body_part(&mut self, channel: u16, octets: &[u8]) -> Result<Outcome> {
        let keep = match self.channels.state(channel) {
            ChannelState::Body => true,
            ChannelState::Discard => false,
            _ => return Ok(Outcome::Nothing),
        };
        if self.channels.content(channel).body(octets, keep) {
            Ok(Outcome::Nothing)
        } else {
            Err(not_a_body())
        }
    }

    /// The end of a body frame, or of a header frame: is the message complete?
    fn body_end(&mut self, channel: u16) -> Outcome {
        let state = self.channels.state(channel);
        if !matches!(state, ChannelState::Body | ChannelState::Discard)
            || self.channels.content(channel).left > 0
        {
            return Outcome::Nothing;
        }
        self.channels.set(channel, ChannelState::Open);
        match self.channels.take_content(channel) {
            Some(content) if state == ChannelState::Body => {
                self.held = Held::Publish { channel, content };
                Outcome::Held
            }
            _ => Outcome::Nothing,
        }
    }

    /// The event that refers to what is held.
    pub(super) fn held_event(&mut self) -> Option<Event<'_>> {
        let mechanism = &self.mechanism;
        Some(match &mut self.held {
            Held::Nothing => return None,
            Held::Login { response, client_properties } => {
                Event::Login { mechanism, response, client_properties }
            }
            Held::LoginResponse(response) => Event::LoginResponse { mechanism, response },
            Held::VirtualHost(virtual_host) => Event::Open { virtual_host, tuning: self.tuning },
            Held::Secret { new_secret, reason } => Event::UpdateSecret { new_secret, reason },
            Held::Publish { channel, content } => {
                let body = Body::Assembled(content.take_body());
                let (exchange, routing_key) = content.names();
                Event::Publish(Publish {
                    channel: *channel,
                    number: 0,
                    exchange,
                    routing_key,
                    mandatory: content.mandatory,
                    immediate: content.immediate,
                    properties: &content.properties,
                    body,
                })
            }
            Held::ClosedByClient { reply_code, reply_text } => {
                Event::Closed(Closed::ByClient { reply_code: *reply_code, reply_text })
            }
            Held::ClosedByError { reply_code, reply_text } => {
                Event::Closed(Closed::ByError { reply_code: *reply_code, reply_text })
            }
            Held::HandshakeFailed(reason) => Event::Closed(Closed::Handshake { reason }),
        })
    }
}

fn not_a_method() -> ConnectionError {
    let text = "expected method frame, got non method frame instead";
    ConnectionError::unexpected(text, MethodId::NONE)
}

fn not_a_header() -> ConnectionError {
    let text = "expected content header for class 60, got non content header frame instead";
    ConnectionError::unexpected(text, MethodId::BASIC_PUBLISH)
}

fn not_a_body() -> ConnectionError {
    let text = "expected content body, got non content body frame instead";
    ConnectionError::unexpected(text, MethodId::BASIC_PUBLISH)
}
