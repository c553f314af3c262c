//! What a connection tells its owner.

use std::ops::RangeInclusive;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::types::FieldTable;
use bytes::Bytes;

use crate::tune::Tuning;

/// Something that the peer did and that needs an answer, or that the connection wants known.
#[derive(Debug)]
pub enum Event<'a> {
    /// The client logs in. No input is taken until it is answered with `accept_login`,
    /// `challenge` or `refuse_login`.
    Login {
        /// One of the mechanisms that were offered.
        mechanism: &'a str,
        /// The mechanism's response.
        response: &'a [u8],
        /// What the client says about itself.
        client_properties: &'a FieldTable,
    },
    /// The client answers a challenge; to be answered like [`Event::Login`].
    LoginResponse {
        /// The mechanism that was chosen at first.
        mechanism: &'a str,
        /// The mechanism's response.
        response: &'a [u8],
    },
    /// The client opens a virtual host. No input is taken until it is answered with `accept_open`
    /// or `close_connection`.
    Open {
        /// Name of the virtual host.
        virtual_host: &'a str,
        /// What was agreed on before.
        tuning: Tuning,
    },
    /// The client opens a channel, to be answered with `accept_channel` or `close_connection`.
    ChannelOpened {
        /// Its number.
        channel: u16,
    },
    /// The client closed a channel; close-ok is in the output already.
    ChannelClosed {
        /// Its number, free again.
        channel: u16,
    },
    /// The header of a basic.publish has come, with a body to follow. Only while that is asked for:
    /// see `announce_publishes`.
    PublishBegun {
        /// Its channel.
        channel: u16,
    },
    /// A whole basic.publish.
    Publish(Publish<'a>),
    /// A basic.publish with a body that is larger than allowed. The body is dropped as it comes;
    /// the channel is to be closed.
    MessageTooLarge {
        /// Its channel.
        channel: u16,
        /// Octets of the body.
        body_size: u64,
        /// Octets that are allowed.
        message_size_max: u64,
    },
    /// basic.ack, or several that came together, each for the delivery tag behind that of the one
    /// before: see `join_acks`.
    Ack {
        /// Its channel.
        channel: u16,
        /// Delivery tags, one for each basic.ack.
        delivery_tags: RangeInclusive<u64>,
        /// Whether all deliveries up to this one are meant; then there is one tag.
        multiple: bool,
    },
    /// basic.qos, with the argument that `amq-protocol` leaves out.
    Qos {
        /// Its channel.
        channel: u16,
        /// Octets; brokers of RabbitMQ's kind take 0 alone.
        prefetch_size: u32,
        /// Most unacknowledged deliveries; 0 for no limit.
        prefetch_count: u16,
        /// Whether the limit is shared by the consumers of the channel.
        global: bool,
    },
    /// Any other method that a client may send on an open channel.
    Method {
        /// Its channel, never 0.
        channel: u16,
        /// The method.
        method: AMQPClass,
    },
    /// The client sends a new secret, to be answered with `accept_secret` or `close_connection`.
    UpdateSecret {
        /// The new password or token.
        new_secret: &'a [u8],
        /// What the client says about why.
        reason: &'a str,
    },
    /// The connection is over, though its socket may have to stay open for a while; see
    /// `is_finished`. Comes once, and not for what `close_connection` and timers end.
    Closed(Closed<'a>),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed<'a> {
    /// The client sent connection.close; close-ok is in the output already.
    ByClient {
        /// Its reply code.
        reply_code: u16,
        /// Its reply text.
        reply_text: &'a str,
    },
    /// The client violated the protocol; connection.close is in the output already.
    ByError {
        /// The reply code that was sent.
        reply_code: u16,
        /// The reply text that was sent.
        reply_text: &'a str,
    },
    /// The handshake failed in a way that the client is not told about.
    Handshake {
        /// What went wrong, for a log.
        reason: &'a str,
    },
}

/// A basic.publish with its content. [amqp 0-9-1 basic.publish]
#[derive(Debug)]
pub struct Publish<'a> {
    /// Channel number.
    pub channel: u16,
    /// The same as that of another publish of the same connection if all octets before their bodies
    /// are the same but for the channel's number; 0 if that is not known.
    pub number: u64,
    /// Exchange name; any octets, at most 255.
    pub exchange: &'a [u8],
    /// Routing key; any octets, at most 255.
    pub routing_key: &'a [u8],
    /// To be returned if no queue gets it.
    pub mandatory: bool,
    /// To be returned if no consumer gets it at once.
    pub immediate: bool,
    /// Property flags and values exactly as they came, and valid.
    pub properties: &'a [u8],
    /// The body.
    pub body: Body<'a>,
}

/// Body of a published message.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// In the input, to be copied if it is kept.
    Borrowed(&'a [u8]),
    /// Put together from several pieces; keeps no read buffer alive.
    Assembled(Bytes),
}

impl Body<'_> {
    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(octets) => octets,
            Self::Assembled(octets) => octets,
        }
    }

    /// Number of octets.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The octets to keep: copied if borrowed.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(octets) => Bytes::copy_from_slice(octets),
            Self::Assembled(octets) => octets,
        }
    }
}
