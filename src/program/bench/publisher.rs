//! One publishing connection: writes batches as the window, the rate and the share allow.

use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::args::BenchArgs;
use super::clock::{Clock, stamp_of};
use super::confirms::Confirms;
use super::connection::{
    Arrival, Connection, REPLY_TIMEOUT, Target, close_arguments, refuse_close, shut_down, write_all,
};
use super::control::{Control, Phase, Tally};
use super::error::LoadError;
use super::ring::{Ring, Stamps};
use super::topology::Topology;
use super::wire::{method, put_method};

/// A publisher that is connected and ready to start.
#[derive(Debug)]
pub(super) struct Publisher {
    inbox: Inbox,
    writer: Writer,
    confirms: bool,
    clock: Clock,
}

/// The half that writes.
#[derive(Debug)]
struct Writer {
    stream: TcpStream,
    ring: Ring,
    stamped: bool,
    /// Messages in flight without a confirm; `None` without confirms.
    window: Option<u64>,
    /// Messages per second; `None` without limit.
    rate: Option<f64>,
    /// Messages to publish in the measured span; `None` means until the run is over.
    share: Option<u64>,
    published: u64,
    clock: Clock,
}

/// The half that reads confirms, returns and closes.
#[derive(Debug)]
struct Inbox {
    connection: Connection,
    confirms: Vec<Confirms>,
    confirmed: u64,
    nacked: u64,
    returned: u64,
    closed: bool,
}

impl Publisher {
    /// Connects publisher number `index` and opens its channels.
    pub(super) fn connect(
        args: &BenchArgs,
        target: &Target,
        topology: &Topology,
        index: u16,
        clock: Clock,
    ) -> Result<Self, LoadError> {
        let mut connection = Connection::open(target, clock)?;
        for channel in 1..=args.publishing_channels() {
            connection.open_channel(channel)?;
            if args.confirm > 0 {
                let answer = method::CONFIRM_SELECT_OK;
                connection.call(channel, method::CONFIRM_SELECT, answer, |out| out.push(0))?;
            }
        }
        let writer = Writer {
            stream: connection.writer()?,
            ring: Ring::new(args, topology, usize::from(index), connection.frame_max())?,
            stamped: args.measures_latency(),
            window: (args.confirm > 0).then_some(u64::from(args.confirm)),
            rate: (args.rate > 0).then(|| args.rate as f64 / f64::from(args.publishers)),
            share: args.share(index),
            published: 0,
            clock,
        };
        let channels = args.publishing_channels();
        let confirms = (0..channels).map(|_| Confirms::new(args.confirm)).collect();
        let inbox =
            Inbox { connection, confirms, confirmed: 0, nacked: 0, returned: 0, closed: false };
        Ok(Self { inbox, writer, confirms: args.confirm > 0, clock })
    }

    /// Publishes until the share is published or the run is over, then closes the connection.
    pub(super) fn run(self, control: &Control, tally: &Tally) -> Result<(), LoadError> {
        let result = if self.confirms {
            self.run_by_turns(control, tally)
        } else {
            self.run_freely(control, tally)
        };
        control.publisher_done();
        result
    }

    /// With confirms one thread writes and reads by turns: it has nothing to write anyway before
    /// the next confirm, and no second thread must be woken.
    fn run_by_turns(mut self, control: &Control, tally: &Tally) -> Result<(), LoadError> {
        let (writer, inbox) = (&mut self.writer, &mut self.inbox);
        let result = writer.publish(control, tally, Some(inbox)).and_then(|()| {
            let settled_in_time = writer.share.is_some();
            while settled_in_time
                && inbox.settled() < writer.published
                && control.phase() != Phase::Over
            {
                inbox.receive(tally)?;
            }
            Ok(())
        });
        match result {
            // Behind a broken pipe there may still be the server's reason for it.
            Err(error) if error.is_broken_connection() => loop {
                match self.inbox.receive(tally) {
                    Ok(Arrival::Bytes(_)) => {}
                    Ok(Arrival::Silence) => return Err(error),
                    Err(cause) if cause.is_broken_connection() => return Err(error),
                    Err(cause) => return Err(cause),
                }
            },
            Err(error) => Err(error),
            Ok(()) => self.inbox.connection.close(),
        }
    }

    /// Without confirms a second thread listens, mostly asleep, for what the server may say.
    fn run_freely(self, control: &Control, tally: &Tally) -> Result<(), LoadError> {
        let Self { mut inbox, mut writer, clock, .. } = self;
        let reader = inbox.connection.writer()?;
        thread::scope(|scope| {
            let listener = scope.spawn(|| {
                let result = inbox.listen(tally);
                // Wakes the writer, which may wait for room in the socket.
                shut_down(&reader);
                result
            });
            let mut close = Vec::new();
            put_method(&mut close, 0, method::CONNECTION_CLOSE, close_arguments);
            let written = writer
                .publish(control, tally, None)
                .and_then(|()| write_all(&mut writer.stream, &close));
            let deadline = clock.elapsed() + REPLY_TIMEOUT;
            while written.is_ok() && !listener.is_finished() && clock.elapsed() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            shut_down(&writer.stream);
            match (written, listener.join()) {
                (_, Ok(Err(error))) if !error.is_broken_connection() => Err(error),
                (written, Ok(_)) => written,
                (_, Err(_)) => Err(LoadError::Thread("a listener panicked".to_owned())),
            }
        })
    }
}

impl Writer {
    /// Writes batches until the share is published or the run is over.
    fn publish(
        &mut self,
        control: &Control,
        tally: &Tally,
        mut inbox: Option<&mut Inbox>,
    ) -> Result<(), LoadError> {
        let begin = self.clock.elapsed();
        // What was published when the measured span began.
        let mut warmed_up = None;
        loop {
            match control.phase() {
                Phase::Warmup => {}
                Phase::Measured => _ = warmed_up.get_or_insert(self.published),
                Phase::Over => return Ok(()),
            }
            let mut limit = u64::MAX;
            if let (Some(share), Some(warmed_up)) = (self.share, warmed_up) {
                limit = share.saturating_sub(self.published - warmed_up);
                if limit == 0 {
                    return Ok(());
                }
            }
            if let (Some(window), Some(inbox)) = (self.window, inbox.as_deref_mut()) {
                let in_flight = self.published.saturating_sub(inbox.settled());
                limit = limit.min(window.saturating_sub(in_flight));
                if limit == 0 {
                    inbox.receive(tally)?;
                    continue;
                }
            }
            if let Some(rate) = self.rate {
                let due = (rate * (self.clock.elapsed() - begin).as_secs_f64()) as u64;
                limit = limit.min(due.saturating_sub(self.published));
                if limit == 0 {
                    self.wait_for_turn(rate, begin);
                    if let Some(inbox) = inbox.as_deref_mut() {
                        inbox.receive_ready(tally)?;
                    }
                    continue;
                }
            }
            let stamps = self.stamped.then(|| self.stamps(begin));
            let batch = self.ring.take(limit, stamps);
            write_all(&mut self.stream, batch.bytes)?;
            self.published += batch.messages;
            tally.published.store(self.published, Ordering::Release);
        }
    }

    fn stamps(&self, begin: Duration) -> Stamps {
        let Some(rate) = self.rate else { return Stamps { first: self.clock.stamp(), step: 0.0 } };
        let due = begin + Duration::from_secs_f64((self.published + 1) as f64 / rate);
        Stamps { first: stamp_of(due), step: 1e9 / rate }
    }

    /// Sleeps until the next message is due, at most as long as a read would wait.
    fn wait_for_turn(&self, rate: f64, begin: Duration) {
        let due = Duration::from_secs_f64((self.published + 1) as f64 / rate);
        let wait = (begin + due).saturating_sub(self.clock.elapsed());
        thread::sleep(wait.min(Duration::from_millis(100)));
    }
}

impl Inbox {
    /// Messages that are confirmed or refused.
    fn settled(&self) -> u64 {
        self.confirmed + self.nacked
    }

    /// Reads until the server has answered the close.
    fn listen(&mut self, tally: &Tally) -> Result<(), LoadError> {
        while !self.closed {
            self.receive(tally)?;
        }
        Ok(())
    }

    /// Waits a little while for the server and takes in what it sent.
    fn receive(&mut self, tally: &Tally) -> Result<Arrival, LoadError> {
        let arrival = self.connection.receive()?;
        self.take_in(tally)?;
        Ok(arrival)
    }

    /// Takes in what the server has sent, without any wait.
    fn receive_ready(&mut self, tally: &Tally) -> Result<Arrival, LoadError> {
        let arrival = self.connection.receive_ready()?;
        self.take_in(tally)?;
        Ok(arrival)
    }

    fn take_in(&mut self, tally: &Tally) -> Result<(), LoadError> {
        while let Some(frame) = self.connection.incoming.next_frame()? {
            let Some((id, mut fields)) = frame.method() else { continue };
            match id {
                method::BASIC_ACK | method::BASIC_NACK => {
                    let (tag, flags) = (fields.long_long()?, fields.octet()?);
                    let channel = usize::from(frame.channel).wrapping_sub(1);
                    let Some(confirms) = self.confirms.get_mut(channel) else { continue };
                    let settled = confirms.settle(tag, flags & 1 == 1);
                    if id == method::BASIC_ACK {
                        self.confirmed += settled;
                    } else {
                        self.nacked += settled;
                    }
                }
                method::BASIC_RETURN => self.returned += 1,
                method::CONNECTION_CLOSE_OK => self.closed = true,
                _ => refuse_close(&frame)?,
            }
        }
        tally.confirmed.store(self.confirmed, Ordering::Release);
        tally.nacked.store(self.nacked, Ordering::Release);
        tally.returned.store(self.returned, Ordering::Release);
        Ok(())
    }
}
