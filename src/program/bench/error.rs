//! Why a load run failed.

use std::io;

use leveret_stream_protocol::ResponseCode;

use super::wire::{Fields, WireError};

/// Why a load run gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LoadError {
    /// Options that contradict each other.
    #[error("{0}")]
    Arguments(String),
    /// The URI cannot be used.
    #[error("cannot use the URI: {0}")]
    Uri(String),
    /// No connection could be opened.
    #[error("cannot connect to {address}: {source}; is a server running there? --uri says where")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A connection broke.
    #[error("{doing}: {source}")]
    Io {
        /// What was going on.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server sent something that is no AMQP 0-9-1.
    #[error("the server broke the protocol: {0}")]
    Wire(#[from] WireError),
    /// The server closed a connection or a channel.
    #[error("the server closed the {scope}: {reply_code} {reply_text}")]
    ClosedByServer {
        /// `connection` or `channel`.
        scope: &'static str,
        /// Reply code, such as 404. \[amqp 0-9-1 reply-code\]
        reply_code: u16,
        /// Reply text as the server gave it.
        reply_text: String,
    },
    /// The server sent something that is not of the stream protocol.
    #[error("the server broke the stream protocol: {0}")]
    StreamFrame(String),
    /// The server did not do what it was asked for over the stream protocol.
    #[error("the server answered {what} with: {answer}")]
    Refused {
        /// The request.
        what: String,
        /// What it was answered with.
        answer: ResponseCode,
    },
    /// The server cancelled a consumer, as it does when the queue is deleted.
    #[error("the server cancelled a consumer")]
    ConsumerCancelled,
    /// The server ended a connection without `connection.close`.
    #[error("the server ended the connection")]
    Disconnected,
    /// The server did not do in time what was waited for.
    #[error("gave up after {seconds} s of waiting for {awaited}")]
    TimedOut {
        /// What was waited for.
        awaited: &'static str,
        /// How long, in seconds.
        seconds: u64,
    },
    /// More messages came out than went in.
    #[error("{consumed} messages were consumed although only {expected} were published")]
    ConsumedTooMany {
        /// Messages consumed.
        consumed: u64,
        /// Messages published, times the queues that each was routed to.
        expected: u64,
    },
    /// CPU time or memory of a process could not be read.
    #[error("cannot read CPU time and memory of process {pid}: {reason}")]
    Process {
        /// The process, `self` for the load generator.
        pid: String,
        /// What is wrong.
        reason: String,
    },
    /// A thread could not be started, or it ended in a panic.
    #[error("a thread failed: {0}")]
    Thread(String),
}

impl LoadError {
    /// The error for a `connection.close` or `channel.close` with these arguments.
    pub(super) fn closed(scope: &'static str, mut arguments: Fields<'_>) -> Self {
        let read = |arguments: &mut Fields<'_>| -> Result<Self, WireError> {
            let reply_code = arguments.short()?;
            let reply_text = String::from_utf8_lossy(arguments.short_string()?).into_owned();
            Ok(Self::ClosedByServer { scope, reply_code, reply_text })
        };
        read(&mut arguments).unwrap_or_else(Self::from)
    }

    /// Whether the connection broke below AMQP, which may be the mere echo of a close.
    pub(super) fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Disconnected)
    }
}
