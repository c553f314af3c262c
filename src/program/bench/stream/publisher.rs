//! One publishing connection of the stream protocol: a frame of many messages at a time.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use leveret_stream_protocol::{Entry, Publish, Published, Request, ServerFrame};

use super::StreamConnection;
use crate::program::bench::args::{BenchArgs, STREAM_WINDOW};
use crate::program::bench::clock::{Clock, stamp_of};
use crate::program::bench::connection::Target;
use crate::program::bench::control::{Control, Phase, Tally};
use crate::program::bench::error::LoadError;
use crate::program::bench::topology::Topology;

/// Id of the publisher.
const PUBLISHER: u8 = 1;
/// A section of AMQP 1.0 with octets of a 32-bit length.
const DATA: [u8; 4] = [0x00, 0x53, 0x75, 0xb0];
/// Octets of a message in a Publish frame before its body: publishing id, length, [`DATA`], length.
const FRONT_OCTETS: usize = 8 + 4 + DATA.len() + 4;

/// A publisher that is connected and ready to start.
#[derive(Debug)]
pub(crate) struct StreamPublisher {
    connection: StreamConnection,
    frame: Frame,
    size: usize,
    batch: u64,
    stamped: bool,
    /// Messages in flight without a confirm.
    window: u64,
    /// Messages per second; `None` without limit.
    rate: Option<f64>,
    /// Messages to publish in the measured span; `None` means until the run is over.
    share: Option<u64>,
    published: u64,
    confirmed: u64,
    refused: u64,
    clock: Clock,
}

/// A Publish frame that is written over and over: without a name the publisher may use the same
/// publishing ids again.
#[derive(Debug, Default)]
struct Frame {
    octets: Vec<u8>,
    messages: u64,
    size: usize,
}

impl Frame {
    fn new(messages: u64, size: usize) -> Self {
        let body = [&DATA[..], &(size as u32).to_be_bytes(), &vec![0; size]].concat();
        let entry = Entry::Message(&body);
        let published = (0..messages).map(|publishing_id| Published {
            publishing_id,
            filter_value: None,
            entry,
        });
        let mut octets = Vec::new();
        Publish::write(PUBLISHER, &published.collect::<Vec<_>>(), &mut octets);
        Self { octets, messages, size }
    }

    /// Writes a stamp to the front of each body.
    fn stamp(&mut self, stamp: u64) {
        let each = FRONT_OCTETS + self.size;
        let front = self.octets.len() - each * self.messages as usize;
        let messages = self.octets.get_mut(front..).unwrap_or_default();
        for message in messages.chunks_exact_mut(each) {
            if let Some(place) = message.get_mut(FRONT_OCTETS..FRONT_OCTETS + 8) {
                place.copy_from_slice(&stamp.to_be_bytes());
            }
        }
    }
}

impl StreamPublisher {
    /// Connects publisher number `index`, and declares it for one of the streams.
    pub(crate) fn connect(
        args: &BenchArgs,
        target: &Target,
        topology: &Topology,
        index: u16,
        clock: Clock,
    ) -> Result<Self, LoadError> {
        let mut connection = StreamConnection::open(target, clock)?;
        let stream = topology.queue(usize::from(index));
        connection.call(Request::DeclarePublisher {
            publisher: PUBLISHER,
            reference: "",
            stream,
        })?;
        let window = if args.confirm > 0 { args.confirm } else { STREAM_WINDOW };
        Ok(Self {
            connection,
            frame: Frame::default(),
            size: args.size as usize,
            batch: u64::from(args.batch).min(u64::from(window)),
            stamped: args.measures_latency(),
            window: u64::from(window),
            rate: (args.rate > 0).then(|| args.rate as f64 / f64::from(args.publishers)),
            share: args.share(index),
            published: 0,
            confirmed: 0,
            refused: 0,
            clock,
        })
    }

    /// Publishes until the share is published and confirmed or the run is over.
    pub(crate) fn run(mut self, control: &Control, tally: &Tally) -> Result<(), LoadError> {
        let result = self.publish(control, tally).and_then(|()| self.settle(control, tally));
        control.publisher_done();
        result?;
        self.connection.close()
    }

    /// Waits for the rest of the confirms, if all messages are to arrive.
    fn settle(&mut self, control: &Control, tally: &Tally) -> Result<(), LoadError> {
        while self.share.is_some() && self.in_flight() > 0 && control.phase() != Phase::Over {
            self.connection.receive()?;
            self.take_in(tally)?;
        }
        Ok(())
    }

    fn in_flight(&self) -> u64 {
        self.published.saturating_sub(self.confirmed + self.refused)
    }

    fn publish(&mut self, control: &Control, tally: &Tally) -> Result<(), LoadError> {
        let begin = self.clock.elapsed();
        let mut warmed_up = None;
        loop {
            match control.phase() {
                Phase::Warmup => {}
                Phase::Measured => _ = warmed_up.get_or_insert(self.published),
                Phase::Over => return Ok(()),
            }
            let mut count = self.batch;
            if let (Some(share), Some(warmed_up)) = (self.share, warmed_up) {
                count = count.min(share.saturating_sub(self.published - warmed_up));
                if count == 0 {
                    return Ok(());
                }
            }
            if self.in_flight() + count > self.window {
                self.connection.receive()?;
                self.take_in(tally)?;
                continue;
            }
            let mut due_at = None;
            if let Some(rate) = self.rate {
                let due = Duration::from_secs_f64((self.published + count) as f64 / rate);
                let wait = (begin + due).saturating_sub(self.clock.elapsed());
                if !wait.is_zero() {
                    thread::sleep(wait.min(Duration::from_millis(100)));
                    self.connection.receive_ready()?;
                    self.take_in(tally)?;
                    continue;
                }
                due_at = Some(begin + due);
            }
            self.write(count, due_at)?;
            tally.published.store(self.published, Ordering::Release);
        }
    }

    /// Writes a frame, whose messages bear the time at which the last of them was due, or the
    /// present one.
    fn write(&mut self, count: u64, due_at: Option<Duration>) -> Result<(), LoadError> {
        if self.frame.messages != count {
            self.frame = Frame::new(count, self.size);
        }
        if self.stamped {
            self.frame.stamp(due_at.map_or_else(|| self.clock.stamp(), stamp_of));
        }
        self.connection.send(&self.frame.octets)?;
        self.published += count;
        Ok(())
    }

    /// Counts what the server has confirmed or refused.
    fn take_in(&mut self, tally: &Tally) -> Result<(), LoadError> {
        while let Some(frame) = self.connection.next_frame()? {
            match frame {
                ServerFrame::PublishConfirm { publishing_ids, .. } => {
                    self.confirmed += publishing_ids.len() as u64;
                }
                ServerFrame::PublishError { errors, .. } => self.refused += errors.len() as u64,
                _ => {}
            }
        }
        tally.confirmed.store(self.confirmed, Ordering::Release);
        tally.nacked.store(self.refused, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use leveret_stream_protocol::ClientFrame;

    use super::*;

    #[test]
    fn each_message_of_a_frame_is_stamped() {
        let mut frame = Frame::new(3, 10);
        frame.stamp(7);
        let Ok(ClientFrame::Publish(publish)) = ClientFrame::read(&frame.octets[4..]) else {
            panic!("{:?}", frame.octets)
        };
        assert_eq!((publish.publisher, publish.len()), (PUBLISHER, 3));
        for published in publish.iter() {
            let Entry::Message(octets) = published.entry else { panic!("a batch") };
            let expected = [&DATA[..], &[0, 0, 0, 10], &7_u64.to_be_bytes(), &[0, 0]].concat();
            assert_eq!(octets, expected);
        }
    }
}
