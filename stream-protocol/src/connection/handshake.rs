//! From PeerProperties to Open, and new credentials later.

use super::machine::{Machine, Result, unexpected};
use super::state::{Finish, State};
use crate::client_frame::ClientFrame;
use crate::event::{Closed, Event};
use crate::request::Request;
use crate::response::Response;
use crate::response_code::ResponseCode;
use crate::server_frame::ServerFrame;
use crate::timer::Heartbeats;

impl Machine {
    pub(super) fn handle_handshake<'a>(&mut self, frame: ClientFrame<'a>) -> Result<'a> {
        if let (ClientFrame::Tune { frame_max, heartbeat_s }, State::Tuning) = (&frame, self.state)
        {
            (self.frame_max, self.heartbeat_s) = (*frame_max, *heartbeat_s);
            self.heartbeats = Heartbeats::start(*heartbeat_s, self.now_ms);
            self.step(State::Opening);
            return Ok(None);
        }
        let error = unexpected(&frame);
        let ClientFrame::Request { correlation, request } = frame else { return Err(error) };
        match (request, self.state) {
            (Request::PeerProperties { properties }, State::Greeting) => {
                self.greet(correlation);
                Ok(Some(Event::PeerProperties { properties }))
            }
            (Request::SaslHandshake {}, State::Mechanisms) => {
                self.offer_mechanisms(correlation);
                Ok(None)
            }
            (Request::SaslAuthenticate { mechanism, response }, State::Credentials) => {
                Ok(self.login(correlation, mechanism, response, false))
            }
            (Request::Open { virtual_host }, State::Opening) => {
                self.ask(State::OpenAsked { correlation });
                let (frame_max, heartbeat_s) = (self.frame_max, self.heartbeat_s);
                Ok(Some(Event::Open { virtual_host, frame_max, heartbeat_s }))
            }
            _ => Err(error),
        }
    }

    fn greet(&mut self, correlation: u32) {
        let config = self.config.clone();
        let properties = &config.server_properties;
        let properties = properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let (code, properties) = (ResponseCode::Ok, properties.collect());
        self.respond(correlation, Response::PeerProperties { code, properties });
        self.step(State::Mechanisms);
    }

    fn offer_mechanisms(&mut self, correlation: u32) {
        let config = self.config.clone();
        let mechanisms = config.mechanisms.iter().map(String::as_str).collect();
        let code = ResponseCode::Ok;
        self.respond(correlation, Response::SaslHandshake { code, mechanisms });
        self.step(State::Credentials);
    }

    /// SaslAuthenticate: at first, after a challenge, or of an open connection.
    pub(super) fn login<'a>(
        &mut self,
        correlation: u32,
        mechanism: &'a str,
        response: &'a [u8],
        renewal: bool,
    ) -> Option<Event<'a>> {
        let offered = self.config.mechanisms.iter().any(|offered| offered == mechanism);
        let refusal = match renewal {
            false if !offered => Some(ResponseCode::SaslMechanismNotSupported),
            true if mechanism != self.mechanism => Some(ResponseCode::SaslCannotChangeMechanism),
            _ => None,
        };
        self.ask(State::LoginAsked { correlation, renewal });
        if let Some(code) = refusal {
            self.refuse_login(code);
            return Some(Event::Closed(Closed::Mechanism));
        }
        mechanism.clone_into(&mut self.mechanism);
        Some(Event::Login { mechanism, response, renewal })
    }

    pub(super) fn accept_login(&mut self) {
        let State::LoginAsked { correlation, renewal } = self.state else { return };
        self.respond_login(correlation, ResponseCode::Ok, None);
        if renewal {
            self.state = State::Running;
            return;
        }
        let (frame_max, heartbeat_s) = (self.config.frame_max, self.config.heartbeat_s);
        ServerFrame::Tune { frame_max, heartbeat_s }.write(&mut self.output);
        self.step(State::Tuning);
    }

    pub(super) fn challenge(&mut self, challenge: &str) {
        let State::LoginAsked { correlation, renewal } = self.state else { return };
        self.respond_login(correlation, ResponseCode::SaslChallenge, Some(challenge));
        match renewal {
            true => self.state = State::Running,
            false => self.step(State::Credentials),
        }
    }

    pub(super) fn refuse_login(&mut self, code: ResponseCode) {
        let State::LoginAsked { correlation, renewal } = self.state else { return };
        match (renewal, code) {
            (true, _) => {
                self.respond_login(correlation, code, None);
                self.end(Finish::RenewalFailed);
            }
            (false, ResponseCode::AuthenticationFailure) => {
                self.refuse_later(
                    correlation,
                    Response::SaslAuthenticate { code, challenge: None },
                );
            }
            (false, _) => {
                self.respond_login(correlation, code, None);
                self.end(Finish::HandshakeFailed);
            }
        }
    }

    fn respond_login(&mut self, correlation: u32, code: ResponseCode, challenge: Option<&str>) {
        self.respond(correlation, Response::SaslAuthenticate { code, challenge });
    }

    pub(super) fn accept_open(&mut self, advertised_host: &str, advertised_port: u16) {
        let State::OpenAsked { correlation } = self.state else { return };
        let port = advertised_port.to_string();
        let properties =
            Some(vec![("advertised_host", advertised_host), ("advertised_port", port.as_str())]);
        self.respond(correlation, Response::Open { code: ResponseCode::Ok, properties });
        self.state = State::Running;
        self.deadline_ms = None;
    }

    pub(super) fn refuse_open(&mut self) {
        let State::OpenAsked { correlation } = self.state else { return };
        let code = ResponseCode::VirtualHostAccessFailure;
        self.refuse_later(correlation, Response::Open { code, properties: None });
    }

    /// Leaves the answer for when its time has come.
    fn refuse_later(&mut self, correlation: u32, response: Response<'_>) {
        ServerFrame::Response { correlation, response }.write(&mut self.refusal);
        self.state = State::Refusing;
        self.heartbeats = Heartbeats::off();
        self.deadline_ms = Some(self.now_ms.saturating_add(self.config.refusal_delay_ms));
    }

    /// The next step of the handshake, with its time.
    fn step(&mut self, state: State) {
        self.state = state;
        self.deadline_ms = Some(self.now_ms.saturating_add(self.config.step_timeout_ms));
    }

    /// The owner is asked, who has all the time.
    fn ask(&mut self, state: State) {
        self.state = state;
        self.deadline_ms = None;
    }
}
