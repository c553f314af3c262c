//! Reading a stream: as an iterator over what is there, or waiting for more.

use std::borrow::BorrowMut;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use leveret_storage::{Start, Stream as Log};

use crate::base::blocking::wait_here;
use crate::broker::stream::news::News;
use crate::error::{Error, Result};
use crate::limits::STREAM_READ_MESSAGES;
use crate::message::Message;
use crate::queue::Queue;
use crate::queue::stream::cursor::{Cursor, Read};
use crate::queue::stream::filter::Filter;
use crate::time::clock::{Timestamp, instant};

/// Where in a stream a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamStart {
    /// With the first message that is kept.
    First,
    /// With the last chunk: what was appended together last.
    Last,
    /// With what comes from now on.
    Next,
    /// With this offset; with the first message that is kept if it is gone, and not before it if
    /// it is yet to come.
    Offset(u64),
    /// With the first chunk that is not older.
    Time(Timestamp),
}

impl From<StreamStart> for Start {
    fn from(start: StreamStart) -> Self {
        match start {
            StreamStart::First => Self::First,
            StreamStart::Last => Self::Last,
            StreamStart::Next => Self::Next,
            StreamStart::Offset(offset) => Self::Offset(offset),
            StreamStart::Time(time) => {
                Self::Timestamp(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

/// A [`Message`] of a stream.
#[derive(Clone, Debug)]
pub struct StreamMessage {
    message: Message,
    offset: u64,
    appended_at: Timestamp,
}

impl StreamMessage {
    /// Its offset, which is also in its header `x-stream-offset`.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// When it was appended, by the broker's clock; what was appended together has one time.
    pub fn appended_at(&self) -> Timestamp {
        self.appended_at
    }
}

impl Deref for StreamMessage {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

/// Reads a [stream](crate::StreamHandle). It holds a place and what it has read ahead, up to
/// 64 KiB.
///
/// - Iterated over it ends with what is there: a replay. Asked again it goes on with what has come
///   since.
/// - [`StreamReader::recv`] waits for what is to come.
/// - As a [`Stream`], for tasks, it waits, too.
///
/// It ends for good when the stream is deleted, or the broker closed. An error stands for what
/// could not be read, and is tried again by the next call. Messages that retention removes before
/// they are read are left out; so is what is damaged.
///
/// ```
/// use leveret::{Broker, Publish, QueueDeclare, StreamStart};
///
/// let broker = Broker::new();
/// let declare = QueueDeclare::new("s").durable().argument("x-queue-type", "stream");
/// broker.connect()?.open_channel()?.queue_declare_with(&declare)?;
/// let stream = broker.stream("/", "s")?;
/// stream.append_all(["a", "b", "c"].map(|body| Publish::to_queue("s").body(body)))?;
///
/// let mut first = stream.read_as("audit", StreamStart::First)?;
/// assert_eq!(first.try_recv().expect("a message")?.body(), b"a");
/// assert_eq!(first.try_recv().expect("a message")?.body(), b"b");
/// drop(first);
/// // It had done with a, and was at work on b.
/// let rest = stream.read_as("audit", StreamStart::First)?;
/// let rest: Result<Vec<_>, _> = rest.into_iter().collect();
/// assert_eq!(rest?[0].body(), b"b");
/// assert_eq!(stream.offset("audit"), Some(2));
/// # Ok::<(), leveret::Error>(())
/// ```
#[must_use = "a reader does nothing by itself"]
pub struct StreamReader {
    queue: Arc<Queue>,
    log: Arc<Log>,
    cursor: Cursor,
    ahead: VecDeque<Read>,
    /// The name by which its offset is kept.
    name: Option<String>,
    /// What was handed out last, and is not kept yet as done with.
    at_work_on: Option<u64>,
    /// For as long as it waits.
    news: Option<News>,
}

impl StreamReader {
    pub(super) fn new(
        queue: &Arc<Queue>,
        log: &Arc<Log>,
        start: StreamStart,
        name: Option<&str>,
    ) -> Result<Self> {
        let stored = name.and_then(|name| log.stored_offset(name));
        let start = stored.map_or(start.into(), |stored| Start::Offset(stored.saturating_add(1)));
        let reader = log.reader(start).map_err(failed)?;
        Ok(Self {
            cursor: Cursor::new(reader, Filter::default(), queue.name().as_str()),
            queue: Arc::clone(queue),
            log: Arc::clone(log),
            ahead: VecDeque::new(),
            name: name.map(str::to_owned),
            at_work_on: None,
            news: None,
        })
    }

    /// The messages that are there; see [`StreamReader::try_recv`].
    pub fn iter(&mut self) -> StreamMessages<&mut Self> {
        StreamMessages(self)
    }

    /// The next message, if it is there. `None` at the end, for now or for good.
    pub fn try_recv(&mut self) -> Option<Result<StreamMessage>> {
        self.note_done();
        if self.queue.is_deleted() {
            return None;
        }
        if self.ahead.is_empty()
            && let Err(error) = self.read_ahead()
        {
            return Some(Err(error));
        }
        let Read { message, offset, appended_at, .. } = self.ahead.pop_front()?;
        self.at_work_on = Some(offset);
        Some(Ok(StreamMessage { message, offset, appended_at }))
    }

    /// The next message, which is waited for. `None` when the stream has ended.
    ///
    /// # Panics
    /// On the only thread of a tokio runtime, if it has to wait: whoever appends could not go on
    /// meanwhile. A task awaits the reader's next item, as of every [`Stream`].
    #[track_caller]
    pub fn recv(&mut self) -> Option<Result<StreamMessage>> {
        self.wait("StreamReader::recv", None)
    }

    /// The same, waiting for so long at most. `None` if there was none in time, or the stream has
    /// ended.
    ///
    /// # Panics
    /// As [`StreamReader::recv`].
    #[track_caller]
    pub fn recv_timeout(&mut self, patience: Duration) -> Option<Result<StreamMessage>> {
        self.wait("StreamReader::recv_timeout", Some(patience))
    }

    #[track_caller]
    fn wait(&mut self, what: &str, patience: Option<Duration>) -> Option<Result<StreamMessage>> {
        let until = patience.and_then(|patience| instant().checked_add(patience));
        loop {
            let has_ended = self.has_ended();
            if let Some(next) = self.try_recv() {
                return Some(next);
            }
            if has_ended {
                return None;
            }
            let left = until.map(|until| until.saturating_duration_since(instant()));
            let left = left.or(patience);
            let news = self.news();
            let instead = "reader.next().await, with futures_util::StreamExt";
            if !wait_here(what, instead, || news.wait(left)) {
                return None;
            }
        }
    }

    fn news(&mut self) -> &News {
        self.news.get_or_insert_with(|| News::of(&self.log))
    }

    fn has_ended(&self) -> bool {
        self.queue.is_deleted() || self.log.is_closed()
    }

    /// Whoever asks for the next has done with the one before.
    fn note_done(&mut self) {
        let (Some(name), Some(offset)) = (&self.name, self.at_work_on.take()) else { return };
        let Some(stream) = self.queue.stream() else { return };
        stream.keep_offset(name, offset);
    }

    fn read_ahead(&mut self) -> Result<()> {
        let read = self.cursor.read(STREAM_READ_MESSAGES).map_err(failed)?;
        if let Some(last) = read.last() {
            self.cursor.advance(last.after);
        }
        self.ahead = read.into();
        Ok(())
    }
}

fn failed(error: leveret_storage::Error) -> Error {
    Error::Storage(error.to_string())
}

/// An iterator over what there is in a stream: of a reader, or of one that it borrows.
#[derive(Debug)]
#[must_use = "an iterator does nothing by itself"]
pub struct StreamMessages<R>(R);

impl<R: BorrowMut<StreamReader>> Iterator for StreamMessages<R> {
    type Item = Result<StreamMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.borrow_mut().try_recv()
    }
}

impl IntoIterator for StreamReader {
    type Item = Result<StreamMessage>;
    type IntoIter = StreamMessages<Self>;

    fn into_iter(self) -> StreamMessages<Self> {
        StreamMessages(self)
    }
}

impl<'a> IntoIterator for &'a mut StreamReader {
    type Item = Result<StreamMessage>;
    type IntoIter = StreamMessages<&'a mut StreamReader>;

    fn into_iter(self) -> StreamMessages<&'a mut StreamReader> {
        self.iter()
    }
}

impl Stream for StreamReader {
    type Item = Result<StreamMessage>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let has_ended = self.has_ended();
            if let Some(next) = self.try_recv() {
                return Poll::Ready(Some(next));
            }
            if has_ended {
                return Poll::Ready(None);
            }
            if self.news().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("stream", &self.queue.name())
            .field("name", &self.name)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
