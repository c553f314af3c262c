//! Creating and deleting super streams.

use amq_protocol::types::AMQPValue;
use leveret_stream_protocol::{Properties, ResponseCode};

use crate::base::argument;
use crate::gateway::stream::client::Client;
use crate::gateway::stream::topology::{refusal, stream_arguments};
use crate::vhost::{SuperStreamDeclare, SuperStreamError};

/// Where partitions are, if nothing is said: RabbitMQ spreads them over its nodes.
const LOCATOR: (&str, &str) = (argument::QUEUE_LEADER_LOCATOR, "balanced");

impl Client {
    /// Partitions and their binding keys are in the same order.
    pub(super) fn create_super_stream(
        &mut self,
        name: &str,
        (partitions, binding_keys): (&[&str], &[&str]),
        arguments: &Properties<'_>,
    ) -> ResponseCode {
        let Some(mut arguments) = stream_arguments(arguments) else {
            return ResponseCode::PreconditionFailed;
        };
        if partitions.len() != binding_keys.len() {
            return ResponseCode::PreconditionFailed;
        }
        let Some(session) = &self.session else { return ResponseCode::InternalError };
        let mut declare = SuperStreamDeclare { name: name.to_owned(), ..Default::default() };
        if !arguments.contains_key(LOCATOR.0) {
            arguments.insert(LOCATOR.0.into(), AMQPValue::LongString(LOCATOR.1.into()));
        }
        declare.arguments = arguments;
        let pairs = partitions.iter().zip(binding_keys);
        declare.partitions = pairs.map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let (actor, host) = (&session.actor, &session.virtual_host);
        match host.create_super_stream(actor, &declare, &mut self.effects) {
            Ok(()) => ResponseCode::Ok,
            Err(error) => {
                tracing::info!("super stream '{name}' is not created: {error}");
                match error {
                    SuperStreamError::Invalid(_) => ResponseCode::PreconditionFailed,
                    SuperStreamError::Exists(_) => ResponseCode::StreamAlreadyExists,
                    SuperStreamError::Refused(error) => refusal(&error),
                }
            }
        }
    }

    pub(super) fn delete_super_stream(&mut self, name: &str) -> ResponseCode {
        let Some(session) = &self.session else { return ResponseCode::InternalError };
        let (actor, host) = (&session.actor, &session.virtual_host);
        match host.delete_super_stream(actor, name, &mut self.effects) {
            Ok(_) => ResponseCode::Ok,
            Err(error) => refusal(&error),
        }
    }
}
