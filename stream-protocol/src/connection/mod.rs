//! The server side of one connection.

mod close;
mod handshake;
mod machine;
mod state;

use std::collections::VecDeque;
use std::sync::Arc;

pub use state::Finish;

use self::machine::Machine;
use self::state::State;
use crate::config::ConnectionConfig;
use crate::decoder::{Decoder, Found};
use crate::error::FrameError;
use crate::event::{Closed, Event};
use crate::response_code::ResponseCode;
use crate::timer::Heartbeats;

/// Largest frame that is taken before the connection is open, in octets. Tokens fit in.
const HANDSHAKE_FRAME_OCTETS_MAX: usize = 16 * 1024;

/// The server side of one connection of the stream protocol, without socket or clock.
///
/// The owner gives it what comes from the socket ([`Connection::poll_event`]), answers events,
/// moves [`Connection::transmit`] to the socket after every call, and calls
/// [`Connection::handle_timeout`] when [`Connection::poll_timeout`] says so. All times are
/// milliseconds of one clock of the owner's choice that never goes back.
#[derive(Debug)]
pub struct Connection {
    decoder: Decoder,
    machine: Machine,
}

impl Connection {
    /// A connection on which nothing has been said yet.
    pub fn new(config: Arc<ConnectionConfig>, now_ms: u64) -> Self {
        let machine = Machine {
            deadline_ms: Some(now_ms.saturating_add(config.step_timeout_ms)),
            config,
            state: State::Greeting,
            finish: None,
            now_ms,
            heartbeats: Heartbeats::off(),
            mechanism: String::new(),
            frame_max: 0,
            heartbeat_s: 0,
            deliver_version: 1,
            next_correlation: 0,
            updates: VecDeque::new(),
            refusal: Vec::new(),
            output: Vec::new(),
        };
        Self { decoder: Decoder::new(HANDSHAKE_FRAME_OCTETS_MAX), machine }
    }

    /// Takes at most one frame from the front of the input; returns how many octets were used, and
    /// an event if something happened that the owner has to know of. To be called again with the
    /// rest until nothing is used: then there is no more input, or [`Connection::is_waiting`].
    pub fn poll_event<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Event<'a>>) {
        let machine = &mut self.machine;
        self.decoder.forget_given();
        match machine.state {
            state if state.is_asking() || input.is_empty() => return (0, None),
            State::Refusing | State::Finished => return (input.len(), None),
            State::Running => self.decoder.set_frame_octets_max(machine.config.frame_octets_max),
            _ => {}
        }
        let octets_max = self.decoder.frame_octets_max();
        let (used, found) = self.decoder.next(input);
        let event = match found {
            None => None,
            Some(Found::Frame(frame)) => machine.handle(frame),
            Some(Found::TooLarge(octets)) => {
                let error = FrameError::TooLarge { octets, octets_max };
                machine.fail(error).then_some(Event::Closed(Closed::ByError(error)))
            }
        };
        (used, event)
    }

    /// What the connection itself has to send, to be moved out and written before anything that
    /// answers later input.
    pub fn transmit(&mut self) -> &mut Vec<u8> {
        &mut self.machine.output
    }

    /// Whether input is left alone until the login or the opening of the virtual host is answered.
    pub fn is_waiting(&self) -> bool {
        self.machine.state.is_asking()
    }

    /// Whether the socket is to be closed once everything is written.
    pub fn is_finished(&self) -> bool {
        self.machine.state == State::Finished
    }

    /// Why the connection is finished; `None` if it is not.
    pub fn finish(&self) -> Option<Finish> {
        self.machine.finish
    }

    /// Whether the virtual host is open and nobody has closed the connection.
    pub fn is_running(&self) -> bool {
        self.machine.state.is_open()
    }

    /// Notes that octets came.
    pub fn input_arrived(&mut self, now_ms: u64) {
        self.machine.now_ms = now_ms;
        self.machine.heartbeats.input(now_ms);
    }

    /// Notes that octets were written.
    pub fn output_sent(&mut self, now_ms: u64) {
        self.machine.now_ms = now_ms;
        self.machine.heartbeats.output(now_ms);
    }

    /// Does what is due: sends a heartbeat or a refusal, or finishes the connection.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.machine.handle_timeout(now_ms);
    }

    /// Sends a heartbeat to a client whose input is not read, whether any were agreed on or not:
    /// the system of one that has gone answers that there is nobody.
    pub fn probe(&mut self) {
        self.machine.probe();
    }

    /// When [`Connection::handle_timeout`] is to be called; `None` if there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.machine.poll_timeout()
    }

    /// Answers [`Event::Login`]: the client is who it says. At first Tune follows.
    pub fn accept_login(&mut self) {
        self.machine.accept_login();
    }

    /// Answers [`Event::Login`]: the mechanism needs another round.
    pub fn challenge(&mut self, challenge: &str) {
        self.machine.challenge(challenge);
    }

    /// Answers [`Event::Login`]: no, with the code that says why. The first time, wrong credentials
    /// ([`ResponseCode::AuthenticationFailure`]) are answered after a delay. Then it is over.
    pub fn refuse_login(&mut self, code: ResponseCode) {
        self.machine.refuse_login(code);
    }

    /// Answers [`Event::Open`]: yes, and clients reach this server there.
    pub fn accept_open(&mut self, advertised_host: &str, advertised_port: u16) {
        self.machine.accept_open(advertised_host, advertised_port);
    }

    /// Answers [`Event::Open`]: no, after a delay. Then it is over.
    pub fn refuse_open(&mut self) {
        self.machine.refuse_open();
    }

    /// Tells a single active consumer that it is active, or no longer is. What it answers is
    /// [`Event::ConsumerUpdated`]; if it does not answer in time the connection is over.
    pub fn consumer_update(&mut self, subscription: u8, active: bool) {
        self.machine.consumer_update(subscription, active);
    }

    /// Sends Close and waits for its answer for a bounded time; before the connection is open, the
    /// client is told nothing. Nothing happens if the connection is closed already.
    pub fn close(&mut self, code: ResponseCode, reason: &str) {
        self.machine.close(code, reason);
    }

    /// Largest frame that the client takes, in octets; 0 for no limit. A chunk that is larger is
    /// sent all the same, as by RabbitMQ.
    pub fn frame_max(&self) -> u32 {
        self.machine.frame_max
    }

    /// Interval of heartbeats as agreed on, in seconds; 0 for none.
    pub fn heartbeat_s(&self) -> u32 {
        self.machine.heartbeat_s
    }

    /// Version of Deliver that the client knows: 1 until it says 2.
    pub fn deliver_version(&self) -> u16 {
        self.machine.deliver_version
    }

    /// Mechanism of the last login; empty before it.
    pub fn mechanism(&self) -> &str {
        &self.machine.mechanism
    }

    /// Octets of memory for a frame that has come in part and waits for the rest.
    pub fn unfinished_octets(&self) -> usize {
        self.decoder.begun_octets()
    }
}
