//! What a client of a stream may rely on: messages that were confirmed are there, in order and
//! without gaps, and the offset that is kept by its name is that of what it has acknowledged.

use leveret::{Broker, QueueDeclare, StreamStart};

use crate::support::durable;

/// Under which offsets are kept.
pub(crate) const READER: &str = "projection";

/// A stream, and what is promised of it.
pub(crate) struct Log {
    pub name: String,
    arguments: Vec<(&'static str, leveret::AMQPValue)>,
    keeps_all: bool,
    /// What is too old goes, if it is everything.
    ages: bool,
    pub present: bool,
    /// The last declaration or deletion was not answered.
    pub uncertain: bool,
    /// The names of all messages that were sent, by offset.
    pub sent: Vec<String>,
    /// With which it began when the broker was opened.
    first: u64,
    /// So many of them have to be there.
    pub confirmed: usize,
    /// Everything below this offset was acknowledged,
    pub acknowledged: u64,
    /// or was never given out: the next that was, and is not settled.
    pub done: u64,
    /// What was acknowledged when something was sent that is confirmed, so that it is kept.
    kept: u64,
}

/// A stream as it was found after a restart.
pub(crate) struct FoundLog {
    first: u64,
    messages: Vec<String>,
    /// Behind the offset that is kept.
    kept: u64,
}

impl FoundLog {
    /// Number of messages.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}

impl Log {
    fn new(name: String, limit: Option<(&'static str, leveret::AMQPValue)>) -> Self {
        let segment = leveret::AMQPValue::LongLongInt(3000);
        let keeps_all = limit.is_none();
        let ages = limit.as_ref().is_some_and(|(name, _)| *name == "x-max-age");
        let mut arguments = vec![("x-stream-max-segment-size-bytes", segment)];
        arguments.extend(limit);
        Self {
            name,
            arguments,
            keeps_all,
            ages,
            present: false,
            uncertain: false,
            sent: Vec::new(),
            first: 0,
            confirmed: 0,
            acknowledged: 0,
            done: 0,
            kept: 0,
        }
    }

    /// Two streams of one client: one that keeps everything, and one that does not.
    pub(crate) fn two(name: &str) -> Vec<Self> {
        let limit = if name.ends_with('1') {
            ("x-max-age", leveret::AMQPValue::LongString("1s".into()))
        } else {
            ("x-max-length-bytes", leveret::AMQPValue::LongLongInt(9000))
        };
        vec![Self::new(format!("{name}.all"), None), Self::new(format!("{name}.some"), Some(limit))]
    }

    pub(crate) fn declaration(&self) -> QueueDeclare {
        let declare = durable(&self.name).argument("x-queue-type", "stream");
        let set = |declare: QueueDeclare, (name, value): &(&str, leveret::AMQPValue)| {
            declare.argument(*name, value.clone())
        };
        self.arguments.iter().fold(declare, set)
    }

    /// A stream of this name is new.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.first = 0;
        (self.confirmed, self.acknowledged, self.done, self.kept) = (0, 0, 0, 0);
    }

    /// Everything that was sent is committed.
    pub(crate) fn confirm(&mut self, acknowledged: u64) {
        self.confirmed = self.sent.len();
        self.kept = self.kept.max(acknowledged);
    }

    /// What there is of it.
    pub(crate) fn look(&self, broker: &Broker) -> Option<FoundLog> {
        let stream = broker.stream("/", &self.name).ok()?;
        let first = stream.first_offset();
        let messages: Vec<_> = stream
            .read(StreamStart::First)
            .unwrap()
            .into_iter()
            .zip(first..)
            .map(|(message, offset)| {
                let message = message.unwrap();
                assert_eq!(message.offset(), offset, "{} has a gap", self.name);
                name_of(message.body())
            })
            .collect();
        assert_eq!(first + messages.len() as u64, stream.next_offset(), "{}", self.name);
        let kept = stream.offset(READER).map_or(0, |offset| offset + 1);
        Some(FoundLog { first, messages, kept })
    }

    /// What is wrong with what was found; `clean` if the broker was stopped in order.
    pub(crate) fn check(&self, found: Option<&FoundLog>, clean: bool) -> String {
        let name = &self.name;
        let Some(found) = found else {
            let lost = self.present && !self.uncertain;
            return if lost { format!("stream {name} is lost\n") } else { String::new() };
        };
        if !self.present && !self.uncertain {
            return format!("stream {name} is there again\n");
        }
        let next = found.first as usize + found.messages.len();
        let least = if clean { self.sent.len() } else { self.confirmed };
        let mut wrong = String::new();
        let mut check = |holds: bool, text: &str| {
            if !holds {
                let (first, kept) = (found.first, found.kept);
                wrong += &format!(
                    "stream {name}: {text}: {first} to {next}, {kept} kept; sent {}, confirmed {}, \
                     acknowledged {} to {}, of which kept {}\n",
                    self.sent.len(),
                    self.confirmed,
                    self.acknowledged,
                    self.done,
                    self.kept,
                );
            }
        };
        // A stream whose deletion was not answered is as it was, or not at all.
        check(next >= least, "messages are lost");
        check(found.kept >= if clean { self.acknowledged } else { self.kept }, "went back");
        check(next <= self.sent.len(), "there are more messages than were sent");
        check(found.first == self.first || !self.keeps_all, "the first ones are lost");
        let may_be_empty = next == 0 || self.ages;
        check(!found.messages.is_empty() || may_be_empty, "the last segment is lost");
        check(found.kept <= self.done, "the offset was not acknowledged");
        let expected = self.sent.get(found.first as usize..next);
        check(expected == Some(&found.messages[..]), "these are other messages");
        wrong
    }

    /// Goes on from what was found.
    pub(crate) fn adopt(&mut self, found: Option<FoundLog>) {
        (self.present, self.uncertain) = (found.is_some(), false);
        let Some(found) = found else { return self.forget() };
        self.first = found.first;
        self.sent.truncate(found.first as usize + found.messages.len());
        self.confirmed = self.sent.len();
        (self.acknowledged, self.done, self.kept) = (found.kept, found.kept, found.kept);
    }
}

/// Which message it is.
pub(crate) fn name_of(body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    body.split(':').next().unwrap().to_owned()
}
