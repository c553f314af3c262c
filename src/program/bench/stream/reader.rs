//! One reading connection of the stream protocol: counts the messages of chunks, and gives credit
//! for as many chunks as came.

use std::sync::atomic::Ordering;

use hdrhistogram::Histogram;
use leveret_stream_protocol::{ChunkHeader, ClientFrame, OffsetSpec, Request, ServerFrame};

use super::StreamConnection;
use crate::program::bench::args::BenchArgs;
use crate::program::bench::clock::Clock;
use crate::program::bench::connection::{Arrival, Target};
use crate::program::bench::consumer::Latency;
use crate::program::bench::control::{Control, Phase, Tally};
use crate::program::bench::error::LoadError;
use crate::program::bench::topology::Topology;

/// Id of the subscription.
const SUBSCRIPTION: u8 = 1;
/// Octets of a chunk before the body of its first message, if that is as publishers here write it:
/// the header, the message's length, and the front of its data section.
const FRONT_OCTETS: usize = ChunkHeader::OCTETS + 4 + 8;

/// A reader that is connected and subscribed.
#[derive(Debug)]
pub(crate) struct StreamReader {
    connection: StreamConnection,
    latency: Option<Latency>,
    consumed: u64,
    clock: Clock,
}

impl StreamReader {
    /// Connects reader number `index`, and subscribes it to one of the streams.
    pub(crate) fn connect(
        args: &BenchArgs,
        target: &Target,
        topology: &Topology,
        index: u16,
        clock: Clock,
    ) -> Result<Self, LoadError> {
        let mut connection = StreamConnection::open(target, clock)?;
        connection.call(Request::Subscribe {
            subscription: SUBSCRIPTION,
            stream: topology.queue(usize::from(index)),
            offset: if args.replay { OffsetSpec::First } else { OffsetSpec::Next },
            credit: args.credit,
            properties: None,
        })?;
        let latency = if args.measures_latency() { Some(Latency::new()?) } else { None };
        Ok(Self { connection, latency, consumed: 0, clock })
    }

    /// Reads until the run is over; returns the latencies in nanoseconds.
    pub(crate) fn run(
        mut self,
        control: &Control,
        tally: &Tally,
    ) -> Result<Option<Histogram<u64>>, LoadError> {
        let mut credit = Vec::new();
        loop {
            let phase = control.phase();
            if phase == Phase::Over {
                break;
            }
            // What came with the answer to the request is looked at first.
            let chunks = self.take_in(phase)?;
            if chunks > 0 {
                credit.clear();
                let subscription = SUBSCRIPTION;
                ClientFrame::Credit { subscription, credit: chunks }.write(&mut credit);
                self.connection.send(&credit)?;
            }
            tally.consumed.store(self.consumed, Ordering::Release);
            while let Arrival::Silence = self.connection.receive()? {
                if control.phase() == Phase::Over {
                    break;
                }
            }
        }
        self.connection.close()?;
        Ok(self.latency.map(|latency| latency.histogram))
    }

    /// Counts what has come; tells how many chunks that were.
    fn take_in(&mut self, phase: Phase) -> Result<i16, LoadError> {
        let mut chunks = 0;
        if let Some(latency) = &mut self.latency {
            latency.now = (phase == Phase::Measured).then(|| self.clock.stamp());
        }
        while let Some(frame) = self.connection.next_frame()? {
            let ServerFrame::Deliver { chunk, .. } = frame else { continue };
            let Some(header) = ChunkHeader::read(chunk) else {
                return Err(LoadError::StreamFrame("this is no chunk".into()));
            };
            chunks += 1;
            self.consumed += u64::from(header.records);
            if let (Some(latency), Some(body)) = (&mut self.latency, chunk.get(FRONT_OCTETS..)) {
                latency.sample(body);
            }
        }
        Ok(chunks)
    }
}
