//! The end of a connection: by either side, by an error, by silence.

use super::machine::Machine;
use super::state::{Finish, State};
use crate::client_frame::ClientFrame;
use crate::command::Command;
use crate::error::FrameError;
use crate::request::Request;
use crate::response_code::ResponseCode;
use crate::server_frame::ServerFrame;
use crate::timer::{Due, Heartbeats};

/// Correlation id of Close, as RabbitMQ has it. It waits for one answer alone.
const CLOSE_CORRELATION: u32 = 1;

impl Machine {
    /// An error of the peer; `false` if the connection is over already.
    pub(super) fn fail(&mut self, error: FrameError) -> bool {
        if matches!(self.state, State::Closing | State::Finished) {
            return false;
        }
        self.close(error.code(), error.code().text());
        true
    }

    pub(super) fn close(&mut self, code: ResponseCode, reason: &str) {
        if matches!(self.state, State::Closing | State::Refusing | State::Finished) {
            return;
        }
        if !self.state.is_open() {
            self.end(Finish::HandshakeFailed);
            return;
        }
        let (correlation, code) = (CLOSE_CORRELATION, code.code());
        ServerFrame::Close { correlation, code, reason }.write(&mut self.output);
        self.state = State::Closing;
        self.heartbeats = Heartbeats::off();
        self.updates.clear();
        self.deadline_ms = Some(self.now_ms.saturating_add(self.config.close_timeout_ms));
    }

    /// Nothing but the two sides of closing matters any more.
    pub(super) fn handle_when_closing(&mut self, frame: &ClientFrame<'_>) {
        match frame {
            ClientFrame::CloseAnswer { .. } => self.end(Finish::Closed),
            ClientFrame::Request { correlation, request: Request::Close { .. } } => {
                self.respond_code(*correlation, Command::Close, ResponseCode::Ok);
                self.end(Finish::Closed);
            }
            _ => {}
        }
    }

    pub(super) fn end(&mut self, finish: Finish) {
        self.state = State::Finished;
        self.finish = Some(finish);
        self.heartbeats = Heartbeats::off();
        self.updates.clear();
        self.deadline_ms = None;
    }

    pub(super) fn probe(&mut self) {
        if self.state.is_open() {
            ServerFrame::Heartbeat.write(&mut self.output);
            self.heartbeats.output(self.now_ms);
        }
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        if self.deadline_ms.is_some_and(|deadline_ms| now_ms >= deadline_ms) {
            let finish = match self.state {
                State::Closing => Finish::CloseTimeout,
                State::Refusing => Finish::HandshakeFailed,
                _ => Finish::HandshakeTimeout,
            };
            self.output.append(&mut self.refusal);
            self.end(finish);
            return;
        }
        if self.updates.front().is_some_and(|update| now_ms >= update.deadline_ms) {
            self.end(Finish::RequestTimeout);
            return;
        }
        match self.heartbeats.due(now_ms) {
            Due::Nothing => {}
            Due::Send => {
                ServerFrame::Heartbeat.write(&mut self.output);
                self.heartbeats.output(now_ms);
            }
            Due::PeerSilent => self.end(Finish::PeerSilent),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let update = self.updates.front().map(|update| update.deadline_ms);
        [self.deadline_ms, update, self.heartbeats.next()].into_iter().flatten().min()
    }
}
