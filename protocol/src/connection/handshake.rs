//! From the protocol header to connection.open-ok, and later methods of channel 0.

use amq_protocol::protocol::{AMQPClass, connection};
use amq_protocol::types::LongString;

use super::machine::{Machine, Result};
use super::state::{Finish, Held, Outcome, State};
use crate::config::ClientCapabilities;
use crate::constants::{
    PROTOCOL_HEADER, PROTOCOL_HEADER_0_9, PROTOCOL_HEADER_1_0, PROTOCOL_HEADER_FOR_OTHERS,
};
use crate::error::ConnectionError;
use crate::method::{MethodId, read_method};
use crate::reply_code::{self, reply_text, short_text};
use crate::timer::Heartbeats;

use connection::AMQPMethod as Method;

impl Machine {
    pub(super) fn send(&mut self, method: Method) {
        self.output.method(0, &AMQPClass::Connection(method));
    }

    /// Takes the protocol header from the front of the input; returns how many octets it took.
    pub(super) fn protocol_header(&mut self, input: &[u8]) -> (usize, Outcome) {
        let missing = PROTOCOL_HEADER.len() - self.header.len();
        let part = input.get(..missing.min(input.len())).unwrap_or_default();
        self.header.extend_from_slice(part);
        if self.header.len() < PROTOCOL_HEADER.len() {
            return (part.len(), Outcome::Nothing);
        }
        let header = std::mem::take(&mut self.header);
        if header == PROTOCOL_HEADER || header == PROTOCOL_HEADER_0_9 {
            self.state = State::Starting;
            self.send(Method::Start(connection::Start {
                version_major: 0,
                version_minor: 9,
                server_properties: self.config.server_properties.clone(),
                mechanisms: LongString::from(self.config.mechanisms.as_str()),
                locales: LongString::from("en_US"),
            }));
            return (part.len(), Outcome::Nothing);
        }
        self.output.octets(&supported_header(&header));
        self.finish(Finish::WrongProtocol);
        let octets = header.escape_ascii();
        let reason = match super::foreign::name(&header) {
            Some(name) => format!("bad protocol header \"{octets}\": this is {name}"),
            None => format!("bad protocol header \"{octets}\""),
        };
        self.held = Held::HandshakeFailed(reason);
        (part.len(), Outcome::Held)
    }

    /// A method on channel 0.
    pub(super) fn connection_method(&mut self, payload: &[u8]) -> Result<Outcome> {
        let method = read_method(payload)?;
        let id = MethodId::of(&method);
        let AMQPClass::Connection(method) = method else { return Err(self.unexpected(id)) };
        match (method, self.state) {
            (Method::StartOk(start_ok), State::Starting) => self.start_ok(start_ok),
            (Method::SecureOk(secure_ok), State::Securing) => {
                self.state = State::LoginAsked;
                self.held = Held::LoginResponse(secure_ok.response.as_bytes().to_vec());
                Ok(Outcome::Held)
            }
            (Method::TuneOk(tune_ok), State::Tuning) => self.tune_ok(&tune_ok),
            (Method::Open(open), State::Opening) => {
                self.state = State::OpenAsked;
                self.held = Held::VirtualHost(open.virtual_host.into());
                Ok(Outcome::Held)
            }
            (Method::UpdateSecret(update), State::Running) => {
                let new_secret = update.new_secret.as_bytes().to_vec();
                self.held = Held::Secret { new_secret, reason: update.reason.into() };
                Ok(Outcome::Held)
            }
            (Method::Close(close), State::Running) => Ok(self.closed_by_client(close)),
            _ => Err(self.unexpected(id)),
        }
    }

    fn unexpected(&self, id: MethodId) -> ConnectionError {
        let text = format!("unexpected method in connection state {}", self.state.name());
        ConnectionError::new(reply_code::CHANNEL_ERROR, &text, id)
    }

    fn start_ok(&mut self, start_ok: connection::StartOk) -> Result<Outcome> {
        let mechanism = start_ok.mechanism.as_str();
        if !self.config.offers(mechanism) {
            let text = format!("unknown authentication mechanism '{mechanism}'");
            let id = MethodId::new(10, 11);
            return Err(ConnectionError::new(reply_code::COMMAND_INVALID, &text, id));
        }
        self.mechanism = mechanism.to_owned();
        self.capabilities = ClientCapabilities::read(&start_ok.client_properties);
        self.state = State::LoginAsked;
        self.held = Held::Login {
            response: start_ok.response.as_bytes().to_vec(),
            client_properties: start_ok.client_properties,
        };
        Ok(Outcome::Held)
    }

    fn tune_ok(&mut self, tune_ok: &connection::TuneOk) -> Result<Outcome> {
        self.tuning = self.config.offer().agree(tune_ok).map_err(|error| {
            let id = MethodId::new(10, 31);
            ConnectionError::new(reply_code::NOT_ALLOWED, &error.to_string(), id)
        })?;
        self.heartbeats = Heartbeats::start(self.tuning.heartbeat_s, self.now_ms);
        self.state = State::Opening;
        Ok(Outcome::Nothing)
    }

    pub(super) fn accept_login(&mut self) {
        if self.state == State::LoginAsked {
            self.state = State::Tuning;
            let offer = self.config.offer();
            self.send(Method::Tune(connection::Tune {
                channel_max: offer.channel_max,
                frame_max: offer.frame_max,
                heartbeat: offer.heartbeat_s,
            }));
        }
    }

    pub(super) fn challenge(&mut self, challenge: &[u8]) {
        if self.state == State::LoginAsked {
            self.state = State::Securing;
            let challenge = LongString::from(challenge);
            self.send(Method::Secure(connection::Secure { challenge }));
        }
    }

    pub(super) fn refuse_login(&mut self, explanation: &str) {
        if self.state != State::LoginAsked {
            return;
        }
        if self.capabilities.authentication_failure_close {
            let text = reply_text(reply_code::ACCESS_REFUSED, explanation);
            self.close(reply_code::ACCESS_REFUSED, &text, MethodId::NONE);
        } else {
            self.end_silently();
        }
    }

    pub(super) fn refuse_response(&mut self) {
        if self.state == State::LoginAsked {
            self.end_silently();
        }
    }

    pub(super) fn accept_open(&mut self) {
        if self.state == State::OpenAsked {
            self.state = State::Running;
            self.deadline_ms = None;
            self.mechanism = String::new();
            self.held = Held::Nothing;
            self.send(Method::OpenOk(connection::OpenOk {}));
        }
    }

    pub(super) fn accept_secret(&mut self) {
        if self.state == State::Running {
            self.send(Method::UpdateSecretOk(connection::UpdateSecretOk {}));
        }
    }

    pub(super) fn blocked(&mut self, reason: &str) {
        if self.state == State::Running && self.capabilities.connection_blocked {
            let reason = short_text(reason).into();
            self.send(Method::Blocked(connection::Blocked { reason }));
        }
    }

    pub(super) fn unblocked(&mut self) {
        if self.state == State::Running && self.capabilities.connection_blocked {
            self.send(Method::Unblocked(connection::Unblocked {}));
        }
    }
}

/// What a header that is not taken is answered with. Later versions of AMQP 0 are told about this
/// one, as is AMQP 1.0, which RabbitMQ speaks; all else gets what RabbitMQ says to it.
fn supported_header(header: &[u8]) -> [u8; 8] {
    let is_later = matches!(header, [b'A', b'M', b'Q', b'P', 0, 0, minor, _] if *minor >= 9);
    let is_1_0 = PROTOCOL_HEADER_1_0.iter().any(|known| known == header);
    if is_later || is_1_0 { PROTOCOL_HEADER } else { PROTOCOL_HEADER_FOR_OTHERS }
}
