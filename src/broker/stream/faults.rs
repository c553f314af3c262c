//! Faults that tests declare, where messages are appended without a connection.

use std::ops::Range;

use crate::broker::stream::handle::{StreamHandle, told};
use crate::error::{Error, Result};
use crate::faults::{Action, Hit, Method, Phase, Subject, Trigger};
use crate::message::Message;

impl StreamHandle {
    /// The rule that is to act on messages that are appended together. Each of them is counted.
    pub(super) fn meet(&self, messages: &[Message]) -> Option<Hit> {
        let faults = self.host.faults();
        if !faults.watches(Trigger::PUBLISHES | Trigger::CONFIRMS) {
            return None;
        }
        let mut first = None;
        for message in messages {
            let subject = Subject {
                virtual_host: self.virtual_host(),
                queue: Some(self.name()),
                ..Subject::message(message.into())
            };
            let publish = faults.meet(Trigger::Method(Method::BasicPublish), &subject);
            let confirm = publish.or_else(|| faults.meet(Trigger::Confirm, &subject));
            first = first.or(confirm);
        }
        first
    }

    /// Appends messages as a rule has it.
    pub(super) fn append_watched(
        &self,
        expected: Option<u64>,
        messages: &[Message],
        hit: &Hit,
    ) -> Result<Range<u64>> {
        let (done, committed) = told();
        let append = |done| self.begin_append(expected, messages, done);
        let and_wait = |first| self.await_append(first, messages.len(), &committed);
        let by = hit.clone();
        match (hit.action(), hit.phase()) {
            (Action::Unroutable, _) => Err(Error::NotFound(self.queue.resource())),
            (Action::NackAndDrop, _) => Err(refused()),
            (Action::Nack, _) => append(done).and_then(and_wait).and(Err(refused())),
            (Action::Hold, _) => {
                let held = Box::new(move |result| {
                    let tell = Box::new(move || done(result));
                    by.hold(tell).unwrap_or_else(|tell| tell());
                });
                append(held).and_then(and_wait)
            }
            (Action::Lose, _) => {
                // Whoever waits hears of it when the rule is taken back, and then of a failure.
                let lost = Box::new(move |_| drop(by.hold(Box::new(|| drop(done)))));
                append(lost).and_then(and_wait)
            }
            (Action::Crash, Phase::After) => {
                append(done)?;
                Err(self.fail(Error::Crashed))
            }
            (action, phase) => match (action.error(), phase) {
                (None, _) => append(done).and_then(and_wait),
                (Some(error), Phase::Before) => Err(self.fail(error)),
                (Some(error), Phase::After) => {
                    append(done).and_then(and_wait)?;
                    Err(self.fail(error))
                }
            },
        }
    }

    /// Crashes, if that is what is to happen.
    fn fail(&self, error: Error) -> Error {
        if error == Error::Crashed
            && let Some(node) = self.node.upgrade()
        {
            node.crash();
        }
        error
    }
}

/// What is told of messages of which a rule says that they are not committed.
fn refused() -> Error {
    Error::Storage("refused by a fault".into())
}
