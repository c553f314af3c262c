//! One direction of an in-memory stream: octets in order, a bound, and two ends that hear of each
//! other's end.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker, ready};

use tokio::task::coop::poll_proceed;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::limits::{STREAM_BUFFER_BYTES, STREAM_KEPT_BYTES};

#[derive(Default)]
struct State {
    octets: VecDeque<u8>,
    /// The writer is done.
    ended: bool,
    /// Nobody will read any more.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Octets on their way from one end to the other.
#[derive(Default)]
pub(super) struct Pipe {
    state: Mutex<State, rank::Pipe>,
}

impl Pipe {
    /// Whether nobody will read any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.state.lock().abandoned
    }

    /// Gives up to `room` octets to `put`, in one piece or two; returns how many. 0 is the end,
    /// unless `room` is 0.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        mut put: impl FnMut(&[u8]),
    ) -> Poll<usize> {
        // A task that always finds something lets others have their turn.
        let turn = ready!(poll_proceed(cx));
        let mut state = self.state.lock();
        if state.octets.is_empty() && !state.ended && room > 0 {
            if state.octets.capacity() > STREAM_KEPT_BYTES {
                state.octets = VecDeque::new();
            }
            note(&mut state.reader, cx.waker());
            return Poll::Pending;
        }
        let taken = room.min(state.octets.len());
        let (front, back) = state.octets.as_slices();
        let first = front.get(..taken).unwrap_or(front);
        put(first);
        put(back.get(..taken - first.len()).unwrap_or_default());
        state.octets.drain(..taken);
        // A writer that waited gets room that is worth being woken for.
        let has_room = state.octets.len() <= STREAM_BUFFER_BYTES / 2;
        let writer = if has_room { state.writer.take() } else { None };
        drop(state);
        turn.made_progress();
        wake(writer);
        Poll::Ready(taken)
    }

    /// Takes as much from the pieces as there is room for; returns how much.
    ///
    /// # Errors
    /// `BrokenPipe` when nobody reads, or the pipe was ended.
    pub(super) fn poll_write<'a>(
        &self,
        cx: &mut Context<'_>,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        let turn = ready!(poll_proceed(cx));
        let mut state = self.state.lock();
        if state.abandoned || state.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let before = state.octets.len();
        if before >= STREAM_BUFFER_BYTES {
            note(&mut state.writer, cx.waker());
            return Poll::Pending;
        }
        for piece in pieces {
            let room = STREAM_BUFFER_BYTES - state.octets.len();
            state.octets.extend(piece.get(..room).unwrap_or(piece));
            if piece.len() >= room {
                break;
            }
        }
        let written = state.octets.len() - before;
        let reader = if written > 0 { state.reader.take() } else { None };
        drop(state);
        turn.made_progress();
        wake(reader);
        Poll::Ready(Ok(written))
    }

    /// The writer is done: the reader gets what is there, and then the end.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        let waiting = (state.reader.take(), state.writer.take());
        drop(state);
        wake(waiting.0);
        wake(waiting.1);
    }

    /// The reader is gone, and with it what it has not read.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.octets = VecDeque::new();
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }
}

fn note(known: &mut Option<Waker>, waker: &Waker) {
    if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
        *known = Some(waker.clone());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
