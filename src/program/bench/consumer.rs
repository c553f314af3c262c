//! One consuming connection: counts deliveries, measures their latency, acknowledges them.

use std::sync::atomic::Ordering;

use hdrhistogram::Histogram;

use super::args::BenchArgs;
use super::clock::Clock;
use super::connection::{Arrival, Connection, Target, refuse_close};
use super::control::{Control, Phase, Tally};
use super::error::LoadError;
use super::topology::Topology;
use super::wire::{
    FRAME_BODY, FRAME_HEADER, FRAME_METHOD, Fields, Frame, TableValue, WireError, method,
    put_method, put_short_string, put_table,
};

/// Of the deliveries that one read brought, about so many are measured: all of them at low
/// rates, a sample at high rates.
const SAMPLES_PER_READ: usize = 64;
/// Roughly what a delivery takes on the wire besides its body, in bytes.
const DELIVERY_OVERHEAD_BYTES: usize = 64;

/// A consumer that is connected and subscribed.
#[derive(Debug)]
pub(super) struct Consumer {
    connection: Connection,
    deliveries: Deliveries,
    clock: Clock,
}

/// Puts deliveries together from their frames.
#[derive(Debug)]
struct Deliveries {
    channels: Vec<Delivery>,
    ack: bool,
    /// Pending acknowledgements that make one be sent at once; 0 means never.
    ack_every: u64,
    consumed: u64,
    /// Channels with pending acknowledgements.
    pending: Vec<u16>,
    /// Acknowledgements to be written, encoded.
    acks: Vec<u8>,
    latency: Option<Latency>,
}

/// The delivery that a channel is in the middle of, and its pending acknowledgements.
#[derive(Debug, Clone, Default)]
struct Delivery {
    delivery_tag: u64,
    /// Tag of the last delivery that is complete; a later one may have begun in the same read.
    complete_tag: u64,
    body_left: u64,
    body_begun: bool,
    pending: u64,
}

/// Samples latencies into a histogram of nanoseconds.
#[derive(Debug)]
pub(super) struct Latency {
    pub(super) histogram: Histogram<u64>,
    /// When the last read returned; `None` outside the measured span.
    pub(super) now: Option<u64>,
    bytes_per_sample: usize,
    bytes_since_sample: usize,
}

impl Consumer {
    /// Connects consumer number `index` and subscribes each of its channels to a queue.
    pub(super) fn connect(
        args: &BenchArgs,
        target: &Target,
        topology: &Topology,
        index: u16,
        clock: Clock,
    ) -> Result<Self, LoadError> {
        let mut connection = Connection::open(target, clock)?;
        let latency = if args.measures_latency() { Some(Latency::new()?) } else { None };
        let deliveries = Deliveries {
            channels: vec![Delivery::default(); usize::from(args.channels)],
            ack: args.ack,
            ack_every: args.ack_every,
            consumed: 0,
            pending: Vec::new(),
            acks: Vec::new(),
            latency,
        };
        let first = usize::from(index) * usize::from(args.channels);
        for channel in 1..=args.channels {
            connection.open_channel(channel)?;
            let queue = topology.queue(first + usize::from(channel) - 1);
            subscribe(&mut connection, channel, queue, args)?;
        }
        Ok(Self { connection, deliveries, clock })
    }

    /// Consumes until the run is over; returns the latencies in nanoseconds.
    pub(super) fn run(
        self,
        control: &Control,
        tally: &Tally,
    ) -> Result<Option<Histogram<u64>>, LoadError> {
        let Self { mut connection, mut deliveries, clock } = self;
        loop {
            let phase = control.phase();
            if phase == Phase::Over {
                break;
            }
            let Arrival::Bytes(count) = connection.receive()? else { continue };
            if let Some(latency) = &mut deliveries.latency {
                latency.now = (phase == Phase::Measured).then(|| clock.stamp());
                latency.bytes_per_sample = count / SAMPLES_PER_READ;
            }
            while let Some(frame) = connection.incoming.next_frame()? {
                deliveries.take_in(&frame)?;
            }
            deliveries.acknowledge_all();
            if !deliveries.acks.is_empty() {
                connection.send(&deliveries.acks)?;
                deliveries.acks.clear();
            }
            tally.consumed.store(deliveries.consumed, Ordering::Release);
        }
        connection.close()?;
        Ok(deliveries.latency.map(|latency| latency.histogram))
    }
}

/// Makes a channel consume from a queue.
pub(super) fn subscribe(
    connection: &mut Connection,
    channel: u16,
    queue: &str,
    args: &BenchArgs,
) -> Result<(), LoadError> {
    if args.prefetch > 0 {
        connection.call(channel, method::BASIC_QOS, method::BASIC_QOS_OK, |out| {
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&args.prefetch.to_be_bytes());
            out.push(0);
        })?;
    }
    connection.call(channel, method::BASIC_CONSUME, method::BASIC_CONSUME_OK, |out| {
        out.extend_from_slice(&[0, 0]);
        put_short_string(out, queue);
        put_short_string(out, "bench");
        out.push(if args.ack { 0 } else { 2 });
        let first = args.replay.then(|| ("x-stream-offset".to_owned(), first_offset()));
        put_table(out, first.as_slice());
    })
}

impl Deliveries {
    fn take_in(&mut self, frame: &Frame<'_>) -> Result<(), LoadError> {
        let index = usize::from(frame.channel).wrapping_sub(1);
        let Some(delivery) = self.channels.get_mut(index) else {
            return refuse_close(frame);
        };
        match frame.kind {
            FRAME_METHOD => match frame.method() {
                Some((method::BASIC_DELIVER, mut fields)) => {
                    fields.short_string()?;
                    delivery.delivery_tag = fields.long_long()?;
                }
                _ => refuse_close(frame)?,
            },
            FRAME_HEADER => {
                delivery.body_left = body_size(frame.payload)?;
                delivery.body_begun = false;
                if delivery.body_left == 0 {
                    self.complete(index, frame.channel);
                }
            }
            FRAME_BODY => {
                if !delivery.body_begun {
                    delivery.body_begun = true;
                    if let Some(latency) = &mut self.latency {
                        latency.sample(frame.payload);
                    }
                }
                delivery.body_left = delivery.body_left.saturating_sub(frame.payload.len() as u64);
                if delivery.body_left == 0 {
                    self.complete(index, frame.channel);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn complete(&mut self, index: usize, channel: u16) {
        self.consumed += 1;
        if !self.ack {
            return;
        }
        let Some(delivery) = self.channels.get_mut(index) else { return };
        delivery.complete_tag = delivery.delivery_tag;
        if delivery.pending == 0 {
            self.pending.push(channel);
        }
        delivery.pending += 1;
        if self.ack_every > 0 && delivery.pending >= self.ack_every {
            delivery.acknowledge(channel, &mut self.acks);
        }
    }

    /// Acknowledges what is pending on any channel.
    fn acknowledge_all(&mut self) {
        for channel in self.pending.drain(..) {
            if let Some(delivery) = self.channels.get_mut(usize::from(channel) - 1) {
                delivery.acknowledge(channel, &mut self.acks);
            }
        }
    }
}

impl Delivery {
    fn acknowledge(&mut self, channel: u16, acks: &mut Vec<u8>) {
        if self.pending > 0 {
            put_method(acks, channel, method::BASIC_ACK, |out| {
                out.extend_from_slice(&self.complete_tag.to_be_bytes());
                out.push(u8::from(self.pending > 1));
            });
            self.pending = 0;
        }
    }
}

impl Latency {
    pub(super) fn new() -> Result<Self, LoadError> {
        // From a nanosecond to an hour, with three significant digits.
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3)
            .map_err(|error| LoadError::Arguments(error.to_string()))?;
        Ok(Self { histogram, now: None, bytes_per_sample: 0, bytes_since_sample: 0 })
    }

    /// Records the latency of a message by the stamp at the begin of its body, if it is its turn.
    pub(super) fn sample(&mut self, body: &[u8]) {
        let Some(now) = self.now else { return };
        self.bytes_since_sample += body.len() + DELIVERY_OVERHEAD_BYTES;
        if self.bytes_since_sample < self.bytes_per_sample {
            return;
        }
        self.bytes_since_sample = 0;
        if let Ok(stamp) = Fields(body).long_long()
            && stamp != 0
            && stamp <= now
        {
            self.histogram.saturating_record(now - stamp);
        }
    }
}

/// Where a replay begins.
fn first_offset() -> TableValue {
    TableValue::Text("first".into())
}

/// Body size in a content header: behind class and weight. \[amqp 0-9-1 4.2.6.1\]
fn body_size(content_header: &[u8]) -> Result<u64, WireError> {
    let mut fields = Fields(content_header);
    fields.long()?;
    fields.long_long()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::bench::wire::{
        FRAME_OVERHEAD_BYTES, ReadBuffer, put_content_header, put_frame,
    };

    fn deliveries(ack_every: u64) -> Deliveries {
        Deliveries {
            channels: vec![Delivery::default(); 2],
            ack: true,
            ack_every,
            consumed: 0,
            pending: Vec::new(),
            acks: Vec::new(),
            latency: Some(Latency::new().unwrap()),
        }
    }

    fn take_in_messages(deliveries: &mut Deliveries, bodies: &[&[&[u8]]]) {
        take_in_bytes(deliveries, &encode(bodies));
    }

    /// Messages by the payloads of their body frames, with delivery tags from 1.
    fn encode(bodies: &[&[&[u8]]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tag, body) in (1_u64..).zip(bodies) {
            put_method(&mut bytes, 2, method::BASIC_DELIVER, |out| {
                put_short_string(out, "bench");
                out.extend_from_slice(&tag.to_be_bytes());
            });
            let size = body.iter().map(|part| part.len() as u64).sum();
            put_content_header(&mut bytes, 2, size, &[0, 0]);
            for part in *body {
                put_frame(&mut bytes, FRAME_BODY, 2, |out| out.extend_from_slice(part));
            }
        }
        bytes
    }

    fn take_in_bytes(deliveries: &mut Deliveries, mut bytes: &[u8]) {
        let mut buffer = ReadBuffer::default();
        buffer.fill(&mut bytes).unwrap();
        while let Some(frame) = buffer.next_frame().unwrap() {
            deliveries.take_in(&frame).unwrap();
        }
    }

    /// Delivery tag and multiple of the pending acks.
    fn acks(deliveries: &Deliveries) -> Vec<(u64, u8)> {
        let mut buffer = ReadBuffer::default();
        buffer.fill(&mut deliveries.acks.as_slice()).unwrap();
        let mut acks = Vec::new();
        while let Some(frame) = buffer.next_frame().unwrap() {
            let (id, mut fields) = frame.method().unwrap();
            assert_eq!((id, frame.channel), (method::BASIC_ACK, 2));
            acks.push((fields.long_long().unwrap(), fields.octet().unwrap()));
        }
        acks
    }

    #[test]
    fn a_message_counts_once_whatever_its_number_of_body_frames() {
        let mut deliveries = deliveries(0);
        take_in_messages(&mut deliveries, &[&[b"one"], &[], &[b"two", b"parts"]]);
        assert_eq!(deliveries.consumed, 3);
        assert!(acks(&deliveries).is_empty());
        deliveries.acknowledge_all();
        assert_eq!(acks(&deliveries), [(3, 1)]);
    }

    #[test]
    fn acks_are_sent_every_so_many_messages_and_for_the_rest() {
        let mut deliveries = deliveries(2);
        take_in_messages(&mut deliveries, &[[b"a".as_slice()].as_slice(); 5]);
        deliveries.acknowledge_all();
        assert_eq!(acks(&deliveries), [(2, 1), (4, 1), (5, 0)]);
    }

    #[test]
    fn a_delivery_that_has_only_begun_is_not_acknowledged() {
        let mut deliveries = deliveries(0);
        let bytes = encode(&[&[b"first"], &[b"second"]]);
        let (read, rest) = bytes.split_at(bytes.len() - b"second".len() - FRAME_OVERHEAD_BYTES);
        take_in_bytes(&mut deliveries, read);
        deliveries.acknowledge_all();
        take_in_bytes(&mut deliveries, rest);
        deliveries.acknowledge_all();
        assert_eq!(acks(&deliveries), [(1, 0), (2, 0)]);
    }

    #[test]
    fn latency_runs_from_the_stamp_in_the_first_body_frame() {
        let mut deliveries = deliveries(0);
        deliveries.latency.as_mut().unwrap().now = Some(3_000);
        let stamp = 1_000_u64.to_be_bytes();
        let later = 4_000_u64.to_be_bytes();
        take_in_messages(&mut deliveries, &[&[&stamp, &later], &[&[0; 8]], &[&later], &[b"short"]]);
        let histogram = deliveries.latency.unwrap().histogram;
        assert_eq!((histogram.len(), histogram.max() / 10), (1, 200));
    }
}
