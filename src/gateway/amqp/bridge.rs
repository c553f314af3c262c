//! Between the protocol's events and the broker's channels: what a client asks for is done, and
//! answered into the outbox.

mod gathering;

use std::fmt::Display;
use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_protocol::table::encode_table;
use leveret_protocol::{Closed, Connection as Protocol, Event, Tuning};

use crate::access::User;
use crate::base::ids::ConnectionId;
use crate::channel::session::Session;
use crate::channel::{Channel, give_back};
use crate::error::{Error, NotAllowed, Precondition, Scope};
use crate::faults::Method;
use crate::gateway::amqp::methods::{self, MethodId};
use crate::gateway::amqp::outbox::{ChannelWriter, Outbox};
use crate::gateway::login::{NoLogin, log_in};
use crate::gateway::peer::Peer;
use crate::node::Node;
use crate::node::login_attempts::LoginProtocol;
use crate::node::status::ConnectionFacts;
use crate::queue::Queue;
use crate::queue::effects::Effects;

const BASIC_QOS: MethodId = (60, 10);
const BASIC_PUBLISH: MethodId = (60, 40);
const BASIC_ACK: MethodId = (60, 80);
const CONNECTION_OPEN: MethodId = (10, 40);
const NO_METHOD: MethodId = (0, 0);

/// What went wrong and what has to be closed for it.
pub(super) struct Failure {
    pub channel: u16,
    pub error: Error,
    pub method: MethodId,
}

/// What the client has said of itself when it logged in.
#[derive(Default)]
struct Login {
    mechanism: Box<str>,
    client_properties: Box<[u8]>,
    /// What it calls the connection.
    connection_name: String,
}

impl Login {
    fn is_external(&self) -> bool {
        &*self.mechanism == "EXTERNAL"
    }

    fn note(&mut self, mechanism: &str, client_properties: &FieldTable) {
        self.mechanism = mechanism.into();
        self.client_properties = encode_table(client_properties).into();
        self.connection_name = connection_name(client_properties);
    }
}

/// A channel; its number lies beside what acknowledgements and publishes need of it.
#[repr(C)]
struct Slot {
    number: u16,
    /// It is among those that publish.
    publishes: bool,
    channel: Channel,
}

/// The broker's side of one connection.
pub(super) struct Bridge {
    pub(in crate::gateway) broker: Arc<Node>,
    pub(in crate::gateway) outbox: Arc<Outbox>,
    id: ConnectionId,
    peer: Peer,
    login: Login,
    user: Option<Arc<User>>,
    pub(in crate::gateway) session: Option<Arc<Session>>,
    /// By number.
    channels: Vec<Slot>,
    /// Which of the channels is the first to be resumed next time.
    turn: usize,
    /// Where in `channels` the last event went.
    last: usize,
    /// Channel with publishes that go one way and are not enqueued yet.
    unflushed: Option<u16>,
    /// Channels with publishes that are not enqueued yet, or confirms that were not told.
    publishing: Vec<u16>,
    effects: Effects,
    /// The client has published: it may be blocked.
    pub has_published: bool,
    /// A fault has cut the connection: there is nobody to talk to any more.
    pub is_lost: bool,
}

impl Bridge {
    /// A connection that has not logged in.
    pub(super) fn new(broker: Arc<Node>, outbox: Arc<Outbox>, peer: Peer) -> Self {
        let id = broker.connections.next_id();
        Self {
            broker,
            outbox,
            id,
            peer,
            login: Login::default(),
            user: None,
            session: None,
            channels: Vec::new(),
            turn: 0,
            last: 0,
            unflushed: None,
            publishing: Vec::new(),
            effects: Effects::new(),
            has_published: false,
            is_lost: false,
        }
    }

    /// Whether the client logged in and opened a virtual host.
    pub(super) fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Takes one event. Returns what the protocol has to be told.
    #[inline]
    pub(super) fn handle(&mut self, event: Event<'_>) -> Result<Answer, Failure> {
        match event {
            Event::Publish(publish) => self.publish(publish).map(|()| Answer::None),
            Event::Ack { channel, delivery_tags, multiple } => {
                self.ack(channel, delivery_tags, multiple).map(|()| Answer::None)
            }
            other => self.handle_rare(other),
        }
    }

    fn handle_rare(&mut self, event: Event<'_>) -> Result<Answer, Failure> {
        match event {
            Event::Login { mechanism, response, client_properties } => {
                self.login.note(mechanism, client_properties);
                return Ok(self.log_in(mechanism, response));
            }
            Event::LoginResponse { mechanism, response } => {
                return Ok(self.log_in(mechanism, response));
            }
            Event::Open { virtual_host, tuning } => return self.open(virtual_host, tuning),
            // As RabbitMQ's own users have it: a secret that is replaced is that of a token.
            Event::UpdateSecret { reason, .. } => {
                tracing::debug!(peer = self.peer.name, "secret updated: {reason}");
                return Ok(Answer::AcceptSecret);
            }
            Event::ChannelOpened { channel } => {
                self.open_channel(channel)?;
                return Ok(Answer::AcceptChannel(channel));
            }
            Event::ChannelClosed { channel } => self.close_channel(channel),
            Event::Method { channel, method } => self.method(channel, method)?,
            Event::Qos { channel, prefetch_size, prefetch_count, global } => {
                let qos = (prefetch_size, prefetch_count, global);
                self.with_channel(channel, BASIC_QOS, |open, outbox, effects| {
                    methods::apply_qos(open, channel, qos, outbox, effects)
                })?;
            }
            Event::MessageTooLarge { channel, body_size, message_size_max } => {
                let (size, max) = (body_size, message_size_max);
                let error = Precondition::MessageTooLarge { size, max }.into();
                return Err(Failure { channel, error, method: BASIC_PUBLISH });
            }
            Event::Closed(closed) => {
                if let Closed::Handshake { reason } = closed {
                    tracing::warn!(peer = self.peer.name, "{reason}");
                }
                tracing::debug!(peer = self.peer.name, "connection closed: {closed:?}");
                self.close();
            }
            Event::PublishBegun { .. } => {} // a matter between the connection and its client
            Event::Publish(_) | Event::Ack { .. } => {} // taken by `handle`
        }
        Ok(Answer::None)
    }

    fn method(&mut self, channel: u16, method: AMQPClass) -> Result<(), Failure> {
        self.flush_others(channel);
        let id = methods::id(&method);
        self.with_channel(channel, id, |open, outbox, effects| {
            methods::apply(open, channel, method, outbox, effects)
        })
    }

    fn with_channel(
        &mut self,
        number: u16,
        method: MethodId,
        apply: impl FnOnce(&mut Channel, &Outbox, &mut Effects) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        self.settle_acked();
        let Some(at) = self.position(number) else { return Ok(()) };
        let (Some(slot), Some(session)) = (self.channels.get_mut(at), &self.session) else {
            return Ok(());
        };
        let result = apply(&mut slot.channel, &self.outbox, &mut self.effects);
        let result = slot.channel.take_afterwards().and(result);
        session.virtual_host.run_without_waking(&mut self.effects);
        result.map_err(|error| Failure { channel: number, error, method })
    }

    /// Where the channel with this number is.
    #[inline]
    fn position(&mut self, number: u16) -> Option<usize> {
        let is_at = |at: usize| self.channels.get(at).is_some_and(|slot| slot.number == number);
        if !is_at(self.last) {
            // Most clients number their channels from 1 on.
            let usual = usize::from(number).wrapping_sub(1);
            let searched = || self.channels.binary_search_by_key(&number, |slot| slot.number).ok();
            self.last = if is_at(usual) { usual } else { searched()? };
        }
        Some(self.last)
    }

    fn open_channel(&mut self, number: u16) -> Result<(), Failure> {
        let Some(session) = &self.session else { return Ok(()) };
        let output = ChannelWriter::new(&self.outbox, number);
        let refused = |error| Failure { channel: 0, error, method: NO_METHOD };
        let mut channel = Channel::open(Arc::clone(session), output).map_err(refused)?;
        channel.let_set_aside();
        if let Err(at) = self.channels.binary_search_by_key(&number, |slot| slot.number) {
            self.channels.insert(at, Slot { number, channel, publishes: false });
        }
        self.meet(Method::ChannelOpen, number)
    }

    /// Closes a channel: before the client hears of it, all its effects have taken place.
    pub(super) fn close_channel(&mut self, number: u16) {
        self.settle_acked();
        let Some(at) = self.position(number) else { return };
        let mut slot = self.channels.remove(at);
        slot.channel.close(&mut self.effects);
        if self.unflushed == Some(number) {
            self.unflushed = None;
        }
    }

    /// Ends the work of a batch of input: publishes are enqueued, confirms written, and everybody
    /// concerned is woken.
    #[inline]
    pub(super) fn finish_batch(&mut self) {
        self.flush();
        match &self.session {
            Some(session) => session.virtual_host.run(&mut self.effects),
            None => self.effects.wakeups.wake_all(),
        }
    }

    /// If what was asked for has to be durable before the client hears of it the connection waits.
    #[inline]
    pub(super) fn wait_for_store(&mut self) {
        if !self.effects.must_sync {
            return;
        }
        self.effects.must_sync = false;
        let Some(store) = self.broker.persistence().cloned() else { return };
        self.outbox.wait_for_store();
        let outbox = Arc::clone(&self.outbox);
        store.sync(move |is_durable| outbox.note_stored(is_durable));
    }

    /// A queue that the client has published to since it was asked last, and whose consumers are
    /// behind. A client that consumes on the same connection is not to wait for anybody: it would
    /// keep its own acknowledgements from being read.
    pub(super) fn take_behind(&mut self) -> Option<Arc<Queue>> {
        let behind = self.effects.behind.take()?;
        let consumes = self.channels.iter().any(|slot| slot.channel.has_consumers());
        (!consumes).then_some(behind)
    }

    /// Consumers that were turned away while too much was waiting get messages again. Channels
    /// take turns in being the first, who may use up all the room.
    pub(super) fn resume_consumers(&mut self) {
        let Some(session) = &self.session else { return };
        self.turn = (self.turn + 1) % self.channels.len().max(1);
        let (later, first) = self.channels.split_at_mut(self.turn);
        for slot in first.iter_mut().chain(later) {
            if slot.channel.is_starved() {
                slot.channel.resume_consumers(&mut self.effects);
                session.virtual_host.run_without_waking(&mut self.effects);
            }
        }
        session.virtual_host.run(&mut self.effects);
    }

    fn log_in(&mut self, mechanism: &str, response: &[u8]) -> Answer {
        let login = log_in(&self.broker, LoginProtocol::Amqp, mechanism, response, &self.peer);
        match login {
            Ok(user) => {
                self.user = Some(user);
                Answer::AcceptLogin
            }
            Err(reason @ NoLogin::Malformed(_)) => {
                tracing::warn!(peer = self.peer.name, "login refused: {reason}");
                Answer::RefuseResponse
            }
            Err(reason) => self.refuse_login(mechanism, &reason),
        }
    }

    fn refuse_login(&self, mechanism: &str, reason: &dyn Display) -> Answer {
        tracing::warn!(peer = self.peer.name, "login refused: {reason}");
        Answer::RefuseLogin(format!(
            "Login was refused using authentication mechanism {mechanism}. For details see the \
             broker logfile."
        ))
    }

    fn open(&mut self, virtual_host: &str, tuning: Tuning) -> Result<Answer, Failure> {
        let fail = |error| Failure { channel: 0, error, method: CONNECTION_OPEN };
        let Some(user) = self.user.clone() else {
            return Err(fail(NotAllowed::NotLoggedIn.into()));
        };
        self.broker.connections.check_limit().map_err(fail)?;
        // Whether the client wants cancel notifications is known by now.
        let notify = self.outbox.wants_cancel_notify();
        let session = match self.peer.is_trusted && self.login.is_external() {
            true => self.broker.open_trusted(self.id, virtual_host, notify),
            false => self.broker.open(self.id, &user, virtual_host, notify),
        };
        let session = session.map_err(fail)?;
        let facts = self.facts(&session, tuning);
        session.actor.set_connection_name(facts.user_provided_name.clone());
        self.broker
            .connections
            .register_client(&session, Arc::clone(&self.outbox) as _, facts)
            .map_err(fail)?;
        tracing::info!(
            peer = self.peer.name,
            name = given_name(&session),
            user = user.name.as_str(),
            vhost = virtual_host,
            "connection opened"
        );
        self.session = Some(session);
        self.meet(Method::ConnectionOpen, 0)?;
        Ok(Answer::AcceptOpen)
    }

    /// What there is to be told of the connection.
    fn facts(&mut self, session: &Session, tuning: Tuning) -> ConnectionFacts {
        let login = std::mem::take(&mut self.login);
        let Tuning { channel_max, frame_max, heartbeat_s } = tuning;
        ConnectionFacts {
            id: self.id,
            name: self.peer.connection_name(self.id),
            peer: self.peer.addresses.map(|(peer, _)| peer),
            local: self.peer.addresses.map(|(_, local)| local),
            protocol: ConnectionFacts::AMQP,
            tls: self.peer.tls.clone(),
            auth_mechanism: login.mechanism,
            user: session.actor.user.name.clone(),
            virtual_host: session.virtual_host.name().clone(),
            raw_client_properties: login.client_properties,
            user_provided_name: login.connection_name,
            heartbeat_s,
            frame_max,
            channel_max,
            connected_at: session.virtual_host.now(),
        }
    }

    /// Ends everything that belongs to the connection.
    pub(super) fn close(&mut self) {
        self.settle_acked();
        self.unflushed = None;
        self.publishing.clear();
        let mut slots = std::mem::take(&mut self.channels);
        slots.iter().for_each(|slot| slot.channel.stop_deliveries());
        let remains = slots.iter_mut().map(|slot| slot.channel.end(&mut self.effects));
        let remains: Vec<_> = remains.collect();
        if let Some(session) = self.session.take() {
            let _acting = session.virtual_host.acting(&session.actor);
            give_back(&remains, session.virtual_host.now(), &mut self.effects);
            session.virtual_host.run_without_waking(&mut self.effects);
            session.close();
            session.virtual_host.delete_owned(&session.actor, &mut self.effects);
            session.virtual_host.run(&mut self.effects);
            self.broker.connections.unregister(&session);
            tracing::info!(peer = self.peer.name, name = given_name(&session), "connection closed");
        }
    }

    /// Tells the operator why the connection is closed.
    pub(super) fn warn(&self, reason: &str) {
        tracing::warn!(peer = self.peer.name, "connection closed: {reason}");
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the protocol is told after an event.
pub(super) enum Answer {
    None,
    AcceptLogin,
    RefuseLogin(String),
    RefuseResponse,
    AcceptOpen,
    AcceptChannel(u16),
    AcceptSecret,
}

impl Answer {
    /// Tells it.
    pub(super) fn give(self, protocol: &mut Protocol) {
        match self {
            Self::None => {}
            Self::AcceptLogin => protocol.accept_login(),
            Self::RefuseLogin(text) => protocol.refuse_login(&text),
            Self::RefuseResponse => protocol.refuse_response(),
            Self::AcceptOpen => protocol.accept_open(),
            Self::AcceptChannel(channel) => protocol.accept_channel(channel),
            Self::AcceptSecret => protocol.accept_secret(),
        }
    }
}

impl Failure {
    /// Closes what the error closes.
    pub(super) fn report(self, protocol: &mut Protocol, bridge: &mut Bridge) {
        let Self { channel, error, method: (class_id, method_id) } = self;
        let (code, text) = (error.reply_code(), error.reply_text());
        let name = bridge.session.as_ref().and_then(|session| given_name(session));
        tracing::info!(peer = bridge.peer.name, name, channel, "{text}");
        if error.is_loss() {
            if error == Error::Crashed {
                bridge.broker.crash();
            }
            bridge.lose();
        } else if error.scope() == Scope::Channel && channel != 0 {
            bridge.close_channel(channel);
            protocol.close_channel(channel, code, &text, class_id, method_id);
        } else {
            bridge.close();
            protocol.close_connection(code, &text, class_id, method_id);
        }
    }
}

/// What the client calls its connection, for the log.
fn given_name(session: &Session) -> Option<&str> {
    Some(session.actor.connection_name()).filter(|name| !name.is_empty())
}

/// What a client calls its connection; empty if it does not say.
fn connection_name(client_properties: &FieldTable) -> String {
    match client_properties.inner().get("connection_name") {
        Some(AMQPValue::LongString(name)) => name.to_string(),
        _ => String::new(),
    }
}
