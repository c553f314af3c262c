//! What a client asks for, one by one, and how it is answered `[rabbitmq stream commands]`.

use leveret_stream_protocol::{Properties, Request, Response, ResponseCode};

use crate::access::Access;
use crate::gateway::stream::client::Client;
use crate::gateway::stream::faults::Verdict;
use crate::gateway::stream::reading::Subscribe;
use crate::limits::STREAM_NAME_BYTES_MAX;

impl Client {
    /// Does what is asked for, and answers, unless a fault has it otherwise.
    pub(super) fn request(&mut self, correlation: u32, request: &Request<'_>) {
        match self.meet_request(request) {
            Verdict::Go | Verdict::Tell(_) => self.do_request(correlation, request),
            Verdict::Refuse(code) => self.respond_code(correlation, request.command(), code),
            Verdict::End(error) => self.end(error),
            Verdict::EndAfter(error) => {
                let told = self.out.len();
                self.do_request(correlation, request);
                self.out.truncate(told);
                self.end(error);
            }
        }
    }

    fn do_request(&mut self, correlation: u32, request: &Request<'_>) {
        let command = request.command();
        let code = match request {
            Request::DeclarePublisher { publisher, reference, stream } => {
                self.declare_publisher(*publisher, reference, stream)
            }
            Request::DeletePublisher { publisher } => self.delete_publisher(*publisher),
            Request::Subscribe { subscription, stream, offset, credit, properties } => {
                let none = Properties::new();
                self.subscribe(&Subscribe {
                    id: *subscription,
                    stream,
                    offset: *offset,
                    credit: *credit,
                    properties: properties.as_ref().unwrap_or(&none),
                })
            }
            Request::Unsubscribe { subscription } => self.unsubscribe(*subscription),
            Request::Create { stream, arguments } => self.create(stream, arguments),
            Request::Delete { stream } => self.delete(stream),
            Request::CreateSuperStream { name, partitions, binding_keys, arguments } => {
                self.create_super_stream(name, (partitions, binding_keys), arguments)
            }
            Request::DeleteSuperStream { name } => self.delete_super_stream(name),
            _ => return self.question(correlation, request),
        };
        self.respond_code(correlation, command, code);
    }

    /// Answers what changes nothing.
    fn question(&mut self, correlation: u32, request: &Request<'_>) {
        match request {
            Request::QueryPublisherSequence { reference, stream } => {
                let (code, sequence) = self.publisher_sequence(reference, stream);
                self.respond(correlation, Response::QueryPublisherSequence { code, sequence });
            }
            Request::QueryOffset { reference, stream } => {
                let (code, offset) = self.stored_offset(reference, stream);
                self.respond(correlation, Response::QueryOffset { code, offset });
            }
            Request::Metadata { streams } => self.metadata(correlation, streams),
            Request::StreamStats { stream } => {
                let (code, stats) = self.stream_stats(stream);
                self.respond(correlation, Response::StreamStats { code, stats });
            }
            Request::Route { routing_key, super_stream } => {
                let (code, found) = self.route(super_stream, routing_key);
                let streams = found.iter().map(|name| name.as_str()).collect();
                self.respond(correlation, Response::Route { code, streams });
            }
            Request::Partitions { super_stream } => {
                let (code, found) = self.partitions(super_stream);
                let streams = found.iter().map(|name| name.as_str()).collect();
                self.respond(correlation, Response::Partitions { code, streams });
            }
            // The protocol machine answers these.
            _ => {}
        }
    }

    /// Of a reference that is not known the sequence is 0.
    fn publisher_sequence(&self, reference: &str, stream: &str) -> (ResponseCode, u64) {
        if !self.may(Access::Read, stream) {
            return (ResponseCode::AccessRefused, 0);
        }
        match self.log(stream) {
            None => (ResponseCode::StreamDoesNotExist, 0),
            Some(log) => (ResponseCode::Ok, log.publisher_sequence(reference).unwrap_or(0)),
        }
    }

    fn stored_offset(&self, reference: &str, stream: &str) -> (ResponseCode, u64) {
        if !self.may(Access::Read, stream) {
            return (ResponseCode::AccessRefused, 0);
        }
        let Some(log) = self.log(stream) else { return (ResponseCode::StreamDoesNotExist, 0) };
        match log.stored_offset(reference) {
            Some(offset) => (ResponseCode::Ok, offset),
            None => (ResponseCode::NoOffset, 0),
        }
    }

    /// Nobody is told what comes of it.
    pub(super) fn store_offset(&mut self, reference: &str, stream: &str, offset: u64) {
        if !self.meet_offset(stream) {
            return;
        }
        let may = self.subscriptions.use_stream(stream) || self.may(Access::Read, stream);
        if !may || reference.len() > STREAM_NAME_BYTES_MAX {
            return;
        }
        let Some(log) = self.log(stream) else { return };
        if let Err(error) = log.store_offset(reference, offset, None) {
            tracing::debug!("an offset of stream '{stream}' is not kept: {error}");
        }
    }

    /// The log of a stream, in use or not.
    fn log(&self, stream: &str) -> Option<std::sync::Arc<leveret_storage::Stream>> {
        Some(std::sync::Arc::clone(self.find(stream)?.stream()?.log()))
    }

    /// -1 for what there is not.
    fn stream_stats(&self, stream: &str) -> (ResponseCode, Vec<(&'static str, i64)>) {
        if !self.may(Access::Read, stream) {
            return (ResponseCode::AccessRefused, Vec::new());
        }
        let Some(log) = self.log(stream) else {
            return (ResponseCode::StreamDoesNotExist, Vec::new());
        };
        let ids = match log.chunk_ids() {
            Ok(ids) => ids.map(|ids| (ids.first.cast_signed(), ids.last.cast_signed())),
            Err(error) => {
                tracing::error!("stream '{stream}' cannot be read: {error}");
                return (ResponseCode::InternalError, Vec::new());
            }
        };
        let (first, last) = ids.unwrap_or((-1, -1));
        let last_offset = ids.map_or(-1, |_| log.committed_offset().cast_signed() - 1);
        let stats = [
            ("first_chunk_id", first),
            ("last_chunk_id", last),
            ("committed_chunk_id", last),
            // Newer than RabbitMQ 4.0; today's clients ask for it.
            ("committed_offset", last_offset),
        ];
        (ResponseCode::Ok, stats.to_vec())
    }
}
