//! Publisher confirms of a channel `[rabbitmq confirms]`.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::channel::output::ChannelOutput;
use crate::queue::effects::Wakeups;

/// Numbers publishes and groups their confirms, so that a run of them takes one frame.
///
/// Publishes are confirmed in their order. What the store has to keep waits for the store: it gets
/// a ticket, and whatever comes after it waits too.
pub struct Confirms {
    /// Number of the last publish.
    last: u64,
    /// The last ticket.
    ticket: u64,
    line: Arc<ConfirmLine>,
}

/// The part of it that the store reaches, from its own thread.
pub struct ConfirmLine {
    state: Mutex<Line>,
    output: Arc<dyn ChannelOutput>,
}

#[derive(Debug, Default)]
struct Line {
    /// Publishes up to this one were confirmed to the client.
    told: u64,
    steps: VecDeque<Step>,
    /// The store has everything up to this ticket.
    stored: u64,
    closed: bool,
}

/// What became of the publishes up to a number, since the step before.
#[derive(Debug)]
struct Step {
    last: u64,
    ack: bool,
    /// The store has to have this first.
    ticket: u64,
}

impl Confirms {
    /// Nothing published yet.
    pub fn new(output: Arc<dyn ChannelOutput>) -> Self {
        let line = Arc::new(ConfirmLine { state: Mutex::default(), output });
        Self { last: 0, ticket: 0, line }
    }

    /// Numbers a publish.
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A ticket for what goes to the store now: [`ConfirmLine::stored`] tells that it is there.
    pub fn ticket(&mut self) -> (u64, Arc<ConfirmLine>) {
        self.ticket += 1;
        (self.ticket, Arc::clone(&self.line))
    }

    /// The publishes up to this one, and after those that were settled before, are accepted.
    pub fn accept(&mut self, number: u64) {
        self.line.push(Step { last: number, ack: true, ticket: self.ticket });
    }

    /// The publish with this number is refused.
    pub fn refuse(&mut self, number: u64) {
        self.line.push(Step { last: number, ack: false, ticket: self.ticket });
    }

    /// Tells the client what has become known since the last time.
    pub fn tell(&mut self, wakeups: &mut Wakeups) {
        self.line.state.lock().tell(&*self.line.output, wakeups);
    }

    /// The channel closes: its client hears nothing more.
    pub fn close(&mut self) {
        let mut line = self.line.state.lock();
        line.closed = true;
        line.steps.clear();
    }
}

impl ConfirmLine {
    fn push(&self, step: Step) {
        let mut line = self.state.lock();
        match line.steps.back_mut() {
            Some(back) if back.ack && step.ack && back.ticket == step.ticket => {
                back.last = step.last;
            }
            _ => line.steps.push_back(step),
        }
    }

    /// The store has everything up to a ticket.
    pub fn stored(&self, ticket: u64) {
        let mut wakeups = Wakeups::default();
        let mut line = self.state.lock();
        line.stored = ticket;
        line.tell(&*self.output, &mut wakeups);
        drop(line);
        wakeups.wake_all();
    }
}

impl Line {
    fn tell(&mut self, output: &dyn ChannelOutput, wakeups: &mut Wakeups) {
        if self.closed {
            return;
        }
        let mut accepted = self.told;
        while self.steps.front().is_some_and(|step| step.ticket <= self.stored) {
            let Some(step) = self.steps.pop_front() else { break };
            if step.ack {
                accepted = step.last;
                continue;
            }
            self.accept(accepted, output, wakeups);
            output.confirm(step.last, false, false, wakeups);
            (self.told, accepted) = (step.last, step.last);
        }
        self.accept(accepted, output, wakeups);
    }

    fn accept(&mut self, number: u64, output: &dyn ChannelOutput, wakeups: &mut Wakeups) {
        if number > self.told {
            output.confirm(number, number - self.told > 1, true, wakeups);
            self.told = number;
        }
    }
}
