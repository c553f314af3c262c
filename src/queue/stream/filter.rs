//! What of a stream a consumer wants `[rabbitmq streams#filtering]`.

use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_storage::ChunkFilter;

use crate::base::argument;
use crate::base::field_value::{get, string};
use crate::message::Message;
use crate::message::amqp10;

/// The messages that a consumer wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Which chunks: all if there are no values.
    pub chunks: ChunkFilter,
    /// Which messages in them, if each is looked at.
    exact: Option<Exact>,
}

#[derive(Clone, Debug)]
struct Exact {
    values: Vec<String>,
    match_unfiltered: bool,
}

impl Filter {
    /// `x-stream-filter`, a text or a list of texts, `x-stream-match-unfiltered`, and
    /// `x-stream-filter-messages`, which is leveret's own: then each message of a chunk is looked
    /// at, too. What is no text is passed over.
    pub(crate) fn parse(arguments: &FieldTable) -> Self {
        let values: Vec<String> = match get(arguments, argument::STREAM_FILTER) {
            Some(AMQPValue::FieldArray(values)) => {
                values.as_slice().iter().filter_map(string).map(str::to_owned).collect()
            }
            Some(value) => string(value).map(str::to_owned).into_iter().collect(),
            None => Vec::new(),
        };
        let values: Vec<_> = values.into_iter().filter(|value| !value.is_empty()).collect();
        let flag = |name| get(arguments, name) == Some(&AMQPValue::Boolean(true));
        let match_unfiltered = flag(argument::STREAM_MATCH_UNFILTERED);
        let chunks = ChunkFilter::new(&values, match_unfiltered);
        let is_exact = flag(argument::STREAM_FILTER_MESSAGES) && !values.is_empty();
        Self { chunks, exact: is_exact.then_some(Exact { values, match_unfiltered }) }
    }

    /// Whether a message is wanted.
    pub(crate) fn wants(&self, message: &Message) -> bool {
        let Some(exact) = &self.exact else { return true };
        match amqp10::filter_value(message).filter(|value| !value.is_empty()) {
            None => exact.match_unfiltered,
            Some(value) => exact.values.iter().any(|wanted| wanted.as_bytes() == value),
        }
    }
}
