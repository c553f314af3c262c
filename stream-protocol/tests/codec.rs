//! Frames on the wire: some to the octet, all of them there and back.

mod support;

use leveret_stream_protocol::{
    Batch, BrokerAddress, Chunk, ChunkBuilder, ChunkError, ChunkHeader, ChunkKind, ClientFrame,
    Command, CommandVersions, Compression, Entry, FrameError, NO_BROKER, OffsetSpec, Publish,
    Published, Request, Response, ResponseCode, ServerFrame, StreamPlace, write_deliver_front,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use support::*;

fn server(frame: &ServerFrame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.write(&mut out);
    out
}

#[test]
fn requests_to_the_octet() {
    let declare = Request::DeclarePublisher { publisher: 5, reference: "r", stream: "st" };
    assert_eq!(request(258, declare), raw(1, 1, b"\0\0\x01\x02\x05\0\x01r\0\x02st"));
    let subscribe = Request::Subscribe {
        subscription: 1,
        stream: "s",
        offset: OffsetSpec::Offset(3),
        credit: 10,
        properties: Some(vec![("a", "b")]),
    };
    let octets = b"\0\0\0\x01\x01\0\x01s\0\x04\0\0\0\0\0\0\0\x03\0\x0a\0\0\0\x01\0\x01a\0\x01b";
    assert_eq!(request(1, subscribe), raw(7, 1, octets));
    let create = Request::CreateSuperStream {
        name: "i",
        partitions: vec!["i-0"],
        binding_keys: vec!["0"],
        arguments: vec![],
    };
    let octets = b"\0\0\0\x01\0\x01i\0\0\0\x01\0\x03i-0\0\0\0\x01\0\x010\0\0\0\0";
    assert_eq!(request(1, create), raw(29, 1, octets));
    let login = Request::SaslAuthenticate { mechanism: "PLAIN", response: b"\0a\0b" };
    assert_eq!(request(1, login), raw(19, 1, b"\0\0\0\x01\0\x05PLAIN\0\0\0\x04\0a\0b"));
    // Erlang's client sends null where there is no response.
    let null = raw(19, 1, b"\0\0\0\x01\0\x05PLAIN\xff\xff\xff\xff");
    let login = Request::SaslAuthenticate { mechanism: "PLAIN", response: b"" };
    let expected = ClientFrame::Request { correlation: 1, request: login };
    assert_eq!(ClientFrame::read(&null[4..]), Ok(expected));
}

#[test]
fn answers_to_the_octet() {
    let code = Response::Code { command: Command::Create, code: ResponseCode::StreamAlreadyExists };
    let answer = ServerFrame::Response { correlation: 9, response: code };
    assert_eq!(server(&answer), raw(0x800d, 1, b"\0\0\0\x09\0\x05"));
    let response = Response::Metadata {
        brokers: vec![BrokerAddress { index: 0, host: "h", port: 5552 }],
        streams: vec![StreamPlace {
            stream: "s",
            code: ResponseCode::StreamDoesNotExist,
            leader: NO_BROKER,
            replicas: vec![],
        }],
    };
    let octets = b"\0\0\0\x01\0\0\0\x01\0\0\0\x01h\0\0\x15\xb0\
                   \0\0\0\x01\0\x01s\0\x02\xff\xff\0\0\0\0";
    let answer = ServerFrame::Response { correlation: 1, response };
    assert_eq!(server(&answer), raw(0x800f, 1, octets));
    let code = ResponseCode::SubscriptionIdDoesNotExist;
    let credit = ServerFrame::CreditError { code, subscription: 3 };
    assert_eq!(server(&credit), raw(0x8009, 1, b"\0\x04\x03"));
    let response =
        Response::Open { code: ResponseCode::VirtualHostAccessFailure, properties: None };
    let answer = ServerFrame::Response { correlation: 1, response };
    assert_eq!(server(&answer), raw(0x8015, 1, b"\0\0\0\x01\0\x0c"));
}

#[test]
fn publish_to_the_octet() {
    let batch =
        Batch { compression: Compression::Lz4, records: 2, uncompressed_octets: 258, data: b"zz" };
    let entries = [Entry::Message(b"hi"), Entry::Batch(batch)];
    let plain = entries.map(|entry| Published { publishing_id: 7, filter_value: None, entry });
    let mut out = Vec::new();
    Publish::write(4, &plain, &mut out);
    let first = b"\x04\0\0\0\x02\0\0\0\0\0\0\0\x07\0\0\0\x02hi";
    let second = b"\0\0\0\0\0\0\0\x07\xb0\0\x02\0\0\x01\x02\0\0\0\x02zz";
    assert_eq!(out, raw(2, 1, &[&first[..], second].concat()));
    let filtered = [None, Some(&b"eu"[..])].map(|filter_value| Published {
        publishing_id: 1,
        filter_value,
        entry: Entry::Message(b"x"),
    });
    out.clear();
    Publish::write(4, &filtered, &mut out);
    let octets = b"\x04\0\0\0\x02\0\0\0\0\0\0\0\x01\xff\xff\0\0\0\x01x\
                   \0\0\0\0\0\0\0\x01\0\x02eu\0\0\0\x01x";
    assert_eq!(out, raw(2, 2, octets));
}

#[test]
fn the_empty_filter_value_is_none() {
    let octets = b"\x04\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\x01x";
    let frame = raw(2, 2, octets);
    let Ok(ClientFrame::Publish(publish)) = ClientFrame::read(&frame[4..]) else { panic!() };
    assert_eq!(publish.iter().map(|message| message.filter_value).collect::<Vec<_>>(), [None]);
}

#[test]
fn chunks_to_the_octet() {
    let mut builder = ChunkBuilder::new();
    assert!(builder.is_empty() && builder.push(&Entry::Message(b"hi")));
    let mut out = Vec::new();
    builder.write(9, 1_000, &mut out);
    let front = b"\x50\0\0\x01\0\0\0\x01\0\0\0\0\0\0\x03\xe8\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x09";
    let crc = crc32fast::hash(b"\0\0\0\x02hi").to_be_bytes();
    let expected = [&front[..], &crc, b"\0\0\0\x06\0\0\0\0\0\0\0\0", b"\0\0\0\x02hi"].concat();
    assert_eq!(out, expected);
    let chunk = Chunk::read(&out).unwrap();
    assert_eq!(chunk.header.next_offset(), 10);
    assert_eq!(chunk.entries().collect::<Vec<_>>(), [(9, Entry::Message(b"hi"))]);
}

#[test]
fn damage_to_a_chunk_is_found() {
    let mut builder = ChunkBuilder::new();
    for message in [&b"one"[..], b"two"] {
        assert!(builder.push(&Entry::Message(message)));
    }
    let mut sound = Vec::new();
    builder.write(0, 0, &mut sound);
    for end in 0..sound.len() {
        let expected = match end {
            0..ChunkHeader::OCTETS => ChunkError::Header,
            _ => ChunkError::Short { octets: end - ChunkHeader::OCTETS, expected: 14 },
        };
        assert_eq!(Chunk::read(&sound[..end]), Err(expected));
    }
    for at in ChunkHeader::OCTETS..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        assert!(matches!(Chunk::read(&damaged), Err(ChunkError::Crc { .. })));
    }
    // Another count of entries or of messages, another magic.
    for (at, error) in [(3, ChunkError::Entries), (7, ChunkError::Entries), (0, ChunkError::Header)]
    {
        let mut damaged = sound.clone();
        damaged[at] += 1;
        assert_eq!(Chunk::read(&damaged), Err(error));
    }
}

#[test]
fn chunks_of_tracking_data_have_no_messages() {
    let header = ChunkHeader {
        kind: ChunkKind::TrackingSnapshot,
        entries: 1,
        records: 1,
        timestamp_ms: 5,
        epoch: 1,
        first_offset: 3,
        crc: crc32fast::hash(b"???"),
        data_octets: 3,
        trailer_octets: 0,
        filter_octets: 0,
    };
    let mut out = Vec::new();
    header.write(&mut out);
    out.extend_from_slice(b"???");
    let chunk = Chunk::read(&out).unwrap();
    assert_eq!((chunk.header, chunk.entries().count()), (header, 0));
}

#[test]
fn a_batch_that_is_not_compressed_is_taken_apart() {
    let data = b"\0\0\0\x01a\0\0\0\x02bc\0\0";
    let batch = |records, compression| Batch {
        compression,
        records,
        uncompressed_octets: 0,
        data: &data[..],
    };
    let messages = |batch: Batch<'static>| batch.messages().collect::<Vec<_>>();
    assert_eq!(messages(batch(2, Compression::None)), [&b"a"[..], b"bc"]);
    assert_eq!(messages(batch(1, Compression::None)), [b"a"]);
    assert_eq!(messages(batch(9, Compression::None)), [&b"a"[..], b"bc"]);
    assert!(messages(batch(2, Compression::Zstd)).is_empty());
}

#[test]
fn the_front_of_deliver_is_that_of_the_whole_frame() {
    let mut builder = ChunkBuilder::new();
    assert!(builder.push(&Entry::Message(b"hello")));
    let mut chunk = Vec::new();
    builder.write(4, 5, &mut chunk);
    for committed_chunk_id in [None, Some(17)] {
        let deliver = ServerFrame::Deliver { subscription: 8, committed_chunk_id, chunk: &chunk };
        let mut out = Vec::new();
        write_deliver_front(8, committed_chunk_id, chunk.len(), &mut out);
        out.extend_from_slice(&chunk);
        assert_eq!(out, server(&deliver));
        assert_eq!(ServerFrame::read(&out[4..]), Ok(deliver));
    }
}

/// As rstream answers.
#[test]
fn an_offset_behind_a_word_is_ignored_where_rabbitmq_ignores_it() {
    let answer = raw(0x801a, 1, b"\0\0\0\x07\0\x01\0\x01\0\0\0\0\0\0\0\0");
    let offset = OffsetSpec::First;
    let expected = ClientFrame::ConsumerUpdateAnswer { correlation: 7, code: 1, offset };
    assert_eq!(ClientFrame::read(&answer[4..]), Ok(expected));
}

#[test]
fn frames_of_the_other_side_are_unknown() {
    let confirm = ServerFrame::PublishConfirm { publisher: 1, publishing_ids: vec![1] };
    let unknown = |key| FrameError::UnknownCommand { key, version: 1 };
    assert_eq!(ClientFrame::read(&server(&confirm)[4..]), Err(unknown(3)));
    let publish = raw(2, 1, b"\0\0\0\0\0");
    assert_eq!(ServerFrame::read(&publish[4..]), Err(unknown(2)));
    let error = FrameError::Malformed { command: Command::Delete };
    assert_eq!(ClientFrame::read(&raw(14, 1, b"\0\0\0\x01\0\x05s")[4..]), Err(error));
    assert_eq!(error.code(), ResponseCode::UnknownFrame);
}

/// A request of some kind, built from a few values.
fn some_request(which: u8, texts: &[String], id: u8, number: u64) -> Request<'_> {
    let text = |at: usize| texts[at % texts.len()].as_str();
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    let pairs: Vec<(&str, &str)> = all.iter().map(|it| (*it, text(1))).collect();
    let versions = vec![CommandVersions { key: 8, min: 1, max: u16::from(id) }];
    match which % 20 {
        0 => Request::DeclarePublisher { publisher: id, reference: text(0), stream: text(1) },
        1 => Request::QueryPublisherSequence { reference: text(0), stream: text(1) },
        2 => Request::DeletePublisher { publisher: id },
        3 => Request::Subscribe {
            subscription: id,
            stream: text(0),
            offset: [OffsetSpec::First, OffsetSpec::Offset(number), OffsetSpec::Timestamp(-1)]
                [usize::from(id) % 3],
            credit: number as u16,
            properties: id.is_multiple_of(2).then_some(pairs),
        },
        4 => Request::QueryOffset { reference: text(0), stream: text(1) },
        5 => Request::Unsubscribe { subscription: id },
        6 => Request::Create { stream: text(0), arguments: pairs },
        7 => Request::Delete { stream: text(0) },
        8 => Request::Metadata { streams: all },
        9 => Request::PeerProperties { properties: pairs },
        10 => Request::SaslHandshake {},
        11 => Request::SaslAuthenticate { mechanism: text(0), response: text(1).as_bytes() },
        12 => Request::Open { virtual_host: text(0) },
        13 => Request::Close { code: number as u16, reason: text(0) },
        14 => Request::Route { routing_key: text(0), super_stream: text(1) },
        15 => Request::Partitions { super_stream: text(0) },
        16 => Request::ExchangeCommandVersions { versions },
        17 => Request::StreamStats { stream: text(0) },
        18 => Request::CreateSuperStream {
            name: text(0),
            partitions: all.clone(),
            binding_keys: all,
            arguments: pairs,
        },
        _ => Request::DeleteSuperStream { name: text(0) },
    }
}

/// An answer of some kind, built from a few values.
fn some_response(which: u8, texts: &[String], number: u64) -> Response<'_> {
    let code = ResponseCode::ALL[number as usize % ResponseCode::ALL.len()];
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    let pairs: Vec<(&str, &str)> = all.iter().map(|it| (*it, *it)).collect();
    match which % 12 {
        0 => Response::QueryPublisherSequence { code, sequence: number },
        1 => Response::QueryOffset { code, offset: number },
        2 => Response::PeerProperties { code, properties: pairs },
        3 => Response::SaslHandshake { code, mechanisms: all },
        4 => Response::SaslAuthenticate { code, challenge: all.first().copied() },
        5 => Response::Open { code, properties: which.is_multiple_of(2).then_some(pairs) },
        6 => Response::Route { code, streams: all },
        7 => Response::Partitions { code, streams: all },
        8 => Response::ExchangeCommandVersions {
            code,
            versions: vec![CommandVersions::of(Command::Publish)],
        },
        9 => Response::StreamStats {
            code,
            stats: all.iter().map(|it| (*it, number as i64)).collect(),
        },
        10 => Response::Metadata {
            brokers: vec![BrokerAddress { index: 1, host: all[0], port: number as u32 }],
            streams: vec![StreamPlace { stream: all[0], code, leader: 1, replicas: vec![1, 2] }],
        },
        _ => Response::Code { command: Command::Subscribe, code },
    }
}

fn entry_parts() -> impl Strategy<Value = (Option<(u8, u16)>, Vec<u8>)> {
    (of((0..5_u8, 1..9_u16)), vec(any::<u8>(), 0..30))
}

fn entry(parts: &(Option<(u8, u16)>, Vec<u8>)) -> Entry<'_> {
    use Compression as C;
    let (batch, data) = parts;
    match *batch {
        None => Entry::Message(data),
        Some((compression, records)) => Entry::Batch(Batch {
            compression: [C::None, C::Gzip, C::Snappy, C::Lz4, C::Zstd][usize::from(compression)],
            records,
            uncompressed_octets: 99,
            data,
        }),
    }
}

proptest! {
    #[test]
    fn requests_come_back(
        which in any::<u8>(), texts in vec("[a-zé]{0,9}", 1..4), id in any::<u8>(), number: u64,
    ) {
        let request = some_request(which, &texts, id, number);
        let frame = ClientFrame::Request { correlation: number as u32, request };
        let octets = client(&frame);
        let again = ClientFrame::read(&octets[4..]);
        prop_assert_eq!(again.as_ref(), Ok(&frame));
        let command = frame.command();
        // What is cut off is found out; what may be left out is not there then.
        for end in 4..octets.len() - 4 {
            let cut = ClientFrame::read(&octets[4..4 + end]);
            let left_out = command == Command::Subscribe && cut.is_ok();
            let malformed = Err(FrameError::Malformed { command });
            prop_assert!(left_out || cut == malformed);
        }
        let longer = [&octets[4..], b"x"].concat();
        prop_assert_eq!(ClientFrame::read(&longer), Err(FrameError::Malformed { command }));
    }

    #[test]
    fn responses_come_back(
        which in any::<u8>(), texts in vec("[a-zé]{0,9}", 1..4), number: u64,
    ) {
        let response = some_response(which, &texts, number);
        let frame = ServerFrame::Response { correlation: number as u32, response };
        let octets = server(&frame);
        prop_assert_eq!(ServerFrame::read(&octets[4..]), Ok(frame));
    }

    #[test]
    fn entries_come_back_from_publish_and_from_chunks(
        parts in vec(entry_parts(), 0..8), filter in of("[a-z]{1,5}"), first_offset in 0..1000_u64,
    ) {
        let filter_value = filter.as_deref().map(str::as_bytes);
        let messages: Vec<_> = parts
            .iter()
            .map(entry)
            .filter(|entry| filter.is_none() || matches!(entry, Entry::Message(_)))
            .zip(7..)
            .map(|(entry, publishing_id)| Published { publishing_id, filter_value, entry })
            .collect();
        let (mut out, mut builder) = (Vec::new(), ChunkBuilder::new());
        Publish::write(3, &messages, &mut out);
        let Ok(ClientFrame::Publish(publish)) = ClientFrame::read(&out[4..]) else { panic!() };
        prop_assert_eq!(publish.iter().collect::<Vec<_>>(), messages.clone());
        prop_assert_eq!((publish.len(), publish.publisher), (messages.len(), 3));
        let mut offset = first_offset;
        let mut expected = Vec::new();
        for message in &messages {
            prop_assert!(builder.push(&message.entry));
            expected.push((offset, message.entry));
            offset += u64::from(message.entry.records());
        }
        out.clear();
        builder.write(first_offset, 1, &mut out);
        let chunk = Chunk::read(&out).unwrap();
        prop_assert_eq!(chunk.header.next_offset(), offset);
        prop_assert_eq!(chunk.entries().collect::<Vec<_>>(), expected);
    }
}
