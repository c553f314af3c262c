//! Bodies of the fuzz targets, also run by the tests over a small corpus. They panic only if
//! something that must always hold does not.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::config::ConnectionConfig;
use crate::connection::Connection;
use crate::decoder::{Decoder, Piece, read_publish};
use crate::event::{Event, Publish};
use crate::method::read_method;
use crate::properties::{Change, Changes, RawProperties};
use crate::table::{TableWriter, entries};
use crate::{reply_code, sasl};

/// Start-ok, tune-ok, open and channel.open of a client; the protocol header goes before.
const HANDSHAKE: &[u8] = b"AMQP\0\0\x09\x01\
    \x01\0\0\0\0\0\x1c\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x04\0a\0b\x05en_US\xce\
    \x01\0\0\0\0\0\x0c\0\x0a\0\x1f\0\x05\0\0\x10\0\0\0\xce\
    \x01\0\0\0\0\0\x08\0\x0a\0\x28\x01/\0\0\xce\
    \x01\0\x01\0\0\0\x05\0\x14\0\x0a\0\xce";

/// Octets to a decoder, in pieces whose size is the first octet, and as single values.
pub fn decoder(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    let mut decoder = Decoder::new();
    decoder.set_frame_max(4096);
    for mut part in data.chunks(usize::from(size).max(1)) {
        loop {
            let (used, piece) = decoder.next(part, |header| header.channel % 2 == 1);
            assert!(used <= part.len());
            part = part.get(used..).unwrap_or_default();
            match piece {
                Some(Piece::Frame(frame)) => assert!(frame.payload.len() <= 4096),
                Some(Piece::BodyPart { octets, .. }) => assert!(!octets.is_empty()),
                Some(Piece::BodyEnd { .. } | Piece::BadEnd { .. } | Piece::TooLarge(_)) => {}
                None => break,
            }
        }
        assert!(part.is_empty());
    }
    if let Some(publish) = read_publish(data, 4096, 4096) {
        assert!(publish.octets <= data.len() && publish.body.len() <= 4096);
    }
    values(data);
}

/// The same octets as a method, properties, credentials.
fn values(data: &[u8]) {
    if let Err(error) = read_method(data) {
        assert!(error.text.len() <= 255 && reply_code::is_hard(error.code));
    }
    let raw = RawProperties(data);
    let headers = TableWriter::new().finish();
    let changes = Changes {
        headers: Change::Set(&headers),
        expiration: Change::Remove,
        ..Changes::default()
    };
    if let Ok(changed) = raw.with(&changes) {
        let changed = RawProperties(&changed);
        assert!(changed.validate().is_ok() && changed.expiration().is_none());
        assert_eq!(changed.raw_headers(), Some(&*headers));
    }
    assert!(entries(data).all(|(name, entry)| name.len() < entry.len()));
    assert!(raw.validate().is_ok() || raw.parse().is_err());
    let _ = (raw.headers(), sasl::plain(data), sasl::amqplain(data));
}

/// Octets to a connection, in pieces whose size is the second octet; after a handshake if the
/// first is odd. What is told is the same whether it is told one by one or in runs.
pub fn connection(data: &[u8]) {
    assert_eq!(told(data, false), told(data, true));
}

/// What a connection tells, as a number.
fn told(data: &[u8], in_runs: bool) -> u64 {
    let mut told = DefaultHasher::new();
    let Some((&[from, size], data)) = data.split_first_chunk() else { return told.finish() };
    let config = ConnectionConfig { message_size_max: 10_000, ..ConnectionConfig::default() };
    let mut connection = Connection::new(Arc::new(config), 0);
    connection.join_acks(in_runs);
    if from % 2 == 1 {
        feed(&mut connection, HANDSHAKE, in_runs, &mut told);
        assert!(connection.is_running() && connection.is_channel_open(1));
    }
    let mut now_ms = 0;
    for part in data.chunks(usize::from(size).max(1)) {
        feed(&mut connection, part, in_runs, &mut told);
        connection.input_arrived(now_ms);
        now_ms += u64::from(from);
        connection.handle_timeout(now_ms);
        // What a connection says by itself is little next to what it hears.
        assert!(connection.transmit().len() < 2_000 * (part.len() + 1));
        connection.transmit().clear();
    }
    told.finish()
}

/// A publish but for its body.
#[derive(Hash)]
struct Front {
    channel: u16,
    flags: (bool, bool),
    octets: [Vec<u8>; 3],
}

impl Front {
    fn of(publish: &Publish<'_>) -> Self {
        let octets = [publish.exchange, publish.routing_key, publish.properties];
        Self {
            channel: publish.channel,
            flags: (publish.mandatory, publish.immediate),
            octets: octets.map(<[u8]>::to_vec),
        }
    }
}

/// What was decided about an event, once it no longer borrows from the connection.
enum Answer {
    Login,
    Open,
    OpenChannel(u16),
    CloseChannel(u16),
    /// None, and those that are like this publish, which has a number, come next.
    Alike(u64, Front),
    Nothing,
}

fn feed(connection: &mut Connection, mut input: &[u8], in_runs: bool, told: &mut DefaultHasher) {
    loop {
        let (used, event) = connection.poll_event(input);
        assert!(used <= input.len());
        input = input.get(used..).unwrap_or_default();
        let answer = match event {
            None => break,
            Some(Event::Login { .. } | Event::LoginResponse { .. }) => Answer::Login,
            Some(Event::Open { .. }) => Answer::Open,
            Some(Event::ChannelOpened { channel }) => Answer::OpenChannel(channel),
            Some(Event::MessageTooLarge { channel, .. } | Event::Method { channel, .. }) => {
                Answer::CloseChannel(channel)
            }
            Some(Event::Publish(publish)) => {
                assert!(publish.body.len() <= 10_000);
                assert!(RawProperties(publish.properties).validate().is_ok());
                let front = Front::of(&publish);
                (&front, publish.body.as_slice()).hash(told);
                match publish.number {
                    0 => Answer::Nothing,
                    number => Answer::Alike(number, front),
                }
            }
            Some(Event::Ack { channel, delivery_tags, multiple }) => {
                delivery_tags.for_each(|tag| (channel, tag, multiple).hash(told));
                Answer::Nothing
            }
            Some(event) => {
                format!("{event:?}").hash(told);
                Answer::Nothing
            }
        };
        match answer {
            Answer::Login => connection.accept_login(),
            Answer::Open => connection.accept_open(),
            Answer::OpenChannel(channel) => connection.accept_channel(channel),
            Answer::CloseChannel(channel) => {
                assert!(connection.is_channel_open(channel));
                connection.close_channel(channel, 406, "PRECONDITION_FAILED - no", 0, 0);
            }
            Answer::Alike(number, front) if in_runs => {
                let mut alike = connection.publishes_alike(number, input);
                for body in alike.by_ref() {
                    assert!(body.len() <= 10_000);
                    (&front, body).hash(told);
                }
                input = input.get(alike.used()..).unwrap_or_default();
            }
            Answer::Alike(..) | Answer::Nothing => {}
        }
    }
    assert!(input.is_empty());
}
