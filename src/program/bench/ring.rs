//! A ring of publishes, encoded once and written over and over in big batches.

use std::ops::Range;

use super::args::BenchArgs;
use super::error::LoadError;
use super::topology::Topology;
use super::wire::{
    FRAME_BODY, FRAME_OVERHEAD_BYTES, method, put_content_header, put_frame, put_method,
    put_short_string, put_table,
};

/// Bytes of publishes that one write passes to the socket at most, unless one message is larger.
const WRITE_BYTES: usize = 128 * 1024;
/// Largest ring in bytes; only many queues with large messages come near it.
const RING_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The encoded publishes and the place from where the next write goes on.
#[derive(Debug)]
pub(super) struct Ring {
    bytes: Vec<u8>,
    messages: Vec<Encoded>,
    next: usize,
    messages_per_write: usize,
}

/// Where one publish lies in the ring.
#[derive(Debug)]
struct Encoded {
    frames: Range<usize>,
    body: usize,
}

/// Consecutive publishes, ready to be written.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    /// The frames.
    pub bytes: &'a [u8],
    /// How many messages they are.
    pub messages: u64,
}

/// The stamps of a batch, in nanoseconds: that of its first message, and how far apart they are.
///
/// Without a rate all have the time at which they are handed to the socket. With one, each has the
/// time at which it was due: if the server kept the publisher waiting, that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps {
    pub first: u64,
    pub step: f64,
}

impl Stamps {
    fn of(self, at: usize) -> u64 {
        self.first + (self.step * at as f64) as u64
    }
}

impl Ring {
    /// Encodes the publishes of one connection; `turn` is the queue that its first one goes to.
    ///
    /// The ring holds about one write's worth, and whole rounds over the queues and channels.
    pub(super) fn new(
        args: &BenchArgs,
        topology: &Topology,
        turn: usize,
        frame_max: usize,
    ) -> Result<Self, LoadError> {
        let mut ring =
            Self { bytes: Vec::new(), messages: Vec::new(), next: 0, messages_per_write: 1 };
        let queues = usize::from(args.queues);
        let channels = usize::from(args.publishing_channels());
        let round = queues.max(channels);
        while ring.bytes.len() < WRITE_BYTES || !ring.messages.len().is_multiple_of(round) {
            let channel = ring.messages.len() % channels + 1;
            ring.encode(args, topology, turn + ring.messages.len(), channel as u16, frame_max);
            if ring.bytes.len() > RING_BYTES_MAX {
                return Err(LoadError::Arguments(
                    "--size times --queues or --channels is too large".to_owned(),
                ));
            }
        }
        let message_bytes = ring.bytes.len() / ring.messages.len().max(1);
        ring.messages_per_write = (WRITE_BYTES / message_bytes.max(1)).max(1);
        Ok(ring)
    }

    fn encode(
        &mut self,
        args: &BenchArgs,
        topology: &Topology,
        turn: usize,
        channel: u16,
        frame_max: usize,
    ) {
        let out = &mut self.bytes;
        let begin = out.len();
        put_method(out, channel, method::BASIC_PUBLISH, |out| {
            out.extend_from_slice(&[0, 0]);
            put_short_string(out, topology.exchange());
            put_short_string(out, &topology.routing_key(turn));
            out.push(u8::from(args.mandatory));
        });
        let properties = encode_properties(args.persistent, &topology.headers(turn));
        put_content_header(out, channel, u64::from(args.size), &properties);
        let body = out.len() + FRAME_OVERHEAD_BYTES - 1;
        let mut left = args.size as usize;
        while left > 0 {
            let length = left.min(frame_max - FRAME_OVERHEAD_BYTES);
            put_frame(out, FRAME_BODY, channel, |out| out.resize(out.len() + length, 0));
            left -= length;
        }
        self.messages.push(Encoded { frames: begin..out.len(), body });
    }

    /// Takes the next messages, at most `limit`, and stamps the first 8 bytes of their bodies.
    pub(super) fn take(&mut self, limit: u64, stamps: Option<Stamps>) -> Batch<'_> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(self.messages_per_write);
        let end = self.next.saturating_add(limit).min(self.messages.len());
        let taken = self.messages.get(self.next..end).unwrap_or_default();
        if let Some(stamps) = stamps {
            for (at, message) in taken.iter().enumerate() {
                if let Some(body) = self.bytes.get_mut(message.body..message.body + 8) {
                    body.copy_from_slice(&stamps.of(at).to_be_bytes());
                }
            }
        }
        self.next = if end == self.messages.len() { 0 } else { end };
        let bytes = match (taken.first(), taken.last()) {
            (Some(first), Some(last)) => self.bytes.get(first.frames.start..last.frames.end),
            _ => None,
        };
        Batch { bytes: bytes.unwrap_or_default(), messages: taken.len() as u64 }
    }
}

/// Property flags and list of class basic: headers (bit 13) and delivery mode (bit 12).
fn encode_properties(persistent: bool, headers: &super::wire::Table) -> Vec<u8> {
    let headers_flag = if headers.is_empty() { 0 } else { 1 << 13 };
    let delivery_mode_flag = if persistent { 1 << 12 } else { 0 };
    let flags: u16 = headers_flag | delivery_mode_flag;
    let mut out = flags.to_be_bytes().to_vec();
    if !headers.is_empty() {
        put_table(&mut out, headers);
    }
    if persistent {
        out.push(2);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::bench::wire::{FRAME_METHOD, ReadBuffer};
    use clap::Parser;

    const ONE: Stamps = Stamps { first: 1, step: 0.0 };

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn ring(line: &str) -> Ring {
        let args = Command::try_parse_from(line.split_whitespace()).unwrap().bench;
        let topology = Topology::new(&args, 7);
        Ring::new(&args, &topology, 0, 4096).unwrap()
    }

    /// Routing keys and complete bodies of a batch.
    fn decode(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut buffer = ReadBuffer::default();
        let mut source = bytes;
        let mut messages: Vec<(String, Vec<u8>)> = Vec::new();
        while buffer.fill(&mut source).unwrap() > 0 {
            while let Some(frame) = buffer.next_frame().unwrap() {
                if let Some((method::BASIC_PUBLISH, mut fields)) = frame.method() {
                    fields.short().unwrap();
                    fields.short_string().unwrap();
                    let key = String::from_utf8(fields.short_string().unwrap().to_vec()).unwrap();
                    messages.push((key, Vec::new()));
                } else if frame.kind == FRAME_BODY {
                    messages.last_mut().unwrap().1.extend_from_slice(frame.payload);
                } else {
                    assert_ne!(frame.kind, FRAME_METHOD);
                }
            }
        }
        messages
    }

    #[test]
    fn a_batch_holds_whole_stamped_messages() {
        let mut ring = ring("bench --size 16");
        let batch = ring.take(5, Some(Stamps { first: 0x0102_0304_0506_0708, step: 0.0 }));
        assert_eq!(batch.messages, 5);
        let messages = decode(batch.bytes);
        assert_eq!(messages.len(), 5);
        for (key, body) in messages {
            assert_eq!(key, "leveret-bench-00000007-0000");
            assert_eq!(body, [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
    }

    #[test]
    fn a_large_body_is_cut_at_frame_max() {
        let mut ring = ring("bench --size 10000 --exchange-type topic --persistent");
        let batch = ring.take(1, Some(ONE));
        let messages = decode(batch.bytes);
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].0, "bench.0000.event");
        assert_eq!(messages[0].1.len(), 10_000);
        assert_eq!(messages[0].1[..8], 1_u64.to_be_bytes());
    }

    #[test]
    fn batches_go_round_and_take_all_queues_in_turn() {
        let mut ring = ring("bench --queues 3 --channels 3 --size 4000");
        let mut keys = Vec::new();
        while keys.len() < 90 {
            let batch = ring.take(7, Some(ONE));
            assert!(batch.messages > 0 && batch.messages <= 7);
            keys.extend(decode(batch.bytes).into_iter().map(|(key, _)| key));
        }
        for (turn, key) in keys.iter().enumerate() {
            assert!(key.ends_with(&format!("{:04}", turn % 3)), "{turn}: {key}");
        }
    }

    #[test]
    fn an_empty_body_has_no_body_frame() {
        let mut ring = ring("bench --size 0");
        assert_eq!(decode(ring.take(2, None).bytes).len(), 2);
    }

    #[test]
    fn with_a_rate_each_message_has_the_time_at_which_it_was_due() {
        let stamps = Stamps { first: 1_000, step: 2.5 };
        assert_eq!([0, 1, 2, 4].map(|at| stamps.of(at)), [1_000, 1_002, 1_005, 1_010]);
    }
}
