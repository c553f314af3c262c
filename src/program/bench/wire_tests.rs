//! The frame walker against every way a stream can be cut, and against `amq-protocol`.

use std::io::{self, Read};

use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic, connection};

use super::wire::*;

/// Gives out its bytes in reads of at most `step`.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.step.min(buffer.len());
        let (mut now, later) = self.bytes.split_at(length.min(self.bytes.len()));
        self.bytes = later;
        now.read(buffer)
    }
}

fn stream() -> Vec<u8> {
    let mut out = Vec::new();
    put_method(&mut out, 1, method::BASIC_DELIVER, |out| {
        put_short_string(out, "tag");
        out.extend_from_slice(&9_u64.to_be_bytes());
        out.push(0);
        put_short_string(out, "");
        put_short_string(out, "queue");
    });
    put_content_header(&mut out, 1, 11, &[0, 0]);
    put_frame(&mut out, FRAME_BODY, 1, |out| out.extend_from_slice(b"hello world"));
    put_frame(&mut out, 8, 0, |_| ());
    put_frame(&mut out, FRAME_BODY, 2, |out| out.extend_from_slice(&[FRAME_END; 300]));
    out
}

fn walk(mut source: impl Read) -> Vec<(u8, u16, Vec<u8>)> {
    let mut buffer = ReadBuffer::default();
    let mut frames = Vec::new();
    while buffer.fill(&mut source).unwrap() > 0 {
        while let Some(frame) = buffer.next_frame().unwrap() {
            frames.push((frame.kind, frame.channel, frame.payload.to_vec()));
        }
    }
    frames
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    let bytes = stream();
    let whole = walk(bytes.as_slice());
    assert_eq!(whole.len(), 5);
    assert_eq!(whole[2], (FRAME_BODY, 1, b"hello world".to_vec()));
    assert_eq!(whole[4], (FRAME_BODY, 2, vec![FRAME_END; 300]));
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(walk(head.chain(tail)), whole, "cut at {cut}");
    }
    for step in 1..bytes.len() {
        assert_eq!(walk(Trickle { bytes: &bytes, step }), whole, "steps of {step}");
    }
}

#[test]
fn a_frame_as_large_as_the_buffer_fits_and_a_larger_one_is_refused() {
    let largest = READ_BUFFER_BYTES - FRAME_OVERHEAD_BYTES;
    let mut out = stream();
    put_frame(&mut out, FRAME_BODY, 1, |out| out.resize(out.len() + largest, 7));
    assert_eq!(walk(Trickle { bytes: &out, step: 1000 }).len(), 6);
    let header = [FRAME_BODY, 0, 1, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(split_frame(&header), Err(WireError::FrameTooLarge(0xffff_ffff)));
    let foreign = split_frame(b"HTTP/1.1 400 Bad Request").unwrap_err();
    let text = "it does not speak AMQP 0-9-1 there, but says \"HTTP\"";
    assert_eq!(foreign.to_string(), text);
}

#[test]
fn a_wrong_end_octet_is_refused() {
    let mut out = Vec::new();
    put_frame(&mut out, FRAME_BODY, 1, |out| out.push(0));
    *out.last_mut().unwrap() = 0;
    assert_eq!(split_frame(&out), Err(WireError::FrameEnd(0)));
}

#[test]
fn truncated_fields_are_errors() {
    assert_eq!(Fields(&[0]).short(), Err(WireError::Truncated));
    assert_eq!(Fields(&[5, b'a']).short_string(), Err(WireError::Truncated));
    let mut fields = Fields(&[1, b'a', 2]);
    assert_eq!(fields.short_string(), Ok(b"a".as_slice()));
    assert_eq!(fields.octet(), Ok(2));
    assert_eq!(fields.long_long(), Err(WireError::Truncated));
}

#[test]
fn a_short_string_is_cut_at_255_bytes() {
    let mut out = Vec::new();
    put_short_string(&mut out, &"x".repeat(300));
    assert_eq!(Fields(&out).short_string().unwrap().len(), 255);
    assert_eq!(out.len(), 256);
}

#[test]
fn amq_protocol_reads_what_is_written() {
    let bytes = stream();
    let (rest, frame) = parse_frame(bytes.as_slice()).unwrap();
    let AMQPFrame::Method(1, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))) = frame else {
        panic!("{frame:?}");
    };
    assert_eq!((deliver.delivery_tag, deliver.routing_key.as_str()), (9, "queue"));
    let (rest, frame) = parse_frame(rest).unwrap();
    let AMQPFrame::Header(1, header) = frame else { panic!("{frame:?}") };
    assert_eq!(header.body_size, 11);
    let (_, frame) = parse_frame(rest).unwrap();
    assert_eq!(frame, AMQPFrame::Body(1, b"hello world".to_vec()));
}

#[test]
fn amq_protocol_reads_the_tables() {
    let nested = vec![("flag".to_owned(), TableValue::Boolean(true))];
    let table = vec![
        ("text".to_owned(), TableValue::Text("value".to_owned())),
        ("number".to_owned(), TableValue::Integer(-5)),
        ("inner".to_owned(), TableValue::Table(nested)),
    ];
    let mut out = Vec::new();
    put_method(&mut out, 0, method::CONNECTION_START_OK, |out| {
        put_table(out, &table);
        put_short_string(out, "PLAIN");
        put_long_string(out, b"\0guest\0guest");
        put_short_string(out, "en_US");
    });
    let (_, frame) = parse_frame(out.as_slice()).unwrap();
    let AMQPFrame::Method(0, AMQPClass::Connection(connection::AMQPMethod::StartOk(start_ok))) =
        frame
    else {
        panic!("{frame:?}");
    };
    let fields = start_ok.client_properties.inner();
    assert_eq!(fields.len(), 3);
    let number = fields.get("number").unwrap();
    assert_eq!(*number, amq_protocol::types::AMQPValue::LongLongInt(-5));
    assert_eq!(start_ok.mechanism.as_str(), "PLAIN");
}
