//! The task of one connection: moves octets between a socket and the protocol machine, and chunks
//! from logs to the socket.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use leveret_protocol::Output;
use leveret_stream_protocol::{Connection as Protocol, ConnectionConfig, ResponseCode};
use tokio::io::ReadBuf;

use crate::error::Error;
use crate::gateway::connection_timer::ConnectionTimer;
use crate::gateway::line::Turns;
use crate::gateway::lookout::Lookout;
use crate::gateway::newcomer::{Newcomer, Start};
use crate::gateway::read_chunk;
use crate::gateway::socket::Socket;
use crate::gateway::stream::client::{Answer, Client};
use crate::gateway::stream::codes::response_code;
use crate::gateway::stream::inbox::{Inbox, sleeper};
use crate::gateway::stream::{Advertised, named};
use crate::gateway::unfinished::{Kept, TOO_MUCH};
use crate::limits::{OUTBOX_FULL_BYTES, UNFINISHED_BYTES_FREE};
use crate::node::status::ConnectionState;
use crate::time::clock::Clock;

/// Pieces that one write call takes.
const SLICES: usize = 64;

/// Serves one connection until it ends.
pub(in crate::gateway) struct ConnectionTask<T> {
    socket: T,
    protocol: Protocol,
    client: Client,
    inbox: Arc<Inbox>,
    clock: Clock,
    output: Output,
    timer: ConnectionTimer,
    /// When the task was woken, by its clock, in milliseconds.
    now_ms: u64,
    newcomer: Newcomer,
    /// What the client asked for is not durable yet: it is not read, and this is what it is told
    /// then. What came after it is in `held_back`, which is empty but then.
    unstored: Option<Vec<u8>>,
    held_back: Vec<u8>,
    /// That, and the frame that has come in part, as it is counted.
    kept: Kept,
    lookout: Lookout,
    /// An alarm, or the disk, holds this publisher back.
    is_slowed: bool,
    /// A fault has cut the connection: what waits may still be written.
    is_cut: bool,
    /// Where it stands among connections that move much.
    turns: Turns,
    _alive: Arc<()>,
}

impl<T: Socket> ConnectionTask<T> {
    /// A connection on a socket that was just accepted.
    pub(crate) fn new(socket: T, advertised: Advertised, start: Start<ConnectionConfig>) -> Self {
        let Start { broker, config, clock, peer, unfinished, line, alive } = start;
        let inbox = Arc::new(Inbox::default());
        let now_ms = clock.now().as_millis();
        let timer = ConnectionTimer::new(&clock, broker.timers());
        let newcomer = Newcomer::new(unfinished, &clock, &broker.limits, now_ms);
        let (kept, lookout) = (Kept::new(broker.memory()), Lookout::new(&clock));
        let turns = Turns::new(line, &clock);
        let config = named(config, &broker.cluster_name());
        let client = Client::new(broker, Arc::clone(&inbox), peer, advertised);
        Self {
            socket,
            protocol: Protocol::new(config, now_ms),
            client,
            inbox,
            clock,
            output: Output::new(),
            timer,
            now_ms,
            newcomer,
            unstored: None,
            held_back: Vec::new(),
            kept,
            lookout,
            is_slowed: false,
            is_cut: false,
            turns,
            _alive: alive,
        }
    }

    /// Works until nothing more can be done; tells whether the connection is over.
    fn work(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        loop {
            if !self.is_cut && !self.take_news() {
                return Ok(true);
            }
            self.write(cx)?;
            if self.protocol.is_finished() || self.is_cut {
                // What could not be written by now never will be.
                return Ok(true);
            }
            let delivered = self.deliver();
            if self.meet_end() {
                continue;
            }
            if self.unstored.is_none() && !self.held_back.is_empty() {
                let input = std::mem::take(&mut self.held_back);
                self.take_input(&input);
                continue;
            }
            if !self.is_holding_back() {
                match self.read(cx)? {
                    Poll::Pending => {}
                    Poll::Ready(0) => return Ok(true),
                    Poll::Ready(_) if self.turns.is_over() => return Ok(false),
                    Poll::Ready(_) => continue,
                }
            }
            if !delivered || self.turns.is_over() {
                return Ok(false);
            }
        }
    }

    fn deliver(&mut self) -> bool {
        let version = self.protocol.deliver_version();
        self.client.deliver(&mut self.output, version)
    }

    /// Ends the connection if a fault wants that; tells whether it does.
    fn meet_end(&mut self) -> bool {
        let Some(error) = self.client.ended_by.take() else { return false };
        tracing::info!("a stream connection meets a fault: {error}");
        self.take_replies();
        self.client.finish_batch();
        self.client.close();
        match error {
            Error::Fault { code, text, .. } => self.protocol.close(response_code(code), &text),
            _ => self.is_cut = true,
        }
        self.take_replies();
        true
    }

    /// Whether the client is not read: an alarm is on, the disk does not keep up, what it asked
    /// for or too much of what it published is not safe yet, or it does not read what it asked for.
    fn is_holding_back(&self) -> bool {
        self.is_slowed
            || self.unstored.is_some()
            || self.inbox.is_stopped()
            || self.client.publishers.is_full()
            || self.output.len() > OUTBOX_FULL_BYTES
    }

    /// Writes as much of what waits as goes.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.output.io_slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let Poll::Ready(written) =
                Pin::new(&mut self.socket).poll_write_vectored(cx, slices)?
            else {
                return Ok(());
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.output.advance(written);
            self.protocol.output_sent(self.now_ms);
            self.inbox.traffic.count_sent(written);
            self.turns.count(written);
        }
        // An idle connection has no buffer.
        self.output = Output::new();
        // TLS keeps what a slow client does not take; it goes on when it can be written again.
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    /// Reads a chunk and takes everything in it; tells how many octets came.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        read_chunk::with(self.client.broker.memory().is_alarmed(), |chunk| {
            let mut buffer = ReadBuf::new(chunk);
            if Pin::new(&mut self.socket).poll_read(cx, &mut buffer)?.is_pending() {
                return Ok(Poll::Pending);
            }
            let input = buffer.filled();
            self.newcomer.has_spoken();
            self.inbox.traffic.count_received(input.len());
            self.turns.count(input.len());
            self.protocol.input_arrived(self.now_ms);
            self.take_input(input);
            Ok(Poll::Ready(input.len()))
        })
    }

    fn take_input(&mut self, input: &[u8]) {
        let mut at = 0;
        loop {
            let (used, event) = self.protocol.poll_event(input.get(at..).unwrap_or_default());
            at += used;
            let answer = event.map_or(Answer::None, |event| self.client.handle(event));
            if self.meet_end() {
                return;
            }
            self.tell(answer);
            if self.client.must_wait_for_store() {
                self.unstored = Some(std::mem::take(&mut self.client.out));
                self.held_back = input.get(at..).unwrap_or_default().to_vec();
            }
            self.take_replies();
            if used == 0 || self.unstored.is_some() {
                break;
            }
        }
        self.client.finish_batch();
        self.after_input();
    }

    fn tell(&mut self, answer: Answer) {
        match answer {
            Answer::None => {}
            Answer::AcceptLogin => self.protocol.accept_login(),
            Answer::RefuseLogin(code) => self.protocol.refuse_login(code),
            Answer::AcceptOpen => {
                let Advertised { host, port } = &self.client.advertised;
                self.protocol.accept_open(host, *port);
            }
            Answer::RefuseOpen => self.protocol.refuse_open(),
        }
    }

    /// What is to be sent joins what waits: first what the protocol machine says.
    fn take_replies(&mut self) {
        for replies in [self.protocol.transmit(), &mut self.client.out] {
            self.output.octets(replies);
            replies.clear();
        }
    }

    fn after_input(&mut self) {
        if self.client.is_open() {
            self.newcomer.is_settled();
            self.kept.set(self.protocol.unfinished_octets() + self.held_back.len());
        }
        self.client.publishers.look();
        self.slow_down();
    }

    /// Holds a publisher back while there is reason to.
    fn slow_down(&mut self) {
        let broker = &self.client.broker;
        let is_large = self.protocol.unfinished_octets() > UNFINISHED_BYTES_FREE;
        // Who is told to go is heard.
        let is_running = self.protocol.is_running();
        let publishes = is_running && (!self.client.publishers.is_empty() || is_large);
        let has_alarm = publishes && broker.alarm().is_some();
        self.is_slowed = has_alarm || publishes && broker.is_behind();
        self.inbox.traffic.set_state(match (has_alarm, self.is_slowed) {
            (true, _) => ConnectionState::Blocked,
            (false, true) => ConnectionState::Flow,
            (false, false) => ConnectionState::Running,
        });
        if self.is_slowed {
            broker.wake_when_calmer(&sleeper(&self.inbox));
        }
    }

    /// Goes if what it has sent in part is too much.
    fn make_room(&mut self) {
        if !self.protocol.is_running() || !self.kept.has_to_go(self.now_ms) {
            return;
        }
        self.client.warn(TOO_MUCH);
        self.client.close();
        self.protocol.close(ResponseCode::InternalError, TOO_MUCH);
        self.kept.close(self.protocol.unfinished_octets());
        self.is_slowed = false;
        self.take_replies();
    }

    /// Does what others have asked for; false if the connection is lost.
    fn take_news(&mut self) -> bool {
        let mut news = self.inbox.take();
        if news.is_lost {
            return false;
        }
        if let Some(is_durable) = news.stored {
            let answer = self.unstored.take().unwrap_or_default();
            if is_durable {
                self.output.octets(&answer);
            } else {
                // What was asked for was done and may be lost: the client is not told that it is.
                self.protocol.close(ResponseCode::InternalError, "the disk fails");
            }
        }
        self.client.take_news(&mut news, &mut self.protocol);
        self.client.publishers.look();
        self.client.look_after_streams();
        if let Some((code, reason)) = news.close {
            self.client.close();
            self.protocol.close(code, &reason);
        }
        self.take_replies();
        true
    }

    /// When something is due, in milliseconds.
    fn next_deadline(&self) -> Option<u64> {
        let is_looked_after = self.is_holding_back() || self.kept.is_counted();
        let look_ms = self.lookout.next_ms(is_looked_after, self.now_ms);
        let own = Some(self.newcomer.silent_until_ms().min(look_ms));
        let own = own.filter(|&until_ms| until_ms != u64::MAX);
        self.protocol.poll_timeout().into_iter().chain(own).min()
    }

    /// Whether there is nobody to serve any more.
    fn is_deserted(&mut self, cx: &Context<'_>) -> bool {
        let is_held_back = self.is_holding_back();
        if self.lookout.has_to_ask(is_held_back && self.output.is_empty(), self.now_ms) {
            self.protocol.probe();
            self.take_replies();
        }
        self.newcomer.has_to_go(cx.waker(), self.now_ms)
            || (is_held_back && self.socket.has_hung_up())
    }

    /// Does what is due, and sleeps until something else will be.
    fn keep_time(&mut self, cx: &mut Context<'_>) {
        let now = self.now_ms;
        if self.is_holding_back() {
            // Nobody can be told to be silent who is not listened to.
            self.protocol.input_arrived(now);
        }
        if !self.output.is_empty() {
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
            if self.protocol.is_finished() || !self.output.is_empty() {
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
        task.now_ms = task.clock.now().as_millis();
        task.inbox.set_waker(cx.waker());
        if task.is_slowed {
            task.slow_down();
        }
        task.make_room();
        let worked = if task.is_deserted(cx) { Ok(true) } else { task.work(cx) };
        match worked {
            Ok(false) => {
                task.keep_time(cx);
                task.turns.end(task.turns.is_over(), cx);
                return Poll::Pending;
            }
            Ok(true) => {
                // Best effort: the peer may be gone.
                let _ = Pin::new(&mut task.socket).poll_shutdown(cx);
            }
            Err(error) => tracing::debug!("connection lost: {error}"),
        }
        task.turns.leave();
        task.client.close();
        Poll::Ready(())
    }
}
