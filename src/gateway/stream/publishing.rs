//! Publishing, and what becomes of the messages `[rabbitmq stream Publish]`.

use std::sync::Arc;

use bytes::Bytes;
use leveret_storage::{Content, Done, NewEntry, StreamBatch, SubBatch};
use leveret_stream_protocol::{Batch, Compression, Entry, Publish, ResponseCode, ServerFrame};

use crate::access::Access;
use crate::gateway::stream::client::Client;
use crate::gateway::stream::inbox::{Inbox, Settled};
use crate::gateway::stream::publishers::Publisher;
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::message::Message;
use crate::message::amqp10::{Decoder, Origin};

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
        let publisher = Publisher { generation, stream, reference: reference.to_owned() };
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
        let stream = self.publishers.by_id.get(&publish.publisher).map(|it| &it.stream);
        if let Some(name) = stream.filter(|it| it.is_gone()).map(|it| it.name().to_owned()) {
            self.drop_if_gone(&name);
        }
        let Some(publisher) = self.publishers.by_id.get(&publish.publisher) else {
            return self.refuse_publish(publish);
        };
        let Some(session) = &self.session else { return };
        let Ok(batch) = batch(publish, &publisher.reference) else {
            return self.refuse_publish(publish);
        };
        let publishing_ids: Vec<u64> = publish.iter().map(|it| it.publishing_id).collect();
        self.publishers.unconfirmed += publishing_ids.len();
        let id = (publish.publisher, publisher.generation);
        let done = confirm_with(&self.inbox, id, publishing_ids);
        let queue = &publisher.stream.queue;
        let messages = || messages(publish, queue.name().as_str());
        let now = session.virtual_host.now();
        queue.append_batch(&batch, messages, now, &mut self.effects, done);
    }

    fn refuse_publish(&mut self, publish: &Publish<'_>) {
        let code = ResponseCode::PublisherDoesNotExist;
        let errors = publish.iter().map(|it| (it.publishing_id, code)).collect();
        let frame = ServerFrame::PublishError { publisher: publish.publisher, errors };
        frame.write(&mut self.out);
    }

    /// Tells the client what has become of its messages: those of a publisher that are next to
    /// each other go into one frame.
    pub(super) fn confirm(&mut self, settled: &mut Vec<Settled>) {
        let mut settled = settled.drain(..).peekable();
        while let Some(mut first) = settled.next() {
            let same =
                |next: &Settled| next.publisher == first.publisher && next.is_safe == first.is_safe;
            let mut ids = std::mem::take(&mut first.publishing_ids);
            while let Some(mut next) = settled.next_if(same) {
                ids.append(&mut next.publishing_ids);
            }
            self.publishers.unconfirmed = self.publishers.unconfirmed.saturating_sub(ids.len());
            if self.publishers.has(first.publisher) {
                write_settled(first.publisher.0, ids, first.is_safe, &mut self.out);
            }
        }
    }
}

fn write_settled(publisher: u8, publishing_ids: Vec<u64>, is_safe: bool, out: &mut Vec<u8>) {
    if is_safe {
        ServerFrame::PublishConfirm { publisher, publishing_ids }.write(out);
        return;
    }
    let code = ResponseCode::InternalError;
    let errors = publishing_ids.into_iter().map(|id| (id, code)).collect();
    ServerFrame::PublishError { publisher, errors }.write(out);
}

/// What tells the connection that messages are safe.
fn confirm_with(inbox: &Arc<Inbox>, publisher: (u8, u64), publishing_ids: Vec<u64>) -> Done {
    let inbox = Arc::downgrade(inbox);
    Box::new(move |result| {
        if let Some(inbox) = inbox.upgrade() {
            inbox.note_settled(Settled { publisher, publishing_ids, is_safe: result.is_ok() });
        }
    })
}

/// The messages as the log takes them.
fn batch(publish: &Publish<'_>, reference: &str) -> leveret_storage::Result<StreamBatch> {
    let mut batch = match reference {
        "" => StreamBatch::new(),
        reference => StreamBatch::from_publisher(reference)?,
    };
    for message in publish.iter() {
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
fn messages(publish: &Publish<'_>, queue: &str) -> Vec<Message> {
    let (mut decoder, chunk) = (Decoder::default(), Bytes::new());
    let mut decode =
        |octets: &[u8]| decoder.decode(octets, Origin { queue, offset: 0, chunk: &chunk });
    let mut messages = Vec::new();
    for published in publish.iter() {
        match published.entry {
            Entry::Message(octets) => messages.push(decode(octets)),
            Entry::Batch(batch) => messages.extend(batch.messages().map(&mut decode)),
        }
    }
    messages
}
