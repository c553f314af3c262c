//! Looking for what is allowed but seldom meant, if that is wanted.

use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::base::argument;
use crate::base::field_value::get;
use crate::base::names::{ExchangeName, QueueName};
use crate::error::{Precondition, Resource, Result};
use crate::exchange::{DELAYED_TYPE, ExchangeType};
use crate::insight::lint::{LintKind, Lints, did_you_mean};
use crate::limits::STREAM_WINDOW;
use crate::message::Message;
use crate::queue::arguments::{is_known, known};
use crate::queue::{Queue, QueueArguments};
use crate::vhost::VirtualHost;
use crate::vhost::flow::route::Route;
use crate::vhost::topology::exchange::Exchange;

/// Arguments of exchanges that start with `x-`.
const EXCHANGE_ARGUMENTS: &[&str] = &[
    DELAYED_TYPE,
    argument::RECENT_HISTORY_LENGTH,
    argument::CACHE_SIZE,
    argument::CACHE_TTL,
    argument::CACHE_PERSISTENCE,
];

impl VirtualHost {
    /// Who keeps what is found, if anything is looked for.
    #[inline]
    pub(crate) fn lints(&self) -> Option<&Arc<Lints>> {
        self.shared.lints.as_ref()
    }

    /// A queue is about to be declared. Errors: 406.
    pub(in crate::vhost) fn lint_queue(
        &self,
        name: &QueueName,
        table: &FieldTable,
        arguments: &QueueArguments,
    ) -> Result<()> {
        let Some(lints) = self.lints() else { return Ok(()) };
        let subject = Resource::queue(name, &self.name).to_string();
        lint_arguments(lints, &subject, table, is_known, known)?;
        if let Some(exchange) = &arguments.dead_letter_exchange
            && self.find_exchange(exchange).is_none()
        {
            let text = format!(
                "its dead-letter exchange '{exchange}' does not exist: messages that die are lost \
                 until it is declared"
            );
            lints.report(LintKind::MissingDeadLetterExchange, subject, "", text)?;
        }
        Ok(())
    }

    /// An exchange is about to be declared. Errors: 406.
    pub(in crate::vhost) fn lint_exchange(
        &self,
        name: &str,
        kind: ExchangeType,
        table: &FieldTable,
    ) -> Result<()> {
        let Some(lints) = self.lints() else { return Ok(()) };
        let subject = Resource::exchange(&ExchangeName::from(name), &self.name).to_string();
        let all = || EXCHANGE_ARGUMENTS.iter().copied();
        lint_arguments(lints, &subject, table, |name| EXCHANGE_ARGUMENTS.contains(&name), all)?;
        if kind != ExchangeType::DelayedMessage && get(table, DELAYED_TYPE).is_some() {
            let text = format!(
                "{DELAYED_TYPE} has no effect on type '{kind}'; did you mean '{}'?",
                ExchangeType::DelayedMessage
            );
            lints.report(LintKind::DelayedTypeWithoutDelay, subject, "", text)?;
        }
        Ok(())
    }

    /// A consumer is about to start. Errors: 406.
    pub(crate) fn lint_consumer(&self, queue: &Queue, no_ack: bool) -> Result<()> {
        let Some(lints) = self.lints() else { return Ok(()) };
        if no_ack && queue.dead_letter_target().is_some() {
            let text = "it has a dead-letter exchange, but a consumer without acknowledgements \
                        can reject nothing: what fails is lost";
            let subject = queue.resource().to_string();
            lints.report(LintKind::NoAckWithDeadLetterExchange, subject, "", text.into())?;
        }
        Ok(())
    }

    /// A consumer of a stream has no prefetch. Errors: 406 if it needs one.
    pub(crate) fn check_stream_prefetch(&self, queue: &Queue) -> Result<()> {
        if self.shared.require_stream_prefetch {
            return Err(Precondition::NoPrefetch(queue.resource()).into());
        }
        let Some(lints) = self.lints() else { return Ok(()) };
        let text = format!(
            "a consumer has no prefetch, which RabbitMQ refuses for streams: here it gets \
             {STREAM_WINDOW} messages before it has to acknowledge some (basic.qos sets the number)"
        );
        let subject = queue.resource().to_string();
        lints.report(LintKind::StreamWithoutPrefetch, subject, "", text)
    }

    /// A message is about to be enqueued, or dropped if there is no queue. Errors: 406.
    pub(crate) fn lint_publish(
        &self,
        exchange: &Exchange,
        message: &Message,
        route: &Route,
    ) -> Result<()> {
        let Some(lints) = self.lints() else { return Ok(()) };
        let key = String::from_utf8_lossy(message.routing_key_octets());
        let is_reply = || exchange.is_default() && self.reply_target(key.as_bytes()).is_some();
        if route.queues.is_empty() && !route.taken && route.deferred.is_none() && !is_reply() {
            let subject = exchange.resource().to_string();
            let text = format!("no queue gets a message with key '{key}'");
            lints.report(LintKind::NothingBound, subject, &key, text)?;
        }
        let priority = message.raw_properties().priority();
        for queue in &route.queues {
            let attributes = queue.attributes();
            let (arguments, subject) = (&attributes.arguments, || queue.resource().to_string());
            let kind = queue.kind();
            let has_none = kind.has_priorities && arguments.max_priority.is_none();
            if has_none && priority.is_some() {
                let text = "it gets messages with a priority, but has no x-max-priority: they \
                            come in the order in which they were published";
                let kind = LintKind::PriorityWithoutMaxPriority;
                lints.report(kind, subject(), "", text.into())?;
            }
            if !kind.stores_all && attributes.durable && !message.is_persistent() {
                let text = "it is durable, but gets messages that are not persistent: they are \
                            lost when the broker restarts (delivery_mode 2 makes them persistent)";
                let kind = LintKind::TransientInDurableQueue;
                lints.report(kind, subject(), "", text.into())?;
            }
        }
        Ok(())
    }
}

fn lint_arguments<I: Iterator<Item = &'static str>>(
    lints: &Lints,
    subject: &str,
    table: &FieldTable,
    is_known: impl Fn(&str) -> bool,
    known: impl Fn() -> I,
) -> Result<()> {
    let names = table.inner().keys().map(|name| name.as_str());
    for name in names.filter(|name| name.starts_with("x-") && !is_known(name)) {
        let hint = did_you_mean(name, known());
        let text = format!("argument '{name}' has no effect{hint}");
        lints.report(LintKind::UnknownArgument, subject.to_owned(), name, text)?;
    }
    Ok(())
}
