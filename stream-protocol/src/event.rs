//! What a connection tells its owner.

use crate::error::FrameError;
use crate::offset::OffsetSpec;
use crate::publish::Publish;
use crate::request::{Properties, Request};

/// Something that the peer did and that the owner has to know of.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// What the client says about itself; the answer is in the output already.
    PeerProperties {
        /// `product`, `version`, `connection_name` and so on.
        properties: Properties<'a>,
    },
    /// The client logs in, or answers a challenge. No input is taken until it is answered with
    /// `accept_login`, `challenge` or `refuse_login`.
    Login {
        /// One of the mechanisms that were offered.
        mechanism: &'a str,
        /// The mechanism's response.
        response: &'a [u8],
        /// Whether the connection is open, and the client renews its credentials.
        renewal: bool,
    },
    /// The client opens a virtual host. No input is taken until it is answered with `accept_open`
    /// or `refuse_open`.
    Open {
        /// Name of the virtual host.
        virtual_host: &'a str,
        /// Largest frame that was agreed on, in octets; 0 for no limit.
        frame_max: u32,
        /// Heartbeat interval that was agreed on, in seconds; 0 for none.
        heartbeat_s: u32,
    },
    /// Something to be answered, of the commands that are not answered here.
    Request {
        /// What the answer has to carry.
        correlation: u32,
        /// What is asked for.
        request: Request<'a>,
    },
    /// Messages.
    Publish(Publish<'a>),
    /// The client takes further chunks.
    Credit {
        /// Id of the subscription.
        subscription: u8,
        /// Chunks.
        credit: i16,
    },
    /// An offset to be kept. It is not answered.
    StoreOffset {
        /// Name that it is kept under.
        reference: &'a str,
        /// Name of the stream.
        stream: &'a str,
        /// The offset.
        offset: u64,
    },
    /// The client has answered `consumer_update`.
    ConsumerUpdated {
        /// Id of the subscription.
        subscription: u8,
        /// Whether it was told that it is active.
        active: bool,
        /// Where it begins; of no meaning for one that is not active.
        offset: OffsetSpec,
    },
    /// The connection is over, though the answer to Close may have to be awaited; see
    /// `is_finished`. Comes once, and not for what `close`, refusals and timers end.
    Closed(Closed<'a>),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed<'a> {
    /// The client sent Close; the answer is in the output already.
    ByClient {
        /// Why, by number.
        code: u16,
        /// Why, for people.
        reason: &'a str,
    },
    /// A frame that is not taken. After Open, Close is in the output already; before it, the
    /// client is told nothing.
    ByError(FrameError),
    /// The client wants a mechanism that is not offered, or another one than before; the answer is
    /// in the output already.
    Mechanism,
}
