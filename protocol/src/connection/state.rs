//! Where a connection is in its life.
//!
//! ```text
//! Header -> Starting -> [LoginAsked <-> Securing] -> Tuning -> Opening -> OpenAsked -> Running
//!    |          |              |                        |         |           |          |
//!    |          +--------------+--------- Silent <------+         +-----------+----------+
//!    v                                       |                    v                      v
//! Finished <---------------------------------+--------- Closing (by us)        Closed (by client)
//! ```

use crate::content::Content;
use crate::event::Event;
use amq_protocol::types::FieldTable;

/// State of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waiting for the protocol header.
    Header,
    /// start was sent.
    Starting,
    /// The owner decides about the login.
    LoginAsked,
    /// secure was sent.
    Securing,
    /// tune was sent.
    Tuning,
    /// Waiting for open.
    Opening,
    /// The owner decides about open.
    OpenAsked,
    /// Open.
    Running,
    /// close was sent; waiting for close-ok.
    Closing,
    /// The client closed and got close-ok; waiting for its socket to close.
    Closed,
    /// The handshake failed; the socket closes after a delay.
    Silent,
    /// The socket is to be closed.
    Finished,
}

impl State {
    /// As RabbitMQ's reply texts name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Header | Self::Starting => "starting",
            Self::LoginAsked | Self::Securing => "securing",
            Self::Tuning => "tuning",
            Self::Opening | Self::OpenAsked => "opening",
            Self::Running => "running",
            Self::Closing | Self::Closed | Self::Silent | Self::Finished => "closed",
        }
    }

    /// The owner has to answer before input is taken.
    pub(super) fn is_asking(self) -> bool {
        matches!(self, Self::LoginAsked | Self::OpenAsked)
    }

    /// Nothing but close and close-ok matters any more, if that.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Closing | Self::Closed | Self::Silent | Self::Finished)
    }
}

/// Why the socket is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// After an exchange of close and close-ok.
    Closed,
    /// The client does not speak AMQP 0-9-1; it was told the supported version.
    WrongProtocol,
    /// The handshake failed without a word.
    HandshakeFailed,
    /// The handshake took too long.
    HandshakeTimeout,
    /// close-ok, or the end of the socket, did not come in time.
    CloseTimeout,
    /// Nothing came from the client for two heartbeat intervals.
    PeerSilent,
}

/// What an event that was reported last refers to.
#[derive(Debug, Default)]
pub(super) enum Held {
    #[default]
    Nothing,
    Login {
        response: Vec<u8>,
        client_properties: FieldTable,
    },
    LoginResponse(Vec<u8>),
    VirtualHost(String),
    Secret {
        new_secret: Vec<u8>,
        reason: String,
    },
    Publish {
        channel: u16,
        content: Content,
    },
    ClosedByClient {
        reply_code: u16,
        reply_text: String,
    },
    ClosedByError {
        reply_code: u16,
        reply_text: String,
    },
    HandshakeFailed(String),
}

/// What came of a frame.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing to report.
    Nothing,
    /// An event that refers to what is held.
    Held,
    /// An event that refers to nothing.
    Event(Event<'static>),
}
