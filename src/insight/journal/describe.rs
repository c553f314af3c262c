//! Events in plain English, one line each.

use std::fmt;

use crate::insight::journal::event::{DropReason, Event, EventKind, UsedBinding, lossy};
use crate::message::Message;
use crate::message::deaths::DeathReason;

/// Characters of a body that are shown.
const BODY_SHOWN_MAX: usize = 60;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(trace) = self.trace {
            write!(f, "message {trace} ")?;
        }
        write!(f, "{}", self.kind)?;
        if let EventKind::Published { connection, user } = &self.kind {
            let exchange = Exchange(self.exchange()).to_string();
            let key = self.message.as_ref().map(Message::routing_key_octets).unwrap_or_default();
            let key = lossy(key);
            write!(f, " to {exchange} with key '{key}' by {user} (connection {connection})")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {}", body(message.body()))?;
        }
        Ok(())
    }
}

/// How an exchange is called: the default one has no name.
pub(crate) struct Exchange<'a>(pub &'a str);

impl fmt::Display for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("the default exchange"),
            name => write!(f, "exchange '{name}'"),
        }
    }
}

/// A body as text if it is one, and not too long.
pub fn body(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok("") => "no body".into(),
        Ok(text) if text.chars().count() <= BODY_SHOWN_MAX => format!("{text:?}"),
        Ok(text) => {
            let start: String = text.chars().take(BODY_SHOWN_MAX).collect();
            format!("{start:?}... ({} octets)", octets.len())
        }
        Err(_) => format!("{} octets", octets.len()),
    }
}

/// Names in quotes, separated by commas.
pub(crate) fn quoted<T: fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
    if names.is_empty() { "nowhere".into() } else { names.join(", ") }
}

impl fmt::Display for UsedBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = lossy(&self.binding_key);
        write!(f, "'{}' -> '{}' with key '{key}'", self.source, self.destination)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EventKind::*;
        let again = |redelivered: &bool| if *redelivered { " again" } else { "" };
        match self {
            Published { .. } => f.write_str("published"),
            Routed { queues, bindings } => {
                write!(f, "routed to {}", quoted(queues.iter()))?;
                for (at, binding) in bindings.iter().enumerate() {
                    write!(f, "{}{binding}", if at == 0 { " by " } else { ", " })?;
                }
                Ok(())
            }
            Unroutable { returned: true } => f.write_str("unroutable, returned to its publisher"),
            Unroutable { returned: false } => f.write_str("unroutable, dropped"),
            Replied => f.write_str("passed on as a direct reply"),
            Delayed { exchange, ms } => write!(f, "kept by exchange '{exchange}' for {ms} ms"),
            Confirmed { delivery_tag } => write!(f, "confirmed as publish {delivery_tag}"),
            Nacked { delivery_tag } => write!(f, "nacked as publish {delivery_tag}"),
            Enqueued { queue } => write!(f, "enqueued in '{queue}'"),
            Refused { queue } => write!(f, "refused by full queue '{queue}'"),
            Delivered { queue, consumer_tag, redelivered } => {
                write!(f, "delivered{} from '{queue}'", again(redelivered))?;
                write!(f, " to consumer '{consumer_tag}'")
            }
            Got { queue, redelivered } => {
                write!(f, "taken{} from '{queue}' by basic.get", again(redelivered))
            }
            Acked { queue } => write!(f, "acknowledged in '{queue}'"),
            Requeued { queue } => write!(f, "requeued in '{queue}'"),
            Rejected { queue } => write!(f, "rejected in '{queue}'"),
            Expired { queue } => write!(f, "expired in '{queue}'"),
            DeadLettered { queue, reason, exchange, to } => {
                let exchange = Exchange(exchange.as_str());
                write!(f, "dead-lettered from '{queue}' ({}) over {exchange}", word(*reason))?;
                write!(f, " to {}", quoted(to.iter()))
            }
            Dropped { from, because } => write!(f, "dropped from '{from}': {because}"),
            other => topology(other, f),
        }
    }
}

fn topology(kind: &EventKind, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use EventKind::*;
    match kind {
        QueueDeclared { queue } => write!(f, "queue '{queue}' declared"),
        QueueDeleted { queue } => write!(f, "queue '{queue}' deleted"),
        ExchangeDeclared { exchange } => write!(f, "exchange '{exchange}' declared"),
        ExchangeDeleted { exchange } => write!(f, "exchange '{exchange}' deleted"),
        Bound(binding) => write!(f, "bound {binding}"),
        ConsumerStarted { queue, consumer_tag } => {
            write!(f, "consumer '{consumer_tag}' started on '{queue}'")
        }
        ConsumerCancelled { queue, consumer_tag } => {
            write!(f, "consumer '{consumer_tag}' on '{queue}' ended")
        }
        ConnectionOpened { connection, user } => {
            write!(f, "connection {connection} opened by {user}")
        }
        ConnectionClosed { connection } => write!(f, "connection {connection} closed"),
        _ => Ok(()),
    }
}

/// A reason as a word of a sentence.
pub(crate) const fn word(reason: DeathReason) -> &'static str {
    match reason {
        DeathReason::Rejected => "rejected",
        DeathReason::Expired => "expired",
        DeathReason::MaxLen => "the queue was too long",
        DeathReason::DeliveryLimit => "delivered too often",
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(reason) => {
                write!(f, "{}, and there is no dead-letter exchange", word(*reason))
            }
            Self::Undeliverable(reason) => {
                write!(f, "{}, and no queue takes its dead letter", word(*reason))
            }
            Self::Cycle(reason) => {
                write!(f, "{}, and its dead letter would come back for ever", word(*reason))
            }
            Self::Purged => f.write_str("purged"),
            Self::QueueDeleted => f.write_str("the queue was deleted"),
            Self::Duplicate => f.write_str("a duplicate"),
        }
    }
}
