//! The server side of one connection.

mod close;
mod foreign;
mod handshake;
mod machine;
mod state;

use std::sync::Arc;

pub use state::Finish;

use self::machine::Machine;
use self::state::{Held, Outcome, State};
use crate::channel::{ChannelState, Channels};
use crate::config::{ClientCapabilities, ConnectionConfig};
use crate::constants::FRAME_MAX_BEFORE_TUNE;
use crate::decoder::{Acks, Decoder};
use crate::event::Event;
use crate::last_publish::{Bounds, LastPublish, PublishesAlike};
use crate::method::MethodId;
use crate::output::Output;
use crate::timer::Heartbeats;
use crate::tune::Tuning;

/// The server side of one AMQP 0-9-1 connection, without socket or clock.
///
/// The owner gives it what comes from the socket ([`Connection::poll_event`]), answers events,
/// moves [`Connection::transmit`] to the socket after every call, and calls
/// [`Connection::handle_timeout`] when [`Connection::poll_timeout`] says so. All times are
/// milliseconds of one clock of the owner's choice that never goes back.
#[derive(Debug)]
pub struct Connection {
    decoder: Decoder,
    last_publish: LastPublish,
    machine: Machine,
}

impl Connection {
    /// A connection on which nothing has been said yet.
    pub fn new(config: Arc<ConnectionConfig>, now_ms: u64) -> Self {
        let deadline_ms = Some(now_ms.saturating_add(config.handshake_timeout_ms));
        let tuning = Tuning { channel_max: 0, frame_max: FRAME_MAX_BEFORE_TUNE, heartbeat_s: 0 };
        let machine = Machine {
            config,
            state: State::Header,
            finish: None,
            now_ms,
            deadline_ms,
            heartbeats: Heartbeats::off(),
            tuning,
            capabilities: ClientCapabilities::default(),
            mechanism: String::new(),
            header: Vec::new(),
            close_ok: None,
            announces: false,
            joins_acks: false,
            channels: Channels::default(),
            held: Held::Nothing,
            output: Output::new(),
        };
        Self { decoder: Decoder::new(), last_publish: LastPublish::default(), machine }
    }

    /// Takes input from its front; returns how many octets were used, and an event if something
    /// happened. To be called again with the rest until there is no event: then all input was used
    /// (an incomplete frame was put aside), unless [`Connection::is_waiting`].
    ///
    /// What a body is borrowed from is the input; everything else may be the connection itself.
    ///
    /// basic.publish and basic.ack that are whole, sound and on an open channel have a way of their
    /// own.
    #[inline]
    pub fn poll_event<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Event<'a>>) {
        let machine = &self.machine;
        if machine.state == State::Running && !machine.announces && self.decoder.is_at_frame() {
            let is_open = |channel| machine.channels.state(channel) == ChannelState::Open;
            if let Some(acks) = Acks::read(input, machine.joins_acks) {
                let Acks { octets, channel, delivery_tags, multiple } = acks;
                if is_open(channel) {
                    return (octets, Some(Event::Ack { channel, delivery_tags, multiple }));
                }
            } else {
                let bounds = self.bounds();
                if let Some((octets, body)) = self.last_publish.read(input, bounds)
                    && is_open(self.last_publish.channel())
                {
                    return (octets, Some(Event::Publish(self.last_publish.event(body))));
                }
            }
        }
        self.poll_any(input)
    }

    fn bounds(&self) -> Bounds {
        let body_max = self.machine.config.message_size_max;
        Bounds { payload_max: self.decoder.payload_max(), body_max }
    }

    /// The basic.publishes at the front of the input that differ from the last one in their bodies
    /// alone: it has just been told, with this number, which is not 0, and the channel was not
    /// closed since. What is not taken of them comes as events.
    #[inline]
    pub fn publishes_alike<'a>(&'a self, number: u64, input: &'a [u8]) -> PublishesAlike<'a> {
        let last = &self.last_publish;
        let is_at_hand = number != 0
            && last.number() == number
            && self.machine.state == State::Running
            && !self.machine.announces
            && self.machine.channels.state(last.channel()) == ChannelState::Open
            && self.decoder.is_at_frame();
        let input = if is_at_hand { input } else { &[] };
        PublishesAlike::new(last, self.bounds(), input)
    }

    fn poll_any<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Event<'a>>) {
        let machine = &mut self.machine;
        machine.forget_held();
        self.decoder.forget_used();
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let outcome = match machine.state {
                state if state.is_asking() || rest.is_empty() => return (used, None),
                State::Finished | State::Silent => return (input.len(), None),
                State::Closing if machine.close_ok.is_some() => {
                    machine.find_close_ok(rest);
                    return (input.len(), None);
                }
                State::Header => {
                    let (octets, outcome) = machine.protocol_header(rest);
                    used += octets;
                    outcome
                }
                _ => {
                    let (octets, piece) = self.decoder.next(rest, |header| machine.streams(header));
                    used += octets;
                    let Some(piece) = piece else { return (used, None) };
                    machine.handle(piece)
                }
            };
            self.decoder.set_frame_max(machine.tuning.frame_max);
            match outcome {
                Outcome::Nothing => {}
                Outcome::Event(event) => return (used, Some(event)),
                Outcome::Held => return (used, machine.held_event()),
            }
        }
    }

    /// What the connection itself has to send, to be moved out and written before anything that
    /// answers later input.
    #[inline]
    pub fn transmit(&mut self) -> &mut Output {
        &mut self.machine.output
    }

    /// Whether input is left alone until the login or the opening of the virtual host is answered.
    pub fn is_waiting(&self) -> bool {
        self.machine.state.is_asking()
    }

    /// Whether the socket is to be closed once everything is written.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.machine.state == State::Finished
    }

    /// Why the connection is finished; `None` if it is not.
    pub fn finish(&self) -> Option<Finish> {
        self.machine.finish
    }

    /// Whether the virtual host is open and nobody has closed the connection.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.machine.state == State::Running
    }

    /// From now on tells, or does not, when a basic.publish with a body has begun: while an alarm
    /// is on, the owner takes no more from there.
    pub fn announce_publishes(&mut self, announce: bool) {
        self.machine.announces = announce;
    }

    /// From now on tells of basic.acks that follow each other together, as far as they came
    /// together, or does not. At first it does not.
    #[inline]
    pub fn join_acks(&mut self, join: bool) {
        self.machine.joins_acks = join;
    }

    /// Notes that octets came.
    #[inline]
    pub fn input_arrived(&mut self, now_ms: u64) {
        self.machine.now_ms = now_ms;
        self.machine.heartbeats.input(now_ms);
    }

    /// Notes that octets were written.
    #[inline]
    pub fn output_sent(&mut self, now_ms: u64) {
        self.machine.now_ms = now_ms;
        self.machine.heartbeats.output(now_ms);
    }

    /// Does what is due: sends a heartbeat, or finishes the connection.
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

    /// Answers [`Event::Login`] or [`Event::LoginResponse`]: the client is who it says.
    pub fn accept_login(&mut self) {
        self.machine.accept_login();
    }

    /// Answers [`Event::Login`] or [`Event::LoginResponse`]: the mechanism needs another round.
    pub fn challenge(&mut self, challenge: &[u8]) {
        self.machine.challenge(challenge);
    }

    /// Answers [`Event::Login`] or [`Event::LoginResponse`]: no. A client that announced
    /// `authentication_failure_close` is told 403 with this explanation (the code's name is put in
    /// front); for others the socket closes after a delay.
    pub fn refuse_login(&mut self, explanation: &str) {
        self.machine.refuse_login(explanation);
    }

    /// Answers [`Event::Login`] or [`Event::LoginResponse`]: that was no response of the mechanism.
    /// No client is told; the socket closes after a delay.
    pub fn refuse_response(&mut self) {
        self.machine.refuse_response();
    }

    /// Answers [`Event::Open`]. To refuse, use [`Connection::close_connection`].
    pub fn accept_open(&mut self) {
        self.machine.accept_open();
    }

    /// Answers [`Event::ChannelOpened`].
    pub fn accept_channel(&mut self, channel: u16) {
        self.machine.accept_channel(channel);
    }

    /// Answers [`Event::UpdateSecret`].
    pub fn accept_secret(&mut self) {
        self.machine.accept_secret();
    }

    /// Tells the client that its publishes are held back, if it wants to know.
    pub fn blocked(&mut self, reason: &str) {
        self.machine.blocked(reason);
    }

    /// Tells the client that its publishes are taken again, if it wants to know.
    pub fn unblocked(&mut self) {
        self.machine.unblocked();
    }

    /// Sends channel.close with this text as it is (up to 255 octets) and the ids of the method
    /// that failed, 0 and 0 for none. All that comes on the channel is dropped until close-ok.
    /// Nothing happens if the channel is not open.
    pub fn close_channel(
        &mut self,
        channel: u16,
        reply_code: u16,
        reply_text: &str,
        class_id: u16,
        method_id: u16,
    ) {
        let method = MethodId::new(class_id, method_id);
        self.machine.close_channel(channel, reply_code, reply_text, method);
    }

    /// Sends connection.close with this text as it is (up to 255 octets) and the ids of the method
    /// that failed, 0 and 0 for none; then waits for close-ok for a bounded time. Nothing happens
    /// if the connection is closed already.
    pub fn close_connection(
        &mut self,
        reply_code: u16,
        reply_text: &str,
        class_id: u16,
        method_id: u16,
    ) {
        self.machine.close(reply_code, reply_text, MethodId::new(class_id, method_id));
    }

    /// Whether the channel is open and not being closed.
    #[inline]
    pub fn is_channel_open(&self, channel: u16) -> bool {
        let state = self.machine.channels.state(channel);
        !matches!(state, ChannelState::Free | ChannelState::Closing)
    }

    /// Octets of memory for frames and messages that have come in part and wait for the rest.
    pub fn unfinished_octets(&self) -> usize {
        self.decoder.kept_octets() + self.machine.channels.unfinished_octets()
    }

    /// Largest frame to send, in octets, as agreed on.
    #[inline]
    pub fn frame_max(&self) -> u32 {
        self.machine.tuning.frame_max
    }

    /// Channels that may be open at the same time, as agreed on.
    pub fn channel_max(&self) -> u16 {
        self.machine.tuning.channel_max
    }

    /// Heartbeat interval in seconds as agreed on; 0 for none.
    pub fn heartbeat_s(&self) -> u16 {
        self.machine.tuning.heartbeat_s
    }

    /// What the client announced in start-ok.
    pub fn client_capabilities(&self) -> ClientCapabilities {
        self.machine.capabilities
    }
}
