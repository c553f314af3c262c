//! A client's half of the wire, for tests.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::basic::AMQPProperties;
use amq_protocol::protocol::{AMQPClass, basic, channel, connection};
use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_protocol::{Connection, ConnectionConfig, Event};

/// A frame with any type, payload and end.
pub(crate) fn raw_frame(kind: u8, channel: u16, payload: &[u8], end: u8) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.extend(channel.to_be_bytes());
    octets.extend((payload.len() as u32).to_be_bytes());
    octets.extend(payload);
    octets.push(end);
    octets
}

/// A sound frame.
pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    raw_frame(kind, channel, payload, 0xCE)
}

/// A frame as `amq-protocol` writes it.
pub(crate) fn encode(frame: &AMQPFrame) -> Vec<u8> {
    gen_frame(frame)(WriteContext::from(Vec::new())).unwrap().into_inner().0
}

pub(crate) fn method(channel: u16, method: AMQPClass) -> Vec<u8> {
    encode(&AMQPFrame::Method(channel, method))
}

pub(crate) fn on_zero(method_: connection::AMQPMethod) -> Vec<u8> {
    method(0, AMQPClass::Connection(method_))
}

pub(crate) fn open_channel(number: u16) -> Vec<u8> {
    method(number, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})))
}

pub(crate) fn close_ok() -> Vec<u8> {
    on_zero(connection::AMQPMethod::CloseOk(connection::CloseOk {}))
}

pub(crate) fn basic_publish(channel: u16, exchange: &str, routing_key: &str) -> Vec<u8> {
    let publish = basic::Publish {
        exchange: exchange.into(),
        routing_key: routing_key.into(),
        mandatory: false,
        immediate: false,
    };
    method(channel, AMQPClass::Basic(basic::AMQPMethod::Publish(publish)))
}

pub(crate) fn qos(channel: u16) -> Vec<u8> {
    let qos = basic::Qos { prefetch_count: 1, global: false };
    method(channel, AMQPClass::Basic(basic::AMQPMethod::Qos(qos)))
}

/// A content header of class 60 with these properties.
pub(crate) fn header(channel: u16, body_size: u64, properties: &[u8]) -> Vec<u8> {
    header_of(channel, 60, 0, body_size, properties)
}

pub(crate) fn header_of(
    channel: u16,
    class: u16,
    weight: u16,
    size: u64,
    properties: &[u8],
) -> Vec<u8> {
    let mut payload = class.to_be_bytes().to_vec();
    payload.extend(weight.to_be_bytes());
    payload.extend(size.to_be_bytes());
    payload.extend(properties);
    frame(2, channel, &payload)
}

/// Method, header, and the body in frames of at most `piece` octets.
pub(crate) fn publish(
    channel: u16,
    exchange: &str,
    key: &str,
    body: &[u8],
    piece: usize,
) -> Vec<u8> {
    let mut octets = basic_publish(channel, exchange, key);
    octets.extend(header(channel, body.len() as u64, &[0, 0]));
    for part in body.chunks(piece) {
        octets.extend(frame(3, channel, part));
    }
    octets
}

pub(crate) fn start_ok(mechanism: &str, response: &[u8], capabilities: &[&str]) -> Vec<u8> {
    let mut table = FieldTable::default();
    for name in capabilities {
        table.insert((*name).into(), AMQPValue::Boolean(true));
    }
    let mut client_properties = FieldTable::default();
    client_properties.insert("capabilities".into(), AMQPValue::FieldTable(table));
    on_zero(connection::AMQPMethod::StartOk(connection::StartOk {
        client_properties,
        mechanism: mechanism.into(),
        response: response.into(),
        locale: "en_US".into(),
    }))
}

pub(crate) fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Vec<u8> {
    let tune_ok = connection::TuneOk { channel_max, frame_max, heartbeat };
    on_zero(connection::AMQPMethod::TuneOk(tune_ok))
}

pub(crate) fn open(virtual_host: &str) -> Vec<u8> {
    on_zero(connection::AMQPMethod::Open(connection::Open { virtual_host: virtual_host.into() }))
}

pub(crate) const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// A connection with an owner that agrees to everything and keeps a record.
pub(crate) struct Peer {
    pub conn: Connection,
    pub events: Vec<String>,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self::with(ConnectionConfig::default())
    }

    pub(crate) fn with(config: ConnectionConfig) -> Self {
        Self { conn: Connection::new(Arc::new(config), 0), events: Vec::new() }
    }

    /// An open connection with these limits and no heartbeats.
    pub(crate) fn open(channel_max: u16, frame_max: u32) -> Self {
        let mut peer = Self::new();
        peer.feed(HEADER);
        peer.feed(&start_ok("PLAIN", b"\0guest\0guest", &["authentication_failure_close"]));
        peer.feed(&tune_ok(channel_max, frame_max, 0));
        peer.feed(&open("/"));
        assert!(peer.conn.is_running());
        peer.forget();
        peer
    }

    /// An open connection with channel 1 open.
    pub(crate) fn with_channel() -> Self {
        let mut peer = Self::open(2047, 131_072);
        peer.feed(&open_channel(1));
        peer.forget();
        peer
    }

    /// Drops record and output.
    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.conn.transmit().clear();
    }

    pub(crate) fn feed(&mut self, input: &[u8]) {
        let mut at = 0;
        loop {
            let (used, event) = self.conn.poll_event(&input[at..]);
            at += used;
            let Some(event) = event else { break };
            let line = describe(&event);
            let asks = match event {
                Event::Login { .. } | Event::LoginResponse { .. } => 1,
                Event::Open { .. } => 2,
                Event::ChannelOpened { channel } => 2 + u32::from(channel),
                _ => 0,
            };
            match asks {
                0 => {}
                1 => self.conn.accept_login(),
                2 => self.conn.accept_open(),
                more => self.conn.accept_channel((more - 2) as u16),
            }
            self.events.push(line);
        }
        assert_eq!(at, input.len(), "input left over");
    }

    /// What the connection sent since last asked.
    pub(crate) fn sent(&mut self) -> Vec<AMQPFrame> {
        let octets = self.conn.transmit().to_vec();
        self.conn.transmit().clear();
        parse(&octets)
    }

    /// The connection.close that was sent, as text, and nothing else was.
    pub(crate) fn close_sent(&mut self) -> String {
        let sent = self.sent();
        match sent.as_slice() {
            [AMQPFrame::Method(0, AMQPClass::Connection(connection::AMQPMethod::Close(close)))] => {
                format!(
                    "{} {} {}.{}",
                    close.reply_code, close.reply_text, close.class_id, close.method_id
                )
            }
            other => panic!("no single connection.close: {other:?}"),
        }
    }
}

/// All frames in some octets.
pub(crate) fn parse(mut octets: &[u8]) -> Vec<AMQPFrame> {
    let mut frames = Vec::new();
    while !octets.is_empty() {
        let (rest, frame) = parse_frame(octets).unwrap();
        frames.push(frame);
        octets = rest;
    }
    frames
}

/// An event as a line that does not depend on how its octets were cut.
pub(crate) fn describe(event: &Event<'_>) -> String {
    match event {
        Event::Publish(publish) => format!(
            "publish {} {:?} {:?} {} {} {:?} {:?}",
            publish.channel,
            publish.exchange.escape_ascii().to_string(),
            publish.routing_key.escape_ascii().to_string(),
            publish.mandatory,
            publish.immediate,
            publish.properties,
            publish.body.as_slice().escape_ascii().to_string(),
        ),
        other => format!("{other:?}"),
    }
}

/// Properties with every field set.
pub(crate) fn all_properties() -> AMQPProperties {
    let mut headers = FieldTable::default();
    headers.insert("h".into(), AMQPValue::LongString("v".into()));
    AMQPProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("utf-8".into())
        .with_headers(headers)
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("c-1".into())
        .with_reply_to("somewhere".into())
        .with_expiration("60000".into())
        .with_message_id("m-1".into())
        .with_timestamp(1_000_000_000)
        .with_type("t".into())
        .with_user_id("guest".into())
        .with_app_id("app".into())
        .with_cluster_id("cluster".into())
}
