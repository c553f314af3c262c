//! The end of a connection or a channel: by either side, by an error, by silence.

use amq_protocol::protocol::{AMQPClass, channel, connection};

use super::machine::Machine;
use super::state::{Finish, Held, Outcome, State};
use crate::channel::ChannelState;
use crate::constants::{FRAME_END, FRAME_METHOD};
use crate::decoder::Piece;
use crate::error::ConnectionError;
use crate::method::MethodId;
use crate::reply_code::short_text;
use crate::timer::{Due, Heartbeats};

use connection::AMQPMethod as Method;

impl Machine {
    /// An error of the peer. Before connection.open is due, clients are not told: RabbitMQ just
    /// closes the socket after a while.
    pub(super) fn fail(&mut self, error: ConnectionError) -> Outcome {
        match self.state {
            State::Opening | State::OpenAsked | State::Running => {
                self.close(error.code, &error.text, error.method);
                let (reply_code, reply_text) = (error.code, error.text);
                self.held = Held::ClosedByError { reply_code, reply_text };
            }
            _ => {
                self.end_silently();
                self.held = Held::HandshakeFailed(error.text);
            }
        }
        Outcome::Held
    }

    /// Sends connection.close and waits for close-ok.
    pub(super) fn close(&mut self, reply_code: u16, reply_text: &str, method: MethodId) {
        if self.state.is_over() {
            return;
        }
        self.send(Method::Close(connection::Close {
            reply_code,
            reply_text: short_text(reply_text).into(),
            class_id: method.class_id,
            method_id: method.method_id,
        }));
        // Who was refused in the handshake has no more time than the handshake has.
        let handshake_ends_ms = self.deadline_ms;
        self.end(State::Closing, self.config.close_timeout_ms);
        self.deadline_ms = self.deadline_ms.min(handshake_ends_ms.or(self.deadline_ms));
    }

    pub(super) fn closed_by_client(&mut self, close: connection::Close) -> Outcome {
        self.send(Method::CloseOk(connection::CloseOk {}));
        self.end(State::Closed, self.config.close_timeout_ms);
        let reply_text = close.reply_text.into();
        self.held = Held::ClosedByClient { reply_code: close.reply_code, reply_text };
        Outcome::Held
    }

    pub(super) fn end_silently(&mut self) {
        self.end(State::Silent, self.config.silent_close_delay_ms);
    }

    /// A frame is broken: nobody knows where the next one begins. The socket closes after a while,
    /// as RabbitMQ's does, or as soon as there is a close-ok in what else comes.
    pub(super) fn lose_step(&mut self) {
        if self.state == State::Closing && self.close_ok.is_none() {
            self.close_ok = Some(0);
            let end_ms = self.now_ms.saturating_add(self.config.silent_close_delay_ms);
            self.deadline_ms = self.deadline_ms.map(|deadline_ms| deadline_ms.min(end_ms));
        }
    }

    /// Looks for close-ok wherever it may begin.
    pub(super) fn find_close_ok(&mut self, input: &[u8]) {
        const CLOSE_OK: [u8; 12] = [FRAME_METHOD, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, FRAME_END];
        let mut found = self.close_ok.unwrap_or_default();
        for octet in input {
            // Its first octet does not come again in it, so that nothing else can begin within.
            found = match CLOSE_OK.get(found) {
                Some(next) if next == octet => found + 1,
                _ => usize::from(*octet == FRAME_METHOD),
            };
            if found == CLOSE_OK.len() {
                self.finish(Finish::Closed);
                return;
            }
        }
        self.close_ok = Some(found);
    }

    fn end(&mut self, state: State, timeout_ms: u64) {
        self.state = state;
        self.deadline_ms = Some(self.now_ms.saturating_add(timeout_ms));
        self.channels.clear();
        self.heartbeats = Heartbeats::off();
    }

    pub(super) fn finish(&mut self, finish: Finish) {
        self.end(State::Finished, 0);
        self.deadline_ms = None;
        self.finish = Some(finish);
    }

    /// Input after the end: only close and close-ok matter.
    pub(super) fn handle_when_over(&mut self, piece: Piece<'_>) {
        let Piece::Frame(frame) = piece else { return };
        if frame.kind != FRAME_METHOD || frame.channel != 0 {
            return;
        }
        match (MethodId::split(frame.payload), self.state) {
            (Some((MethodId::CONNECTION_CLOSE_OK, _)), State::Closing) => {
                self.finish(Finish::Closed);
            }
            (Some((MethodId::CONNECTION_CLOSE, _)), State::Closing) => {
                self.send(Method::CloseOk(connection::CloseOk {}));
            }
            _ => {}
        }
    }

    /// Sends channel.close and drops everything on the channel until close-ok.
    pub(super) fn close_channel(
        &mut self,
        channel: u16,
        reply_code: u16,
        reply_text: &str,
        method: MethodId,
    ) {
        let state = self.channels.state(channel);
        if matches!(state, ChannelState::Free | ChannelState::Closing) {
            return;
        }
        self.channels.set(channel, ChannelState::Closing);
        let close = channel::AMQPMethod::Close(channel::Close {
            reply_code,
            reply_text: short_text(reply_text).into(),
            class_id: method.class_id,
            method_id: method.method_id,
        });
        self.output.method(channel, &AMQPClass::Channel(close));
    }

    pub(super) fn probe(&mut self) {
        if self.state == State::Running {
            self.output.heartbeat();
            self.heartbeats.output(self.now_ms);
        }
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        if self.deadline_ms.is_some_and(|deadline_ms| now_ms >= deadline_ms) {
            self.finish(match self.state {
                State::Closing | State::Closed => Finish::CloseTimeout,
                State::Silent => Finish::HandshakeFailed,
                _ => Finish::HandshakeTimeout,
            });
            return;
        }
        match self.heartbeats.due(now_ms) {
            Due::Nothing => {}
            Due::Send => {
                self.output.heartbeat();
                self.heartbeats.output(now_ms);
            }
            Due::PeerSilent => self.finish(Finish::PeerSilent),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        match (self.deadline_ms, self.heartbeats.next()) {
            (Some(deadline), Some(heartbeat)) => Some(deadline.min(heartbeat)),
            (deadline, heartbeat) => deadline.or(heartbeat),
        }
    }
}
