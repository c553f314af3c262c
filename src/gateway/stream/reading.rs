//! Reading streams for a client: subscribing, credit, chunks, and who of a group is active.

use std::sync::Arc;

use leveret_protocol::{Output, SHARED_OCTETS_MIN};
use leveret_storage::{Chunk, ChunkFilter};
use leveret_stream_protocol::{
    OffsetSpec, Properties, ResponseCode, ServerFrame, write_deliver_front,
};

use crate::access::Access;
use crate::gateway::stream::client::Client;
use crate::gateway::stream::credit::Credit;
use crate::gateway::stream::faults::deliver_watched;
use crate::gateway::stream::stream_use::StreamUse;
use crate::gateway::stream::subscriptions::{Subscription, start};
use crate::limits::{OUTBOX_HIGH_BYTES, STREAM_NAME_BYTES_MAX};
use crate::node::stream_clients::StreamConsumer;
use crate::queue::stream::groups::Groups;

/// What a client asks for when it subscribes.
pub(super) struct Subscribe<'a> {
    pub id: u8,
    pub stream: &'a str,
    pub offset: OffsetSpec,
    pub credit: u16,
    pub properties: &'a Properties<'a>,
}

impl<'a> Subscribe<'a> {
    fn property(&self, name: &str) -> Option<&'a str> {
        let of_that_name = self.properties.iter().filter(|(known, _)| *known == name);
        of_that_name.map(|(_, value)| *value).next_back()
    }

    fn is_set(&self, name: &str) -> bool {
        self.property(name) == Some("true")
    }

    fn filter(&self) -> ChunkFilter {
        let values = self.properties.iter().filter(|(name, _)| name.starts_with("filter."));
        let values: Vec<&str> = values.map(|(_, value)| *value).collect();
        ChunkFilter::new(values, self.is_set("match-unfiltered"))
    }
}

impl Client {
    /// Adds a subscription. One of a group begins when it is told to, the others at once.
    pub(super) fn subscribe(&mut self, subscribe: &Subscribe<'_>) -> ResponseCode {
        let name = subscribe.property("name");
        let in_group = subscribe.is_set("single-active-consumer");
        if !self.may(Access::Read, subscribe.stream) {
            return ResponseCode::AccessRefused;
        }
        if name.is_some_and(|name| name.len() > STREAM_NAME_BYTES_MAX) {
            return ResponseCode::PreconditionFailed;
        }
        if self.find(subscribe.stream).is_none() {
            return ResponseCode::StreamDoesNotExist;
        }
        if self.subscriptions.has(subscribe.id) {
            return ResponseCode::SubscriptionIdAlreadyExists;
        }
        let group = name.filter(|_| in_group);
        if in_group && group.is_none() {
            return ResponseCode::PreconditionFailed;
        }
        let Some(stream) = self.use_stream(subscribe.stream) else {
            return ResponseCode::StreamDoesNotExist;
        };
        let number = self.subscriptions.next_number();
        let reader = match group {
            Some(_) => None,
            None => match stream.log().reader(start(subscribe.offset, OffsetSpec::None)) {
                Ok(reader) => Some(reader),
                Err(error) => return cannot_read(&stream, &error),
            },
        };
        let properties = subscribe.properties.iter();
        let properties = properties.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let seen = StreamConsumer::new(subscribe.id, &stream.queue, properties.collect());
        self.inbox.clients.add_consumer(&seen);
        let subscription = Subscription {
            seen,
            id: subscribe.id,
            number,
            stream: Arc::clone(&stream),
            start: subscribe.offset,
            filter: subscribe.filter(),
            credit: Credit::new(subscribe.credit),
            reader,
            at_end: false,
            group: group.map(str::to_owned),
            is_active: group.is_none(),
            late: None,
        };
        subscription.show();
        self.subscriptions.add(subscription);
        let Some(group) = group else { return ResponseCode::Ok };
        match self.join_group(&stream, group, number, subscribe.property("super-stream")) {
            true => ResponseCode::Ok,
            false => {
                self.subscriptions.remove(subscribe.id);
                self.let_go(subscribe.stream);
                ResponseCode::PreconditionFailed
            }
        }
    }

    /// Tells whether a consumer could join a group.
    fn join_group(
        &mut self,
        stream: &StreamUse,
        group: &str,
        number: u32,
        super_stream: Option<&str>,
    ) -> bool {
        let Some(session) = &self.session else { return false };
        let host = &session.virtual_host;
        let partition = super_stream.and_then(|name| host.partition_index(name, stream.name()));
        let (id, member) = ((self.id(), number), Arc::clone(&self.inbox) as _);
        let joined = stream
            .queue
            .with_groups(&mut self.effects, |groups| groups.join(group, partition, id, member));
        matches!(joined, Some(Ok(())))
    }

    /// A subscription has ended.
    pub(super) fn leave_group(&mut self, subscription: &Subscription) {
        let Some(group) = &subscription.group else { return };
        let id = (self.id(), subscription.number);
        let queue = &subscription.stream.queue;
        queue.with_groups(&mut self.effects, |groups| groups.leave(group, id));
    }

    pub(super) fn unsubscribe(&mut self, id: u8) -> ResponseCode {
        let Some(subscription) = self.subscriptions.remove(id) else {
            return ResponseCode::SubscriptionIdDoesNotExist;
        };
        self.leave_group(&subscription);
        self.let_go(subscription.stream.name());
        ResponseCode::Ok
    }

    pub(super) fn credit(&mut self, id: u8, credit: i16) {
        let code = match self.subscriptions.get_mut(id) {
            None => ResponseCode::SubscriptionIdDoesNotExist,
            Some(subscription) => {
                subscription.credit.give(credit);
                subscription.show();
                if subscription.reader.is_some() {
                    return;
                }
                // It counts all the same, for when it is active again.
                ResponseCode::PreconditionFailed
            }
        };
        ServerFrame::CreditError { code, subscription: id }.write(&mut self.out);
    }

    /// The client has answered what it was told about a group.
    pub(super) fn consumer_updated(&mut self, id: u8, active: bool, offset: OffsetSpec) {
        let connection = self.id();
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        let stream = Arc::clone(&subscription.stream);
        if !active {
            let (Some(group), id) = (&subscription.group, (connection, subscription.number)) else {
                return;
            };
            let stepped_down = |groups: &mut Groups| groups.stepped_down(group, id);
            stream.queue.with_groups(&mut self.effects, stepped_down);
        } else if subscription.is_active {
            match stream.log().reader(start(offset, subscription.start)) {
                Ok(reader) => {
                    subscription.reader = Some(reader);
                    subscription.at_end = false;
                    subscription.show();
                }
                Err(error) => {
                    cannot_read(&stream, &error);
                }
            }
        }
    }

    /// Sends chunks until so much waits to be written that it is enough for now; tells whether
    /// there were any.
    pub(super) fn deliver(&mut self, output: &mut Output, version: u16) -> bool {
        let Some(session) = &self.session else { return false };
        let host = Arc::clone(&session.virtual_host);
        let now = host.now();
        let mut sent = false;
        let mut front = Vec::new();
        let watch = self.watch_deliveries();
        while output.len() < OUTBOX_HIGH_BYTES && self.ended_by.is_none() {
            let Some(subscription) = self.subscriptions.next_ready(now) else { break };
            let late = subscription.late.take().map(|late| late.chunk);
            // A fault is met once.
            let watch = watch.as_ref().filter(|_| late.is_none());
            let Some(chunk) = late.or_else(|| next_chunk(subscription)) else { continue };
            sent = true;
            let mut send = |subscription: &mut Subscription, chunk: &Chunk| {
                send_chunk(subscription, chunk, output, version, &mut front);
            };
            let Some(watch) = watch else {
                send(subscription, &chunk);
                continue;
            };
            let ended_by = deliver_watched(watch, subscription, chunk, now, send);
            if let Some(late) = &subscription.late {
                host.wake_at(late.due, &self.inbox);
            }
            if let Some(error) = ended_by {
                self.end(error);
            }
        }
        sent
    }
}

/// The next chunk of a subscription, if there is one.
fn next_chunk(subscription: &mut Subscription) -> Option<Chunk> {
    let chunk = subscription.reader.as_mut()?.next_matching(&subscription.filter);
    let chunk = chunk.unwrap_or_else(|error| {
        cannot_read(&subscription.stream, &error);
        None
    });
    if chunk.is_none() {
        subscription.at_end = true;
        subscription.credit.pause();
    }
    chunk
}

fn send_chunk(
    subscription: &mut Subscription,
    chunk: &Chunk,
    output: &mut Output,
    version: u16,
    front: &mut Vec<u8>,
) {
    subscription.credit.sent();
    subscription.seen.consumed.add(chunk.records().into());
    subscription.show();
    // Reading may have been faster than the news of what is the last one.
    let last = || subscription.stream.log().last_chunk_id().ok().flatten().unwrap_or(0);
    let committed = (version > 1).then(|| last().max(chunk.first_offset()));
    let octets = chunk.octets();
    front.clear();
    write_deliver_front(subscription.id, committed, octets.len(), front);
    output.octets(front);
    if octets.len() < SHARED_OCTETS_MIN {
        output.octets(octets);
    } else {
        output.share(octets.clone());
    }
}

fn cannot_read(stream: &StreamUse, error: &leveret_storage::Error) -> ResponseCode {
    tracing::error!("stream '{}' cannot be read: {error}", stream.name());
    ResponseCode::InternalError
}
