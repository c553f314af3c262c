//! One rule: when it acts, how often it did, and what it holds back.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::faults::subject::Filter;
use crate::faults::{Action, Phase, Registry, Trigger};

/// What goes on when a rule lets go of it.
pub(crate) type Held = Box<dyn FnOnce() + Send>;

/// Which of the occasions that pass the filter are meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// So many are let pass first.
    pub after: usize,
    /// Then it acts on so many.
    pub times: Option<usize>,
}

impl Window {
    fn includes(self, number: usize) -> bool {
        number >= self.after && self.times.is_none_or(|times| number - self.after < times)
    }
}

/// What a rule holds back.
struct Holding {
    held: Vec<Held>,
    /// How often it had acted when it let go last: what comes of those occasions is not held.
    let_go: usize,
}

pub(crate) struct RuleState {
    pub trigger: Trigger,
    pub filter: Filter,
    pub phase: Phase,
    pub action: Action,
    pub window: Window,
    pub text: String,
    /// Tells it from the other rules of the broker.
    pub number: AtomicU64,
    seen: AtomicUsize,
    fired: AtomicUsize,
    holding: Mutex<Holding, rank::FaultHolding>,
}

impl RuleState {
    pub(crate) fn new(
        trigger: Trigger,
        filter: Filter,
        (window, phase): (Window, Phase),
        action: Action,
        text: String,
    ) -> Self {
        Self {
            trigger,
            filter,
            phase,
            action,
            window,
            text,
            number: AtomicU64::new(0),
            seen: AtomicUsize::new(0),
            fired: AtomicUsize::new(0),
            holding: Mutex::new(Holding { held: Vec::new(), let_go: 0 }),
        }
    }

    /// Counts an occasion; tells whether it is one to act on.
    pub(crate) fn count(&self) -> bool {
        self.window.includes(self.seen.fetch_add(1, Ordering::SeqCst))
    }

    /// Counts that it acts; tells how often it has by now.
    pub(crate) fn count_fired(&self) -> usize {
        self.fired.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Holds something back until the rule lets go, which came of the time with this number that
    /// it acted. Gives it back if the rule has let go of that.
    pub(crate) fn hold(&self, number: usize, held: Held) -> Result<(), Held> {
        let mut holding = self.holding.lock();
        if number <= holding.let_go {
            return Err(held);
        }
        holding.held.push(held);
        Ok(())
    }

    /// Lets go of what is held, and of what is about to be; what goes on may lead back here. Tells
    /// how many there are of both.
    fn release(&self, for_good: bool) -> usize {
        let mut holding = self.holding.lock();
        let acted = self.fired.load(Ordering::SeqCst);
        let before = holding.let_go;
        holding.let_go = if for_good { usize::MAX } else { before.max(acted) };
        let held = std::mem::take(&mut holding.held);
        drop(holding);
        let count = match self.action {
            Action::Hold => acted.saturating_sub(before),
            _ => held.len(),
        };
        held.into_iter().for_each(|go_on| go_on());
        count
    }
}

/// A fault that was declared. Clones are the same rule; dropping it changes nothing.
#[derive(Clone)]
pub struct Rule {
    state: Arc<RuleState>,
    registry: Weak<Registry>,
}

impl Rule {
    pub(crate) fn new(state: Arc<RuleState>, registry: &Arc<Registry>) -> Self {
        Self { state, registry: Arc::downgrade(registry) }
    }

    /// Tells it from the other rules of the broker, for as long as that lives.
    #[cfg(feature = "management")]
    pub(crate) fn number(&self) -> u64 {
        self.state.number.load(Ordering::Relaxed)
    }

    /// How often it acted.
    pub fn fired(&self) -> usize {
        self.state.fired.load(Ordering::SeqCst)
    }

    /// How many occasions passed its filters, whether it acted on them or not.
    pub fn seen(&self) -> usize {
        self.state.seen.load(Ordering::SeqCst)
    }

    /// What it holds back goes on: confirms are sent, clients are read again. Tells how many. The
    /// rule stays in force.
    pub fn release(&self) -> usize {
        self.state.release(false)
    }

    /// Takes the rule back: it does not act any more, and what it holds back goes on.
    pub fn remove(&self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(&self.state);
        }
        self.state.release(true);
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.state.text)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (seen {} times, acted {} times)", self.state.text, self.seen(), self.fired())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_before_it_is_held_goes_on_at_once() {
        let (window, filter) = (Window::default(), Filter::default());
        let phase = (window, Phase::Before);
        let rule = RuleState::new(Trigger::Confirm, filter, phase, Action::Hold, String::new());
        let held = || -> Held { Box::new(|| {}) };
        let (first, second) = (rule.count_fired(), rule.count_fired());
        assert!(rule.hold(second, held()).is_ok());
        assert_eq!(rule.release(false), 2, "the first one is about to be held");
        assert!(rule.hold(first, held()).is_err());
        assert!(rule.hold(rule.count_fired(), held()).is_ok(), "the rule is in force");
        assert_eq!((rule.release(true), rule.release(false)), (1, 0));
        assert!(rule.hold(rule.count_fired(), held()).is_err());
    }
}
