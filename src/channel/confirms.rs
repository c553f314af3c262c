//! Publisher confirms of a channel `[rabbitmq confirms]`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::Wakeups;
use crate::channel::counted::Counted;
use crate::channel::output::ChannelOutput;
use crate::faults::{Action, Hit};
use crate::insight::journal::EventKind;
use crate::message::Message;
use crate::vhost::Noter;

/// Numbers publishes and groups their confirms, so that a run of them takes one frame.
///
/// Publishes are confirmed in their order. What the store has to keep waits for the store: it gets
/// a ticket, and whatever comes after it waits too.
pub(super) struct Confirms {
    /// Number of the last publish.
    last: u64,
    /// The last ticket.
    ticket: u64,
    line: Arc<ConfirmLine>,
    /// What a fault makes of the publish at hand.
    fate: Option<Fate>,
    /// The latest step, which the line does not have yet.
    latest: Option<Step>,
}

/// What a fault makes of a confirm.
pub(super) enum Fate {
    /// A refusal.
    Nack,
    /// Nothing, ever.
    Lost,
    /// A confirm, once the rule lets it go.
    Held(Hit),
}

impl Fate {
    /// What the rule wants.
    pub(super) fn of(hit: &Hit) -> Option<Self> {
        match hit.action() {
            Action::Nack | Action::NackAndDrop => Some(Self::Nack),
            Action::Lose => Some(Self::Lost),
            Action::Hold => Some(Self::Held(hit.clone())),
            _ => None,
        }
    }
}

/// The part of it that the store reaches, from its own thread. What every confirm needs lies
/// together.
#[repr(C)]
pub(super) struct ConfirmLine {
    client: Client,
    state: Mutex<Line, rank::Confirms>,
}

/// Whom it tells.
#[repr(C)]
struct Client {
    /// Tells the journal, if there is one, what the client was told.
    noter: Option<Noter>,
    output: Arc<dyn ChannelOutput>,
    counted: Arc<Counted>,
}

#[derive(Default)]
#[repr(C)]
struct Line {
    /// Publishes up to this one were confirmed to the client.
    told: u64,
    /// The store has everything up to this ticket.
    stored: u64,
    closed: bool,
    /// Some confirm did not come in its turn: the others come one by one, and never mean it.
    one_by_one: bool,
    steps: VecDeque<Step>,
    /// With a journal: the publishes whose client was told nothing yet, by number.
    untold: BTreeMap<u64, Message>,
    /// Tickets behind it that the store is done with, too: streams have logs of their own.
    stored_early: BTreeSet<u64>,
}

/// What became of the publishes up to a number, since the step before.
struct Step {
    last: u64,
    outcome: Outcome,
    /// The store has to have this first.
    ticket: u64,
}

impl Step {
    /// Whether one step is enough for both.
    fn goes_with(&self, next: &Self) -> bool {
        self.ticket == next.ticket && self.outcome.joins(&next.outcome)
    }
}

enum Outcome {
    Ack,
    Nack,
    Lost,
    Held(Hit, Weak<ConfirmLine>),
}

impl Outcome {
    fn is_ack(&self) -> bool {
        matches!(self, Self::Ack)
    }

    /// Whether one frame says both.
    fn joins(&self, next: &Self) -> bool {
        matches!((self, next), (Self::Ack, Self::Ack) | (Self::Nack, Self::Nack))
    }
}

impl Confirms {
    /// Nothing published yet.
    pub(super) fn new(
        output: Arc<dyn ChannelOutput>,
        counted: Arc<Counted>,
        noter: Option<Noter>,
    ) -> Self {
        let client = Client { output, counted, noter };
        let line = Arc::new(ConfirmLine { state: Mutex::default(), client });
        Self { last: 0, ticket: 0, line, fate: None, latest: None }
    }

    /// Numbers a publish.
    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        self.next_of(1)
    }

    /// Takes the numbers of so many publishes; tells the first.
    pub(super) fn next_of(&mut self, count: usize) -> u64 {
        let first = self.last + 1;
        self.last += count as u64;
        first
    }

    /// A ticket for what goes to the store now, or has gone there: [`ConfirmLine::stored`] tells
    /// that it is there.
    pub(super) fn ticket(&mut self) -> (u64, Arc<ConfirmLine>) {
        self.ticket += 1;
        (self.ticket, Arc::clone(&self.line))
    }

    /// With a journal, these are the publishes from number `first` on.
    pub(super) fn remember<'a>(&self, first: u64, messages: impl IntoIterator<Item = &'a Message>) {
        if self.line.client.noter.is_some() {
            let mut line = self.line.state.lock();
            line.untold.extend((first..).zip(messages.into_iter().cloned()));
        }
    }

    /// The publishes up to this one, and after those that were settled before, are accepted.
    pub(super) fn accept(&mut self, number: u64) {
        let outcome = match self.fate.take() {
            None => Outcome::Ack,
            Some(Fate::Nack) => Outcome::Nack,
            Some(Fate::Lost) => Outcome::Lost,
            Some(Fate::Held(hit)) => Outcome::Held(hit, Arc::downgrade(&self.line)),
        };
        self.take_step(Step { last: number, outcome, ticket: self.ticket });
    }

    /// What becomes of the confirm of the publish that comes next.
    pub(super) fn set_fate(&mut self, fate: Option<Fate>) {
        self.fate = fate;
    }

    /// The publish with this number is refused.
    pub(super) fn refuse(&mut self, number: u64) {
        self.take_step(Step { last: number, outcome: Outcome::Nack, ticket: self.ticket });
    }

    /// The line gets it with the next that it does not go with, or when the client is told: mostly
    /// it is locked once for both.
    fn take_step(&mut self, step: Step) {
        match &mut self.latest {
            Some(latest) if latest.goes_with(&step) => latest.last = step.last,
            latest => {
                if let Some(before) = latest.replace(step) {
                    self.line.state.lock().push(before);
                }
            }
        }
    }

    /// Tells the client what has become known since the last time.
    pub(super) fn tell(&mut self, wakeups: &mut Wakeups) {
        let latest = self.latest.take();
        self.line.state.lock().tell(latest, &self.line.client, wakeups);
    }

    /// The channel closes: its client hears nothing more.
    pub(super) fn close(&mut self) {
        self.latest = None;
        let mut line = self.line.state.lock();
        line.closed = true;
        line.steps.clear();
        line.untold.clear();
    }
}

impl ConfirmLine {
    /// A confirm that was held back goes out.
    fn confirm_held(&self, number: u64) {
        let mut wakeups = Wakeups::default();
        let mut line = self.state.lock();
        if !line.closed {
            line.confirm_one(number, true, &self.client, &mut wakeups);
        }
        drop(line);
        wakeups.wake_all();
    }

    /// The store has what a ticket is for.
    pub(super) fn stored(&self, ticket: u64) {
        let mut wakeups = Wakeups::default();
        let mut line = self.state.lock();
        line.note_stored(ticket);
        line.tell(None, &self.client, &mut wakeups);
        drop(line);
        wakeups.wake_all();
    }
}

impl Line {
    fn push(&mut self, step: Step) {
        match self.steps.back_mut() {
            Some(back) if back.goes_with(&step) => back.last = step.last,
            _ => self.steps.push_back(step),
        }
    }

    fn note_stored(&mut self, ticket: u64) {
        if ticket > self.stored + 1 {
            self.stored_early.insert(ticket);
            return;
        }
        self.stored = self.stored.max(ticket);
        while self.stored_early.remove(&(self.stored + 1)) {
            self.stored += 1;
        }
    }

    /// Tells the client what can be told, when this step has come at last.
    fn tell(&mut self, latest: Option<Step>, client: &Client, wakeups: &mut Wakeups) {
        if self.closed {
            return;
        }
        let mut accepted = self.told;
        match latest {
            Some(step) if self.steps.is_empty() && self.can_accept(&step) => accepted = step.last,
            Some(step) => self.push(step),
            None => {}
        }
        while self.steps.front().is_some_and(|step| step.ticket <= self.stored) {
            let Some(step) = self.steps.pop_front() else { break };
            if step.outcome.is_ack() {
                accepted = step.last;
                continue;
            }
            self.accept(accepted, client, wakeups);
            let last = step.last;
            self.settle_apart(step, client, wakeups);
            (self.told, accepted) = (last, last);
        }
        self.accept(accepted, client, wakeups);
    }

    /// Whether the step, if it is the next, is simply told.
    fn can_accept(&self, step: &Step) -> bool {
        step.outcome.is_ack() && step.ticket <= self.stored
    }

    /// Publishes that are not simply accepted: a run that is refused, or a single one.
    fn settle_apart(&mut self, step: Step, client: &Client, wakeups: &mut Wakeups) {
        let number = step.last;
        match step.outcome {
            Outcome::Nack if !self.one_by_one => {
                // RabbitMQ says `multiple` of a single one as well.
                self.note(self.told + 1, number, false, client);
                client.output.confirm(number, true, false, wakeups);
            }
            Outcome::Ack | Outcome::Nack => {
                let is_ack = step.outcome.is_ack();
                (self.told + 1..=number).for_each(|n| self.confirm_one(n, is_ack, client, wakeups));
            }
            Outcome::Lost => {
                self.one_by_one = true;
                self.untold.remove(&number);
            }
            Outcome::Held(hit, line) => {
                self.one_by_one = true;
                let go_on = move || {
                    if let Some(line) = line.upgrade() {
                        line.confirm_held(number);
                    }
                };
                if hit.hold(Box::new(go_on)).is_err() {
                    self.confirm_one(number, true, client, wakeups);
                }
            }
        }
    }

    fn accept(&mut self, number: u64, client: &Client, wakeups: &mut Wakeups) {
        if self.one_by_one {
            (self.told + 1..=number).for_each(|n| self.confirm_one(n, true, client, wakeups));
            self.told = self.told.max(number);
        } else if number > self.told {
            self.note(self.told + 1, number, true, client);
            client.output.confirm(number, number - self.told > 1, true, wakeups);
            self.told = number;
        }
    }

    fn confirm_one(&mut self, number: u64, ack: bool, client: &Client, wakeups: &mut Wakeups) {
        self.note(number, number, ack, client);
        client.output.confirm(number, false, ack, wakeups);
    }

    /// Counts what the client is about to be told of the publishes from `first` to `last`, and
    /// tells the journal, if the client can hear it: whoever has heard it finds it there.
    fn note(&mut self, first: u64, last: u64, ack: bool, client: &Client) {
        let settled = &client.counted.settled;
        if ack { &settled.confirmed } else { &settled.refused }
            .add((last + 1).saturating_sub(first));
        let Some(noter) = &client.noter else { return };
        let is_heard = !client.output.is_sealed();
        for delivery_tag in first..=last {
            let Some(message) = self.untold.remove(&delivery_tag) else { continue };
            if is_heard {
                noter.note(
                    &message,
                    match ack {
                        true => EventKind::Confirmed { delivery_tag },
                        false => EventKind::Nacked { delivery_tag },
                    },
                );
            }
        }
    }
}
