//! The task of one AMQP connection: moves octets between a socket and the protocol machine.
//!
//! It reads much, takes every frame that is there, and writes once: one wake-up and one system
//! call for a batch, not for a message. An idle connection holds no buffers.

mod holding_back;

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use leveret_protocol::{Connection as Protocol, ConnectionConfig, Event, Output, reply_code};
use tokio::io::ReadBuf;

use crate::error::Error;
use crate::gateway::amqp::bridge::{Answer, Bridge, Failure};
use crate::gateway::amqp::outbox::{Outbox, Stored};
use crate::gateway::amqp::pace::Paced;
use crate::gateway::amqp::spare_buffers;
use crate::gateway::amqp::speaker::Speaker;
use crate::gateway::connection_timer::ConnectionTimer;
use crate::gateway::line::Turns;
use crate::gateway::listener::named;
use crate::gateway::lookout::Lookout;
use crate::gateway::newcomer::{Newcomer, Start};
use crate::gateway::read_chunk;
use crate::gateway::socket::Socket;
use crate::gateway::unfinished::{Kept, TOO_MUCH};
use crate::limits::{TURN_BYTES, UNFINISHED_BYTES_FREE};
use crate::node::Node;
use crate::time::clock::Clock;

/// Microseconds that it works before it lets others work, whatever it has read by then.
const TURN_US: u64 = 2_000;

/// After so many publishes, acknowledgements or other methods it looks how long it has worked.
const TURN_LOOK: usize = 16;

/// Pieces that one write call takes.
const SLICES: usize = 64;

/// Serves one connection until it ends.
pub(crate) struct ConnectionTask<T> {
    socket: T,
    protocol: Protocol,
    bridge: Bridge,
    outbox: Arc<Outbox>,
    broker: Arc<Node>,
    clock: Clock,
    /// Taken from the outbox, partly written.
    writing: Output,
    timer: ConnectionTimer,
    /// When the task was woken, by its clock, in milliseconds. What came before was read by then.
    now_ms: u64,
    /// The same in microseconds.
    woken_us: u64,
    newcomer: Newcomer,
    /// Input that waits until the client reads the answers to what came before. Empty but then.
    held_back: Vec<u8>,
    /// That, and what has come in part, as it is counted.
    kept: Kept,
    lookout: Lookout,
    /// An alarm holds this publisher back, and it was told.
    blocked: bool,
    /// The disk holds this publisher back, for a moment.
    slowed: bool,
    /// The queue whose consumers this publisher waits for.
    pace: Option<Paced>,
    /// When it looks again at the latest, in milliseconds.
    pace_until_ms: u64,
    /// When this publisher is told what was confirmed.
    speaker: Speaker,
    /// It has had its turn, and lets others work.
    is_over: bool,
    /// It has more to do all the same.
    goes_on: bool,
    /// Where it stands among connections that move much.
    turns: Turns,
    _alive: Arc<()>,
}

impl<T: Socket> ConnectionTask<T> {
    /// A connection on a socket that was just accepted.
    pub(crate) fn new(socket: T, start: Start<ConnectionConfig>) -> Self {
        let Start { broker, config, clock, peer, unfinished, line, alive } = start;
        let replies_max = broker.limits.unread_replies_bytes_max;
        let outbox = Outbox::new(broker.memory(), replies_max);
        let now_ms = clock.now().as_millis();
        let newcomer = Newcomer::new(unfinished, &clock, &broker.limits, now_ms);
        let protocol = Protocol::new(named(config, &broker.cluster_name()), now_ms);
        let timer = ConnectionTimer::new(&clock, broker.timers());
        let (kept, lookout) = (Kept::new(broker.memory()), Lookout::new(&clock));
        let turns = Turns::new(line, &clock);
        Self {
            socket,
            protocol,
            bridge: Bridge::new(Arc::clone(&broker), Arc::clone(&outbox), peer),
            outbox,
            broker,
            clock,
            writing: Output::new(),
            timer,
            now_ms,
            woken_us: now_ms * 1000,
            newcomer,
            held_back: Vec::new(),
            kept,
            lookout,
            blocked: false,
            slowed: false,
            pace: None,
            pace_until_ms: u64::MAX,
            speaker: Speaker::default(),
            is_over: false,
            goes_on: false,
            turns,
            _alive: alive,
        }
    }

    /// Works until nothing more can be done; tells whether the connection is over.
    fn work(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        loop {
            match self.outbox.take_stored() {
                Stored::Waiting => return Ok(false),
                Stored::Nothing => {}
                Stored::Done => continue,
                Stored::Failed => self.fail_to_store(),
            }
            self.write(cx)?;
            if self.protocol.is_finished() || self.bridge.is_lost {
                // What could not be written by now never will be.
                return Ok(true);
            }
            if self.outbox.take_turned_away() {
                self.bridge.resume_consumers();
                continue;
            }
            if self.is_holding_back() {
                return Ok(false);
            }
            if self.is_over {
                // Others may have waited for this thread; what frees consumers is among them.
                self.goes_on = true;
                return Ok(false);
            }
            if !self.held_back.is_empty() {
                let input = std::mem::take(&mut self.held_back);
                self.take_input(&input);
                continue;
            }
            match self.read(cx)? {
                Poll::Pending => {
                    let had_the_floor = self.speaker.has_finished(&self.broker.floor, self.now_ms);
                    if !had_the_floor || self.outbox.waiting() == 0 {
                        return Ok(false);
                    }
                }
                Poll::Ready(0) => {
                    self.speaker.tell(&self.broker.floor, self.now_ms);
                    self.write(cx)?;
                    return Ok(true);
                }
                Poll::Ready(octets) => self.is_over |= octets >= TURN_BYTES,
            }
        }
    }

    /// Writes as much of what waits as goes.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if self.writing.is_empty() {
                spare_buffers::give_back(std::mem::take(&mut self.writing));
                if self.outbox.waiting() == 0 || !self.may_tell() {
                    return self.flush(cx);
                }
                self.writing = self.outbox.take();
                self.bridge.spoil(&mut self.writing);
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.writing.io_slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let socket = Pin::new(&mut self.socket);
            // One piece is what the system takes most easily.
            let Poll::Ready(written) = (match slices {
                [octets] => socket.poll_write(cx, octets)?,
                _ => socket.poll_write_vectored(cx, slices)?,
            }) else {
                return Ok(());
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.writing.advance(written);
            self.outbox.note_writing(self.writing.len());
            self.outbox.traffic.count_sent(written);
            self.turns.count(written);
            self.protocol.output_sent(self.now_ms);
        }
    }

    /// Has the socket pass on what it keeps, as TLS does when the client reads slowly. Goes on when
    /// it can be written to again.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    /// Reads a chunk and takes everything in it; tells how many octets came.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        read_chunk::with(self.broker.memory().is_alarmed(), |chunk| {
            let chunk_bytes = chunk.len();
            let mut buffer = ReadBuf::new(chunk);
            if Pin::new(&mut self.socket).poll_read(cx, &mut buffer)?.is_pending() {
                return Ok(Poll::Pending);
            }
            let input = buffer.filled();
            self.newcomer.has_spoken();
            self.outbox.traffic.count_received(input.len());
            self.turns.count(input.len());
            self.protocol.input_arrived(self.now_ms);
            let octets = input.len();
            self.take_input(input);
            if octets < chunk_bytes {
                self.speaker.has_finished(&self.broker.floor, self.now_ms);
            }
            Ok(Poll::Ready(octets))
        })
    }

    fn take_input(&mut self, input: &[u8]) {
        let mut at = 0;
        self.protocol.announce_publishes(self.broker.alarm().is_some());
        self.protocol.join_acks(!self.bridge.watches_methods());
        let (mut done, mut next_look) = (0, TURN_LOOK);
        loop {
            let (used, event) = self.protocol.poll_event(input.get(at..).unwrap_or_default());
            at += used;
            let Some(event) = event else { break };
            if let Event::PublishBegun { .. } = event {
                if self.block() {
                    self.held_back = input.get(at..).unwrap_or_default().to_vec();
                    break;
                }
                continue;
            }
            let (mut publish, mut methods) = (None, 1);
            match &event {
                Event::Publish(it) if it.number != 0 => publish = Some((it.channel, it.number)),
                Event::Ack { delivery_tags: tags, .. } => {
                    methods += (tags.end() - tags.start()) as usize
                }
                _ => {}
            }
            match self.bridge.handle(event) {
                Ok(Answer::None) => {
                    if let Some(publish) = publish {
                        let rest = input.get(at..).unwrap_or_default();
                        let (octets, publishes) = self.take_alike(publish, rest);
                        at += octets;
                        methods += publishes;
                    }
                }
                Ok(answer) => self.answer(answer),
                Err(failure) => failure.report(&mut self.protocol, &mut self.bridge),
            }
            self.take_replies();
            if self.bridge.is_lost {
                return;
            }
            done += methods;
            if done >= next_look {
                next_look = done + TURN_LOOK;
                self.is_over |= self.has_had_its_turn();
            }
            if self.outbox.is_stopped() || self.is_over || self.outbox.is_full() {
                self.held_back = input.get(at..).unwrap_or_default().to_vec();
                break;
            }
        }
        self.take_replies();
        self.bridge.finish_batch();
        // What came together becomes durable together: nothing is written before.
        self.bridge.wait_for_store();
        self.after_input(at);
    }

    /// Takes publishes like the last one, of this channel and number: how many octets, and how many
    /// publishes.
    #[inline]
    fn take_alike(&mut self, publish: (u16, u64), input: &[u8]) -> (usize, usize) {
        let mut alike = self.protocol.publishes_alike(publish.1, input);
        if !alike.begins() {
            return (0, 0);
        }
        let count = self.bridge.publish_alike(publish, &mut alike);
        (alike.used(), count)
    }

    /// Whether it has worked for as long as others are to wait for it.
    fn has_had_its_turn(&self) -> bool {
        self.clock.now().as_micros() >= self.woken_us + TURN_US
    }

    fn answer(&mut self, answer: Answer) {
        answer.give(&mut self.protocol);
        let cancel_notify = self.protocol.client_capabilities().consumer_cancel_notify;
        self.outbox.set_agreement(self.protocol.frame_max(), cancel_notify);
    }

    /// The protocol machine's own replies join the others.
    #[inline]
    fn take_replies(&mut self) {
        let replies = self.protocol.transmit();
        if !replies.is_empty() {
            self.outbox.write(|output, _| output.append(replies));
        }
    }

    fn after_input(&mut self, octets: usize) {
        if self.bridge.is_open() {
            self.newcomer.is_settled();
        }
        let unfinished = self.protocol.unfinished_octets();
        self.kept.set(unfinished);
        let has_published = std::mem::take(&mut self.bridge.has_published);
        if has_published && matches!(self.clock, Clock::System(_)) {
            self.speaker.hear(octets);
        }
        let publishes = has_published || unfinished > UNFINISHED_BYTES_FREE;
        if let Some(queue) = self.bridge.take_behind() {
            self.wait_for_consumers(queue);
        }
        if publishes && !self.blocked && self.protocol.is_running() && !self.block() {
            self.slowed = self.broker.is_behind();
            if self.slowed {
                self.wake_when_calmer();
            }
        }
        // What waits for the end of an alarm must not be what keeps it on, and what waits for the
        // next turn is gone in a moment.
        if !self.blocked && !self.is_over {
            self.kept.set(unfinished + self.held_back.len());
        }
    }

    /// What the client asked for was done and is not durable: it is not told that it is.
    fn fail_to_store(&mut self) {
        spare_buffers::give_back(self.outbox.take());
        self.outbox.note_writing(self.writing.len());
        let error = Error::Storage("the disk fails".into());
        let failure = Failure { channel: 0, error, method: (0, 0) };
        failure.report(&mut self.protocol, &mut self.bridge);
        self.take_replies();
    }

    /// Does what others asked for while the task slept.
    fn take_requests(&mut self) {
        for (channel, error) in self.outbox.take_failures() {
            let failure = Failure { channel, error, method: (0, 0) };
            failure.report(&mut self.protocol, &mut self.bridge);
            self.take_replies();
            self.bridge.finish_batch();
        }
        if let Some(reason) = self.outbox.take_close_reason() {
            self.close(reply_code::CONNECTION_FORCED, &format!("CONNECTION_FORCED - {reason}"));
        }
        self.look_at_consumers();
        self.speaker.look(&self.broker.floor, self.now_ms);
        self.slowed &= self.broker.is_behind();
        if self.blocked && self.broker.alarm().is_none() {
            self.blocked = false;
            self.protocol.unblocked();
            self.take_replies();
        }
        if self.protocol.is_running() && self.kept.has_to_go(self.now_ms) {
            self.bridge.warn(TOO_MUCH);
            self.close(reply_code::RESOURCE_ERROR, &format!("RESOURCE_ERROR - {TOO_MUCH}"));
        }
        self.tell_state();
        if self.blocked || self.slowed {
            self.wake_when_calmer();
        }
    }

    /// Ends the connection and tells the client why.
    fn close(&mut self, code: u16, text: &str) {
        self.bridge.close();
        self.protocol.close_connection(code, text, 0, 0);
        self.kept.close(self.protocol.unfinished_octets());
        self.blocked = false;
        self.pace = None;
        self.take_replies();
    }

    /// When something is due, in milliseconds.
    fn next_deadline(&self) -> Option<u64> {
        let is_looked_after = self.is_holding_back() || self.kept.is_counted();
        let look_ms = self.lookout.next_ms(is_looked_after, self.now_ms);
        let own = self
            .pace_until_ms
            .min(self.speaker.until_ms())
            .min(self.newcomer.silent_until_ms())
            .min(look_ms);
        let own = Some(own).filter(|&until_ms| until_ms != u64::MAX);
        self.protocol.poll_timeout().into_iter().chain(own).min()
    }

    /// Whether there is nobody to serve: the client is gone although it was not read to its end,
    /// has to make room for others, or has said nothing for too long.
    fn is_deserted(&mut self, cx: &Context<'_>) -> bool {
        let is_held_back = self.is_holding_back();
        let is_quiet = self.writing.is_empty() && self.outbox.waiting() == 0;
        if self.lookout.has_to_ask(is_held_back && is_quiet, self.now_ms) {
            self.protocol.probe();
            self.take_replies();
        }
        self.newcomer.has_to_go(cx.waker(), self.now_ms)
            || (is_held_back && self.socket.has_hung_up())
    }

    /// Gives everything back.
    fn end(&mut self) {
        self.turns.leave();
        self.kept.set(0);
        self.speaker.leave(&self.broker.floor, self.now_ms);
        self.bridge.close();
    }

    /// Does what is due, and sleeps until something else will be.
    fn keep_time(&mut self, cx: &mut Context<'_>) {
        let now = self.now_ms;
        if self.is_holding_back() {
            // Nobody can be told to be silent who is not listened to.
            self.protocol.input_arrived(now);
        }
        if !self.writing.is_empty() {
            // More is on its way than a heartbeat would say.
            self.protocol.output_sent(now);
        }
        while let Some(deadline) = self.next_deadline() {
            if deadline > now {
                if self.timer.poll(cx, now, deadline).is_ready() {
                    // Meanwhile it is due; but first what has come by then is read.
                    cx.waker().wake_by_ref();
                }
                return;
            }
            self.protocol.handle_timeout(now);
            self.take_replies();
            if self.protocol.is_finished() || self.outbox.waiting() > 0 {
                cx.waker().wake_by_ref();
                return;
            }
        }
        self.timer.cancel();
    }
}

impl<T: Socket> Future for ConnectionTask<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = &mut *self;
        if !task.turns.begin(cx) {
            return Poll::Pending;
        }
        task.woken_us = task.clock.now().as_micros();
        task.now_ms = task.woken_us / 1000;
        task.outbox.begin_work(cx.waker());
        (task.is_over, task.goes_on) = (false, false);
        task.take_requests();
        let worked = if task.is_deserted(cx) { Ok(true) } else { task.work(cx) };
        match worked {
            Ok(false) => {
                task.tell_state();
                task.keep_time(cx);
                task.turns.end(task.goes_on, cx);
                Poll::Pending
            }
            Ok(true) => {
                // Best effort: the peer may be gone.
                let _ = Pin::new(&mut task.socket).poll_shutdown(cx);
                task.end();
                Poll::Ready(())
            }
            Err(error) => {
                tracing::debug!("connection lost: {error}");
                task.end();
                Poll::Ready(())
            }
        }
    }
}
