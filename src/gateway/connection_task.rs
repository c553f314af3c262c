//! The task of one AMQP connection: moves octets between a socket and the protocol machine.
//!
//! It reads much, takes every frame that is there, and writes once: one wake-up and one system
//! call for a batch, not for a message. An idle connection holds no buffers.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use leveret_protocol::{Connection as Protocol, ConnectionConfig, Output};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::broker::Inner;
use crate::clock::Clock;
use crate::gateway::bridge::{Answer, Bridge};
use crate::gateway::outbox::Outbox;
use crate::limits::{OUTBOX_HIGH_BYTES, READ_CHUNK_BYTES};

thread_local! {
    /// Octets fresh from a socket. What is not used at once the protocol machine keeps.
    static CHUNK: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_CHUNK_BYTES]);
}

/// Pieces that one write call takes.
const SLICES: usize = 64;

/// What a connection task starts with.
pub struct Start {
    pub broker: Arc<Inner>,
    pub config: Arc<ConnectionConfig>,
    /// Real time: heartbeats are between machines, whatever clock the broker runs on.
    pub clock: Clock,
    pub peer: String,
    pub peer_is_loopback: bool,
    /// Given back when the handshake is over.
    pub unfinished: OwnedSemaphorePermit,
}

/// Serves one connection until it ends.
pub struct ConnectionTask<T> {
    socket: T,
    protocol: Protocol,
    bridge: Bridge,
    outbox: Arc<Outbox>,
    broker: Arc<Inner>,
    clock: Clock,
    /// Taken from the outbox, partly written.
    writing: Output,
    sleep: Pin<Box<Sleep>>,
    wake_at: u64,
    unfinished: Option<OwnedSemaphorePermit>,
    /// The memory alarm holds this publisher back.
    blocked: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> ConnectionTask<T> {
    /// A connection on a socket that was just accepted.
    pub fn new(socket: T, start: Start) -> Self {
        let Start { broker, config, clock, peer, peer_is_loopback, unfinished } = start;
        let outbox = Outbox::new();
        let protocol = Protocol::new(config, clock.now().as_millis());
        Self {
            socket,
            protocol,
            bridge: Bridge::new(Arc::clone(&broker), Arc::clone(&outbox), peer, peer_is_loopback),
            outbox,
            broker,
            clock,
            writing: Output::new(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            wake_at: 0,
            unfinished: Some(unfinished),
            blocked: false,
        }
    }

    /// Works until nothing more can be done; tells whether the connection is over.
    fn work(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        loop {
            let drained = self.write(cx)?;
            if self.protocol.is_finished() {
                return Ok(drained);
            }
            if self.outbox.take_turned_away() {
                self.bridge.resume_consumers();
                continue;
            }
            // Whoever does not read what it asked for is not read either.
            if self.blocked || self.outbox.waiting() > 2 * OUTBOX_HIGH_BYTES {
                return Ok(false);
            }
            match self.read(cx)? {
                Poll::Pending => return Ok(false),
                Poll::Ready(0) => return Ok(true),
                Poll::Ready(_) => {}
            }
        }
    }

    /// Writes what waits; tells whether all of it went.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        loop {
            if self.writing.is_empty() {
                if self.outbox.waiting() == 0 {
                    self.writing.shrink();
                    return Ok(true);
                }
                self.writing = self.outbox.take(std::mem::take(&mut self.writing));
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.writing.io_slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let Poll::Ready(written) =
                Pin::new(&mut self.socket).poll_write_vectored(cx, slices)?
            else {
                return Ok(false);
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.writing.advance(written);
            self.protocol.output_sent(self.clock.now().as_millis());
        }
    }

    /// Reads a chunk and takes everything in it; tells how many octets came.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        CHUNK.with_borrow_mut(|chunk| {
            let mut buffer = ReadBuf::new(chunk);
            if Pin::new(&mut self.socket).poll_read(cx, &mut buffer)?.is_pending() {
                return Ok(Poll::Pending);
            }
            let input = buffer.filled();
            self.protocol.input_arrived(self.clock.now().as_millis());
            self.take_input(input);
            Ok(Poll::Ready(input.len()))
        })
    }

    fn take_input(&mut self, input: &[u8]) {
        let mut at = 0;
        loop {
            let (used, event) = self.protocol.poll_event(input.get(at..).unwrap_or_default());
            at += used;
            let Some(event) = event else { break };
            match self.bridge.handle(event) {
                Ok(Answer::None) => {}
                Ok(answer) => self.answer(answer),
                Err(failure) => failure.report(&mut self.protocol, &mut self.bridge),
            }
            self.take_replies();
        }
        self.take_replies();
        self.bridge.finish_batch();
        self.after_input();
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

    fn after_input(&mut self) {
        if self.unfinished.is_some() && self.bridge.is_open() {
            self.unfinished = None;
        }
        if self.bridge.has_published {
            self.bridge.has_published = false;
            let memory = Arc::clone(self.broker.memory());
            if memory.is_alarmed() && !self.blocked {
                self.blocked = true;
                self.protocol.blocked("low on memory");
                self.take_replies();
                memory.wake_when_over(Arc::clone(&self.outbox) as _);
            }
        }
    }

    /// Does what others asked for while the task slept.
    fn take_requests(&mut self) {
        if let Some(reason) = self.outbox.take_close_reason() {
            let text = format!("CONNECTION_FORCED - {reason}");
            self.bridge.close();
            self.protocol.close_connection(320, &text, 0, 0);
            self.blocked = false;
            self.take_replies();
        }
        if self.blocked && !self.broker.memory().is_alarmed() {
            self.blocked = false;
            self.protocol.unblocked();
            self.take_replies();
        }
    }

    /// Does what is due, and sleeps until something else will be.
    fn keep_time(&mut self, cx: &mut Context<'_>) {
        loop {
            let now = self.clock.now().as_millis();
            let Some(deadline) = self.protocol.poll_timeout() else { return };
            if deadline <= now {
                self.protocol.handle_timeout(now);
                self.take_replies();
                if self.protocol.is_finished() || self.outbox.waiting() > 0 {
                    cx.waker().wake_by_ref();
                    return;
                }
                continue;
            }
            // The deadline moves on with all traffic: the sleep only follows when it ends.
            if self.wake_at > now && self.wake_at <= deadline {
                let _ = self.sleep.as_mut().poll(cx);
                return;
            }
            self.wake_at = deadline;
            let wake_in = Duration::from_millis(deadline - now);
            self.sleep.as_mut().reset(from_now(wake_in));
            if self.sleep.as_mut().poll(cx).is_pending() {
                return;
            }
            self.wake_at = 0;
        }
    }
}

#[allow(clippy::disallowed_methods)] // the runtime's own timer, which only takes its own time
fn from_now(duration: Duration) -> Instant {
    Instant::now() + duration
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for ConnectionTask<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = &mut *self;
        task.outbox.begin_work(cx.waker());
        task.take_requests();
        match task.work(cx) {
            Ok(false) => {
                task.keep_time(cx);
                Poll::Pending
            }
            Ok(true) => {
                // Best effort: the peer may be gone.
                let _ = Pin::new(&mut task.socket).poll_shutdown(cx);
                task.bridge.close();
                Poll::Ready(())
            }
            Err(error) => {
                tracing::debug!("connection lost: {error}");
                task.bridge.close();
                Poll::Ready(())
            }
        }
    }
}
