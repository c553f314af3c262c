//! The last lines of the log, for those who look at them over HTTP.

use std::collections::VecDeque;
use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use leveret::clock::Clock;
use leveret::internals::LogLine;
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines that are kept.
const LINES_MAX: usize = 2000;

/// Octets of a line that are kept.
const LINE_BYTES_MAX: usize = 4096;

/// What was logged last. Clones are the same.
#[derive(Clone)]
pub(crate) struct LogLines(Arc<Mutex<Lines>>);

struct Lines {
    clock: Clock,
    next: u64,
    last: VecDeque<Arc<LogLine>>,
}

impl LogLines {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let lines = Lines { clock: Clock::system(), next: 1, last: VecDeque::new() };
        Self(Arc::new(Mutex::new(lines)))
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<LogLine>> {
        let lines = self.0.lock();
        lines.last.iter().cloned().collect()
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut lines = self.0.lock();
        let at = lines.clock.now();
        let line =
            LogLine { number: lines.next, at, level: *event.metadata().level(), text: text.0 };
        lines.next += 1;
        if lines.last.len() == LINES_MAX {
            lines.last.pop_front();
        }
        lines.last.push_back(Arc::new(line));
    }
}

/// The message of an event, and what it is about.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let room = LINE_BYTES_MAX.saturating_sub(self.0.len());
        let mut text = match field.name() {
            "message" => format!("{value:?}"),
            name => format!(" {name}={value:?}"),
        };
        let ends = text.char_indices().map(|(at, sign)| at + sign.len_utf8());
        let end = ends.take_while(|end| *end <= room).last().unwrap_or_default();
        text.truncate(end);
        let _ = self.0.write_str(&text); // it is a text
    }
}
