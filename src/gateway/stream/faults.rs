//! Faults that tests declare, where a client of the stream protocol meets them.

use std::sync::Arc;

use bytes::Bytes;
use leveret_storage::{Chunk, ChunkEntry};
use leveret_stream_protocol::{Entry, Publish, Published, Request, ResponseCode};

use crate::channel::Watch;
use crate::error::{Error, Scope};
use crate::faults::{Action, Hit, Method, Phase, Subject, Trigger};
use crate::gateway::stream::client::Client;
use crate::gateway::stream::codes::response_code;
use crate::gateway::stream::inbox::Inbox;
use crate::gateway::stream::stream_use::StreamUse;
use crate::gateway::stream::subscriptions::{Late, Subscription};
use crate::message::Message;
use crate::message::amqp10::{Decoder, Origin};
use crate::time::clock::Timestamp;

/// What the publisher is told of a message that the stream has.
pub(super) enum Fate {
    /// What is so.
    Usual,
    /// That it is lost.
    Refused,
    /// Nothing, ever.
    Unheard,
    /// What is so, once the rule lets it go.
    Held(Hit),
}

/// What becomes of something that a client wants.
pub(super) enum Verdict {
    /// What would become of it anyway.
    Go,
    /// The stream takes the message, and the publisher is told something else.
    Tell(Fate),
    /// It has no effect, and this is the answer.
    Refuse(ResponseCode),
    /// The connection ends instead.
    End(Error),
    /// The connection ends once it has had its effect.
    EndAfter(Error),
}

/// What a rule makes of what a client wants.
fn verdict(hit: &Hit, inbox: &Arc<Inbox>) -> Verdict {
    match (hit.action(), hit.phase()) {
        (Action::StopReading, _) => {
            inbox.stop_reading(hit);
            Verdict::Go
        }
        (Action::Unroutable, _) => Verdict::Refuse(ResponseCode::StreamDoesNotExist),
        (Action::Nack, _) => Verdict::Tell(Fate::Refused),
        (Action::NackAndDrop, _) => Verdict::Refuse(ResponseCode::InternalError),
        (Action::Lose, _) => Verdict::Tell(Fate::Unheard),
        (Action::Hold, _) => Verdict::Tell(Fate::Held(hit.clone())),
        // There are no channels that could be closed.
        (Action::Close { code, scope: Scope::Channel, .. }, Phase::Before) => {
            Verdict::Refuse(response_code(*code))
        }
        (action, phase) => match (action.error(), phase) {
            (Some(error), Phase::Before) => Verdict::End(error),
            (Some(error), Phase::After) => Verdict::EndAfter(error),
            (None, _) => Verdict::Go,
        },
    }
}

/// The method that a request is as good as.
fn method<'a>(request: &Request<'a>) -> Option<(Method, Subject<'a>)> {
    Some(match request {
        Request::Create { stream, .. } => (Method::QueueDeclare, Subject::queue(stream)),
        Request::Delete { stream } => (Method::QueueDelete, Subject::queue(stream)),
        Request::CreateSuperStream { name, .. } => {
            (Method::ExchangeDeclare, Subject::exchange(name))
        }
        Request::DeleteSuperStream { name } => (Method::ExchangeDelete, Subject::exchange(name)),
        Request::Subscribe { stream, .. } => (Method::BasicConsume, Subject::queue(stream)),
        Request::Unsubscribe { .. } => (Method::BasicCancel, Subject::default()),
        _ => return None,
    })
}

impl Client {
    /// How faults are asked for, if there are any about these.
    fn watch(&self, bits: u32) -> Option<Watch> {
        let session = self.session.as_ref().filter(|_| self.broker.faults().watches(bits))?;
        Some(Watch::new(session, 0))
    }

    fn meet(&self, method: Method, subject: Subject<'_>) -> Verdict {
        let hit = self.watch(Trigger::METHODS);
        let hit = hit.and_then(|watch| watch.meet(Trigger::Method(method), subject));
        hit.map_or(Verdict::Go, |hit| verdict(&hit, &self.inbox))
    }

    /// A virtual host is opened.
    pub(super) fn meet_open(&mut self) -> Result<(), Error> {
        match self.meet(Method::ConnectionOpen, Subject::default()) {
            Verdict::End(error) | Verdict::EndAfter(error) if error.is_loss() => {
                self.end(error);
                Ok(())
            }
            Verdict::End(error) | Verdict::EndAfter(error) => Err(error),
            Verdict::Refuse(_) | Verdict::Go | Verdict::Tell(_) => Ok(()),
        }
    }

    /// A client asks for something.
    pub(super) fn meet_request(&self, request: &Request<'_>) -> Verdict {
        method(request).map_or(Verdict::Go, |(method, subject)| self.meet(method, subject))
    }

    /// A client stores an offset; tells whether it is to be stored.
    pub(super) fn meet_offset(&mut self, stream: &str) -> bool {
        match self.meet(Method::BasicAck, Subject::queue(stream)) {
            Verdict::Go | Verdict::Tell(_) => true,
            Verdict::Refuse(_) => false,
            Verdict::End(error) => {
                self.end(error);
                false
            }
            Verdict::EndAfter(error) => {
                self.end(error);
                true
            }
        }
    }

    /// The connection is to end for this error; nothing that comes after it is heard of.
    pub(super) fn end(&mut self, error: Error) {
        if error == Error::Crashed {
            self.broker.crash();
        }
        if error.is_loss() {
            // What is confirmed by now the client still hears.
            let mut settled = self.inbox.take_settled();
            self.confirm(&mut settled);
        }
        self.ended_by.get_or_insert(error);
    }

    /// Whether publishes are looked at one by one.
    pub(super) fn watches_publishes(&self) -> bool {
        self.broker.faults().watches(Trigger::PUBLISHES | Trigger::CONFIRMS)
    }

    /// Publishes while there are rules about publishes or confirms. What no rule is about stays
    /// together.
    pub(super) fn publish_watched(&mut self, publish: &Publish<'_>, stream: &Arc<StreamUse>) {
        let Some(watch) = self.watch(Trigger::PUBLISHES | Trigger::CONFIRMS) else { return };
        let messages: Vec<Published<'_>> = publish.iter().collect();
        let (publisher, mut rest) = (publish.publisher, messages.as_slice());
        let mut plain = 0;
        while let Some(message) = rest.get(plain) {
            let verdict = self.judge(&watch, message, stream.name());
            if matches!(verdict, Verdict::Go) {
                plain += 1;
                continue;
            }
            let (before, from) = rest.split_at(plain);
            let (this, after) = from.split_at(1);
            self.append_run(publisher, before);
            (rest, plain) = (after, 0);
            match verdict {
                Verdict::Go => {}
                Verdict::Tell(fate) => self.append(publisher, this.iter().copied(), fate),
                Verdict::Refuse(code) => self.refuse_publish(publisher, this.iter().copied(), code),
                Verdict::End(error) => return self.end(error),
                Verdict::EndAfter(error) => {
                    self.append(publisher, this.iter().copied(), Fate::Unheard);
                    return self.end(error);
                }
            }
        }
        self.append_run(publisher, rest);
    }

    /// Appends messages that no rule is about.
    fn append_run(&mut self, publisher: u8, run: &[Published<'_>]) {
        if !run.is_empty() {
            self.append(publisher, run.iter().copied(), Fate::Usual);
        }
    }

    /// What becomes of one message. Of a batch its first message is looked at; those that are
    /// compressed nobody here can read.
    fn judge(&self, watch: &Watch, published: &Published<'_>, stream: &str) -> Verdict {
        let octets = match published.entry {
            Entry::Message(octets) => Some(octets),
            Entry::Batch(batch) => batch.messages().next(),
        };
        let message = octets.map(|octets| decode(octets, stream));
        let subject = Subject {
            queue: Some(stream),
            exchange: Some(b""),
            routing_key: Some(stream.as_bytes()),
            message: message.as_ref().map(Into::into),
            ..Subject::default()
        };
        let publish = watch.meet(Trigger::Method(Method::BasicPublish), subject);
        let publish = publish.map_or(Verdict::Go, |hit| verdict(&hit, &self.inbox));
        // A publish that does not get as far is not confirmed either.
        if !matches!(publish, Verdict::Go) {
            return publish;
        }
        let confirm = watch.meet(Trigger::Confirm, subject);
        confirm.map_or(Verdict::Go, |hit| verdict(&hit, &self.inbox))
    }

    /// How faults are asked for about deliveries, if there are any.
    pub(super) fn watch_deliveries(&self) -> Option<Watch> {
        self.watch(Trigger::DELIVERIES)
    }
}

/// Sends a chunk of a subscription, unless a rule has it otherwise; tells why the connection is to
/// end.
pub(super) fn deliver_watched(
    watch: &Watch,
    subscription: &mut Subscription,
    chunk: Chunk,
    now: Timestamp,
    mut send: impl FnMut(&mut Subscription, &Chunk),
) -> Option<Error> {
    let Some(hit) = meet_chunk(watch, &chunk, subscription.stream.name()) else {
        send(subscription, &chunk);
        return None;
    };
    if let Action::Delay(by) = hit.action() {
        subscription.late = Some(Late { chunk, due: now + *by });
        return None;
    }
    let ended_by = hit.action().error();
    if ended_by.is_none() || hit.phase() == Phase::After {
        send(subscription, &chunk);
    }
    if let Action::Twice = hit.action() {
        send(subscription, &chunk);
    }
    ended_by
}

/// What a rule says of a chunk that is about to be sent: all messages in it are counted, and the
/// first rule that is to act does so to the chunk.
fn meet_chunk(watch: &Watch, chunk: &Chunk, stream: &str) -> Option<Hit> {
    let mut first = None;
    let mut meet = |octets: Option<&[u8]>| {
        let message = octets.map(|octets| decode(octets, stream));
        let subject = message.as_ref().map(|message| Subject::message(message.into()));
        let subject = Subject { queue: Some(stream), ..subject.unwrap_or_default() };
        let hit = watch.meet(Trigger::Delivery, subject);
        first = first.take().or(hit);
    };
    for entry in chunk.iter() {
        match entry {
            ChunkEntry::Message { octets, .. } => meet(Some(octets)),
            ChunkEntry::SubBatch { batch, .. } => match batch.messages() {
                Some(messages) => messages.for_each(|octets| meet(Some(octets))),
                None => meet(None),
            },
        }
    }
    first
}

fn decode(octets: &[u8], queue: &str) -> Message {
    Decoder::default().decode(octets, Origin { queue, offset: 0, chunk: &Bytes::new() })
}
