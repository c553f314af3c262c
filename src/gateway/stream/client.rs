//! The broker's side of one connection: what a client asks for is done, and answered.

use std::collections::HashMap;
use std::sync::Arc;

use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_protocol::table::encode_table;
use leveret_stream_protocol::{
    Command, Connection as Protocol, Event, Properties, Response, ResponseCode, ServerFrame,
};

use crate::access::{Access, LoginRefusal, ResourceKind, User};
use crate::base::ids::ConnectionId;
use crate::channel::session::Session;
use crate::error::{Error, NotAllowed, Result};
use crate::gateway::login::{NoLogin, log_in};
use crate::gateway::peer::Peer;
use crate::gateway::stream::Advertised;
use crate::gateway::stream::inbox::{Inbox, News};
use crate::gateway::stream::publishers::Publishers;
use crate::gateway::stream::stream_use::StreamUse;
use crate::gateway::stream::subscriptions::Subscriptions;
use crate::node::Node;
use crate::node::login_attempts::LoginProtocol;
use crate::node::status::ConnectionFacts;
use crate::queue::effects::Effects;

/// What the protocol is told after an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    None,
    AcceptLogin,
    RefuseLogin(ResponseCode),
    AcceptOpen,
    RefuseOpen,
}

/// What the client has said of itself before it opened a virtual host.
#[derive(Default)]
struct Login {
    mechanism: Box<str>,
    client_properties: Box<[u8]>,
    /// What it calls the connection.
    connection_name: String,
}

impl Login {
    fn note_properties(&mut self, properties: &Properties<'_>) {
        let named = properties.iter().find(|(name, _)| *name == "connection_name");
        self.connection_name = named.map(|(_, value)| (*value).to_owned()).unwrap_or_default();
        let mut table = FieldTable::default();
        for (name, value) in properties.iter() {
            table.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        self.client_properties = encode_table(&table).into();
    }
}

/// One connection, as the broker sees it.
pub(super) struct Client {
    pub broker: Arc<Node>,
    pub inbox: Arc<Inbox>,
    id: ConnectionId,
    peer: Peer,
    pub advertised: Advertised,
    login: Login,
    user: Option<Arc<User>>,
    pub session: Option<Arc<Session>>,
    pub streams: HashMap<String, Arc<StreamUse>>,
    pub publishers: Publishers,
    pub subscriptions: Subscriptions,
    pub effects: Effects,
    /// Frames that are to be sent after those of the protocol machine.
    pub out: Vec<u8>,
    /// A fault ends the connection: nothing more is taken, and nothing more is sent than what is
    /// in `out`.
    pub ended_by: Option<Error>,
}

impl Client {
    pub(super) fn new(
        broker: Arc<Node>,
        inbox: Arc<Inbox>,
        peer: Peer,
        advertised: Advertised,
    ) -> Self {
        Self {
            id: broker.connections.next_id(),
            broker,
            inbox,
            peer,
            advertised,
            login: Login::default(),
            user: None,
            session: None,
            streams: HashMap::new(),
            publishers: Publishers::default(),
            subscriptions: Subscriptions::default(),
            effects: Effects::new(),
            out: Vec::new(),
            ended_by: None,
        }
    }

    /// Whether the client logged in and opened a virtual host.
    pub(super) fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Tells the operator why it is closed.
    pub(super) fn warn(&self, reason: &str) {
        tracing::warn!(peer = self.peer.name, "stream connection closed: {reason}");
    }

    /// Number of the connection.
    pub(super) fn id(&self) -> ConnectionId {
        self.id
    }

    /// Takes one event; tells what the protocol has to be told.
    pub(super) fn handle(&mut self, event: Event<'_>) -> Answer {
        match event {
            Event::PeerProperties { properties } => self.login.note_properties(&properties),
            Event::Login { mechanism, response, renewal } => {
                return self.log_in(mechanism, response, renewal);
            }
            Event::Open { virtual_host, frame_max, heartbeat_s } => {
                return self.open(virtual_host, frame_max, heartbeat_s);
            }
            Event::Request { correlation, request } => self.request(correlation, &request),
            Event::Publish(publish) => self.publish(&publish),
            Event::Credit { subscription, credit } => self.credit(subscription, credit),
            Event::StoreOffset { reference, stream, offset } => {
                self.store_offset(reference, stream, offset);
            }
            Event::ConsumerUpdated { subscription, active, offset } => {
                self.consumer_updated(subscription, active, offset);
            }
            Event::Closed(closed) => {
                tracing::debug!(peer = self.peer.name, "connection closed: {closed:?}");
                self.close();
            }
        }
        Answer::None
    }

    fn log_in(&mut self, mechanism: &str, response: &[u8], renewal: bool) -> Answer {
        let user =
            match log_in(&self.broker, LoginProtocol::Stream, mechanism, response, &self.peer) {
                Ok(user) => user,
                Err(reason) => {
                    tracing::warn!(peer = self.peer.name, "login refused: {reason}");
                    return Answer::RefuseLogin(match reason {
                        NoLogin::Malformed(_) => ResponseCode::SaslError,
                        NoLogin::Refused(LoginRefusal::OnlyLoopback(_)) => {
                            ResponseCode::AuthenticationFailureLoopback
                        }
                        NoLogin::FromAfar | NoLogin::NoName | NoLogin::Refused(_) => {
                            ResponseCode::AuthenticationFailure
                        }
                    });
                }
            };
        if !renewal {
            self.login.mechanism = mechanism.into();
            self.user = Some(user);
        } else if self.user.as_ref().is_none_or(|before| before.name != user.name) {
            tracing::warn!(peer = self.peer.name, "credentials of another user refused");
            return Answer::RefuseLogin(ResponseCode::SaslCannotChangeUserName);
        } else {
            self.check_rights_again();
        }
        Answer::AcceptLogin
    }

    fn open(&mut self, virtual_host: &str, frame_max: u32, heartbeat_s: u32) -> Answer {
        match self.try_open(virtual_host, frame_max, heartbeat_s) {
            Ok(()) => Answer::AcceptOpen,
            Err(error) => {
                tracing::warn!(peer = self.peer.name, "connection refused: {error}");
                Answer::RefuseOpen
            }
        }
    }

    fn try_open(&mut self, virtual_host: &str, frame_max: u32, heartbeat_s: u32) -> Result<()> {
        let user = self.user.clone().ok_or(NotAllowed::NotLoggedIn)?;
        self.broker.connections.check_limit()?;
        let session = self.broker.open(self.id, &user, virtual_host, false)?;
        let facts = self.facts(&session, frame_max, heartbeat_s);
        session.actor.set_connection_name(facts.user_provided_name.clone());
        self.broker.connections.register_client(&session, Arc::clone(&self.inbox) as _, facts)?;
        self.session = Some(session);
        self.meet_open().inspect_err(|_| self.close())?;
        tracing::info!(
            peer = self.peer.name,
            user = user.name.as_str(),
            vhost = virtual_host,
            "stream connection opened"
        );
        Ok(())
    }

    fn facts(&mut self, session: &Session, frame_max: u32, heartbeat_s: u32) -> ConnectionFacts {
        let login = std::mem::take(&mut self.login);
        ConnectionFacts {
            id: self.id,
            name: self.peer.connection_name(self.id),
            peer: self.peer.addresses.map(|(peer, _)| peer),
            local: self.peer.addresses.map(|(_, local)| local),
            protocol: ConnectionFacts::STREAM,
            tls: self.peer.tls.clone(),
            auth_mechanism: login.mechanism,
            user: session.actor.user.name.clone(),
            virtual_host: session.virtual_host.name().clone(),
            raw_client_properties: login.client_properties,
            user_provided_name: login.connection_name,
            heartbeat_s: u16::try_from(heartbeat_s).unwrap_or(u16::MAX),
            frame_max,
            channel_max: 0,
            connected_at: session.virtual_host.now(),
        }
    }

    /// Whether the user has a right to a stream, be it there or not.
    pub(super) fn may(&self, access: Access, stream: &str) -> bool {
        let check = |session: &Arc<Session>| {
            session.actor.check(access, ResourceKind::Queue, stream).is_ok()
        };
        self.session.as_ref().is_some_and(check)
    }

    /// A stream of the virtual host.
    pub(super) fn find(&self, stream: &str) -> Option<Arc<crate::queue::Queue>> {
        let queue = self.session.as_ref()?.virtual_host.queue(stream).ok()?;
        queue.kind().is_stream.then_some(queue)
    }

    /// A stream of the virtual host, from now on in use.
    pub(super) fn use_stream(&mut self, stream: &str) -> Option<Arc<StreamUse>> {
        if let Some(known) = self.streams.get(stream).filter(|known| !known.is_gone()) {
            return Some(Arc::clone(known));
        }
        self.drop_if_gone(stream);
        let found = StreamUse::begin(self.find(stream)?, &self.inbox)?;
        self.streams.insert(stream.to_owned(), Arc::clone(&found));
        Some(found)
    }

    /// Lets go of a stream that is not in use any more.
    pub(super) fn let_go(&mut self, stream: &str) {
        if !self.publishers.use_stream(stream) && !self.subscriptions.use_stream(stream) {
            self.streams.remove(stream);
        }
    }

    /// Tells the client of a stream in use that it is no more.
    pub(super) fn drop_if_gone(&mut self, stream: &str) {
        if self.streams.get(stream).is_some_and(|known| known.is_gone()) {
            self.drop_stream(stream);
        }
    }

    /// Ends all use of a stream, and tells the client.
    fn drop_stream(&mut self, stream: &str) {
        self.publishers.remove_stream(stream);
        for removed in self.subscriptions.remove_stream(stream) {
            self.leave_group(&removed);
        }
        self.streams.remove(stream);
        let code = ResponseCode::StreamNotAvailable;
        ServerFrame::MetadataUpdate { code, stream }.write(&mut self.out);
    }

    /// Looks after streams to which something has happened.
    pub(super) fn look_after_streams(&mut self) {
        let moved = self.streams.values().filter(|stream| stream.take_moved());
        let moved: Vec<_> = moved.cloned().collect();
        for stream in moved {
            if stream.is_gone() {
                self.drop_stream(stream.name());
            } else {
                self.subscriptions.note_moved(&stream);
            }
        }
    }

    /// Those who have renewed their credentials may have lost rights.
    fn check_rights_again(&mut self) {
        let streams: Vec<String> = self.streams.keys().cloned().collect();
        for stream in streams {
            let writes = self.publishers.use_stream(&stream);
            let reads = self.subscriptions.use_stream(&stream);
            let may_write = !writes || self.may(Access::Write, &stream);
            if !may_write || reads && !self.may(Access::Read, &stream) {
                self.drop_stream(&stream);
            }
        }
    }

    pub(super) fn respond(&mut self, correlation: u32, response: Response<'_>) {
        ServerFrame::Response { correlation, response }.write(&mut self.out);
    }

    pub(super) fn respond_code(&mut self, correlation: u32, command: Command, code: ResponseCode) {
        self.respond(correlation, Response::Code { command, code });
    }

    /// Reads what others have told.
    pub(super) fn take_news(&mut self, news: &mut News, protocol: &mut Protocol) {
        self.confirm(&mut news.settled);
        for (number, active) in news.groups.drain(..) {
            if let Some(subscription) = self.subscriptions.set_active(number, active) {
                protocol.consumer_update(subscription, active);
            }
        }
    }

    /// Ends the work of a batch of input: what follows from it is done.
    pub(super) fn finish_batch(&mut self) {
        if let Some(session) = &self.session {
            session.virtual_host.run(&mut self.effects);
        }
    }

    /// Whether what was asked for last has to be durable before the client hears of it: then the
    /// connection waits.
    pub(super) fn must_wait_for_store(&mut self) -> bool {
        if !std::mem::take(&mut self.effects.must_sync) {
            return false;
        }
        let Some(store) = self.broker.persistence().cloned() else { return false };
        self.finish_batch();
        let inbox = Arc::clone(&self.inbox);
        store.sync(move |is_durable| inbox.note_stored(is_durable));
        true
    }

    /// Ends everything that belongs to the connection.
    pub(super) fn close(&mut self) {
        let Some(session) = self.session.take() else { return };
        self.publishers = Publishers::default();
        let streams: Vec<String> = self.streams.keys().cloned().collect();
        for stream in streams {
            for removed in self.subscriptions.remove_stream(&stream) {
                self.leave_group(&removed);
            }
        }
        self.streams.clear();
        session.close();
        session.virtual_host.run(&mut self.effects);
        self.broker.connections.unregister(&session);
        tracing::info!(peer = self.peer.name, "stream connection closed");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}
