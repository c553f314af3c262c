//! Publishing, and what becomes of the messages `[rabbitmq stream Publish]`.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use leveret_storage::{Content, Done, NewEntry, StreamBatch, SubBatch};
use leveret_stream_protocol::{
    Batch, Compression, Entry, Publish, Published, ResponseCode, ServerFrame,
};

use crate::access::Access;
use crate::gateway::stream::client::Client;
use crate::gateway::stream::faults::Fate;
use crate::gateway::stream::inbox::{Inbox, Outcome, Settled};
use crate::gateway::stream::publishers::Publisher;
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::message::Message;
use crate::message::amqp10::{Decoder, Origin};
use crate::node::stream_clients::StreamPublisher;

impl Client {
    pub(super) fn declare_publisher(
        &mut self,
        id: u8,
        reference: &str,
        stream: &str,
    ) -> ResponseCode {
        if self.broker.alarm().is_some() {
            return ResponseCode::PreconditionFailed;
        }
        if !self.may(Access::Write, stream) {
            return ResponseCode::AccessRefused;
        }
        if reference.len() > STREAM_NAME_BYTES_MAX
            || self.publishers.by_id.contains_key(&id)
            || self.publishers.has_reference(reference, stream)
        {
            return ResponseCode::PreconditionFailed;
        }
        let Some(stream) = self.use_stream(stream) else {
            return ResponseCode::StreamDoesNotExist;
        };
        let generation = self.publishers.next_generation;
        self.publishers.next_generation += 1;
        let seen = StreamPublisher::new(id, &stream.queue, reference);
        self.inbox.clients.add_publisher(&seen);
        let publisher = Publisher { generation, stream, seen };
        self.publishers.by_id.insert(id, publisher);
        ResponseCode::Ok
    }

    pub(super) fn delete_publisher(&mut self, id: u8) -> ResponseCode {
        let Some(publisher) = self.publishers.by_id.remove(&id) else {
            return ResponseCode::PublisherDoesNotExist;
        };
        self.let_go(publisher.stream.name());
        ResponseCode::Ok
    }

    pub(super) fn publish(&mut self, publish: &Publish<'_>) {
        let stream = self.publishers.by_id.get(&publish.publisher).map(|it| Arc::clone(&it.stream));
        match stream {
            Some(stream) if stream.is_gone() => self.drop_if_gone(stream.name()),
            Some(stream) if self.watches_publishes() => {
                return self.publish_watched(publish, &stream);
            }
            _ => {}
        }
        self.append(publish.publisher, publish.iter(), Fate::Usual);
    }

    /// Appends messages of a publisher, if it is there and they can be appended.
    pub(super) fn append<'a>(
        &mut self,
        publisher: u8,
        messages: impl Iterator<Item = Published<'a>> + Clone,
        fate: Fate,
    ) {
        let refused = ResponseCode::PublisherDoesNotExist;
        let Some(known) = self.publishers.by_id.get(&publisher) else {
            return self.refuse_publish(publisher, messages, refused);
        };
        let Some(session) = &self.session else { return };
        let Ok(batch) = batch(messages.clone(), &known.seen.reference) else {
            return self.refuse_publish(publisher, messages, refused);
        };
        let publishing_ids: Vec<u64> = messages.clone().map(|it| it.publishing_id).collect();
        known.seen.published.add(publishing_ids.len() as u64);
        self.publishers.unconfirmed += publishing_ids.len();
        let done = confirm_with(&self.inbox, (publisher, known.generation), publishing_ids, fate);
        let queue = &known.stream.queue;
        let messages = || self::messages(messages, queue.name().as_str());
        let now = session.virtual_host.now();
        queue.append_batch(&batch, messages, now, &mut self.effects, done);
    }

    /// Tells a publisher that messages are not taken.
    pub(super) fn refuse_publish<'a>(
        &mut self,
        publisher: u8,
        messages: impl Iterator<Item = Published<'a>>,
        code: ResponseCode,
    ) {
        let errors = messages.map(|it| (it.publishing_id, code)).collect();
        ServerFrame::PublishError { publisher, errors }.write(&mut self.out);
    }

    /// Tells the client what has become of its messages: those of a publisher that are next to
    /// each other go into one frame. What would be in it twice, as a publisher with a name sent it
    /// again, goes into a frame of its own before it.
    pub(super) fn confirm(&mut self, settled: &mut Vec<Settled>) {
        let mut settled = settled.drain(..).peekable();
        while let Some(mut first) = settled.next() {
            let same =
                |next: &Settled| next.publisher == first.publisher && next.outcome == first.outcome;
            let mut ids = std::mem::take(&mut first.publishing_ids);
            while let Some(mut next) = settled.next_if(same) {
                ids.append(&mut next.publishing_ids);
            }
            self.publishers.unconfirmed = self.publishers.unconfirmed.saturating_sub(ids.len());
            if let Some(publisher) = self.publishers.get(first.publisher) {
                match first.outcome {
                    Outcome::Safe => publisher.seen.confirmed.add(ids.len() as u64),
                    Outcome::Lost => publisher.seen.errored.add(ids.len() as u64),
                    Outcome::Unheard => {}
                }
                let has_name = !publisher.seen.reference.is_empty();
                let again = if has_name { take_repeated(&mut ids) } else { Vec::new() };
                if !again.is_empty() {
                    write_settled(first.publisher.0, again, first.outcome, &mut self.out);
                }
                write_settled(first.publisher.0, ids, first.outcome, &mut self.out);
            }
        }
    }
}

/// Takes out the ids that have come before: there are clients that look for an id once in a frame.
fn take_repeated(ids: &mut Vec<u64>) -> Vec<u64> {
    if ids.is_sorted_by(|one, next| one < next) {
        return Vec::new();
    }
    let mut seen = HashSet::with_capacity(ids.len());
    ids.extract_if(.., |id| !seen.insert(*id)).collect()
}

fn write_settled(publisher: u8, publishing_ids: Vec<u64>, outcome: Outcome, out: &mut Vec<u8>) {
    match outcome {
        Outcome::Safe => ServerFrame::PublishConfirm { publisher, publishing_ids }.write(out),
        Outcome::Lost => {
            let code = ResponseCode::InternalError;
            let errors = publishing_ids.into_iter().map(|id| (id, code)).collect();
            ServerFrame::PublishError { publisher, errors }.write(out);
        }
        Outcome::Unheard => {}
    }
}

/// What tells the connection that messages are safe, or what a fault has it told.
fn confirm_with(
    inbox: &Arc<Inbox>,
    publisher: (u8, u64),
    publishing_ids: Vec<u64>,
    fate: Fate,
) -> Done {
    let inbox = Arc::downgrade(inbox);
    Box::new(move |result| {
        let outcome = match (&fate, result) {
            (Fate::Unheard, _) => Outcome::Unheard,
            (Fate::Refused, _) | (_, Err(_)) => Outcome::Lost,
            (Fate::Usual | Fate::Held(_), Ok(())) => Outcome::Safe,
        };
        let tell = move || {
            if let Some(inbox) = inbox.upgrade() {
                inbox.note_settled(Settled { publisher, publishing_ids, outcome });
            }
        };
        match fate {
            Fate::Held(hit) => hit.hold(Box::new(tell)).unwrap_or_else(|tell| tell()),
            _ => tell(),
        }
    })
}

/// The messages as the log takes them.
fn batch<'a>(
    messages: impl Iterator<Item = Published<'a>>,
    reference: &str,
) -> leveret_storage::Result<StreamBatch> {
    let mut batch = match reference {
        "" => StreamBatch::new(),
        reference => StreamBatch::from_publisher(reference)?,
    };
    for message in messages {
        let octets;
        let content = match message.entry {
            Entry::Message(message) => {
                octets = [message];
                Content::Message(&octets)
            }
            Entry::Batch(batch) => Content::SubBatch(sub_batch(batch)),
        };
        let (publishing_id, filter) = (message.publishing_id, message.filter_value);
        batch.push(NewEntry { publishing_id, filter, content })?;
    }
    Ok(batch)
}

fn sub_batch(batch: Batch<'_>) -> SubBatch<'_> {
    let Batch { compression, records, uncompressed_octets, data } = batch;
    let compression = match compression {
        Compression::None => 0,
        Compression::Gzip => 1,
        Compression::Snappy => 2,
        Compression::Lz4 => 3,
        Compression::Zstd => 4,
        Compression::Other(bits) => bits,
    };
    SubBatch { compression, records, uncompressed_octets, octets: data }
}

/// The messages as the journal knows them; those that are compressed nobody here can read.
fn messages<'a>(published: impl Iterator<Item = Published<'a>>, queue: &str) -> Vec<Message> {
    let (mut decoder, chunk) = (Decoder::default(), Bytes::new());
    let mut decode =
        |octets: &[u8]| decoder.decode(octets, Origin { queue, offset: 0, chunk: &chunk });
    let mut messages = Vec::new();
    for it in published {
        match it.entry {
            Entry::Message(octets) => messages.push(decode(octets)),
            Entry::Batch(batch) => messages.extend(batch.messages().map(&mut decode)),
        }
    }
    messages
}
