//! Where a connection is in its life.
//!
//! ```text
//! Greeting -> Mechanisms -> Credentials <-> LoginAsked -> Tuning -> Opening -> OpenAsked
//!                                               |                                | |
//!                                               v                                | v
//! Finished <------------------------------- Refusing <--------------------------+ Running
//!    ^                                                                              |
//!    +----------------------------------- Closing <----------------------------------+
//! ```
//! Running and LoginAsked change places when credentials are renewed. Refusing is on the way from
//! LoginAsked and OpenAsked alone; from everywhere else there is a direct way to Finished.

/// State of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waiting for PeerProperties.
    Greeting,
    /// Waiting for SaslHandshake.
    Mechanisms,
    /// Waiting for SaslAuthenticate.
    Credentials,
    /// The owner decides about credentials; the answer carries this correlation id.
    LoginAsked {
        correlation: u32,
        /// Whether the connection is open.
        renewal: bool,
    },
    /// Waiting for the answer to Tune.
    Tuning,
    /// Waiting for Open.
    Opening,
    /// The owner decides about the virtual host; the answer carries this correlation id.
    OpenAsked { correlation: u32 },
    /// Open.
    Running,
    /// A refusal waits for its time.
    Refusing,
    /// Close was sent; waiting for its answer.
    Closing,
    /// The socket is to be closed.
    Finished,
}

impl State {
    /// The owner has to answer before input is taken.
    pub(super) fn is_asking(self) -> bool {
        matches!(self, Self::LoginAsked { .. } | Self::OpenAsked { .. })
    }

    /// The virtual host is open, and nobody has ended the connection.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::LoginAsked { renewal: true, .. })
    }
}

/// Why the socket is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// One side closed, and the other answered.
    Closed,
    /// The handshake went wrong, or was refused.
    HandshakeFailed,
    /// A step of the handshake took too long.
    HandshakeTimeout,
    /// New credentials were refused.
    RenewalFailed,
    /// The answer to Close did not come in time.
    CloseTimeout,
    /// The answer to ConsumerUpdate did not come in time.
    RequestTimeout,
    /// Nothing came from the client for two intervals of heartbeats.
    PeerSilent,
}
