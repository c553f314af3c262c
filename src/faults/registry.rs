//! The rules in force, and a word that says what they are about: without rules that word is all
//! that is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::faults::{Action, Held, Method, Phase, Rule, RuleState, Subject};

/// On what occasion a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Method(Method),
    Confirm,
    Delivery,
    Requeue,
    Frame,
}

impl Trigger {
    /// Publishes are apart: they come by the million.
    pub(crate) const PUBLISHES: u32 = 1;
    pub(crate) const METHODS: u32 = 2;
    pub(crate) const CONFIRMS: u32 = 4;
    pub(crate) const DELIVERIES: u32 = 8;
    pub(crate) const REQUEUES: u32 = 16;
    pub(crate) const FRAMES: u32 = 32;
    /// Publishes are traced: no rule, but looked for where rules are.
    pub(crate) const TRACES: u32 = 64;
    /// Whatever publishes are looked at for.
    pub(crate) const ALL_OF_PUBLISHES: u32 = Self::PUBLISHES | Self::CONFIRMS | Self::TRACES;

    fn bits(self) -> u32 {
        match self {
            Self::Method(Method::BasicPublish) => Self::PUBLISHES,
            Self::Method(Method::Any) => Self::PUBLISHES | Self::METHODS,
            Self::Method(_) => Self::METHODS,
            Self::Confirm => Self::CONFIRMS,
            Self::Delivery => Self::DELIVERIES,
            Self::Requeue => Self::REQUEUES,
            Self::Frame => Self::FRAMES,
        }
    }

    /// Whether a rule for this is one for `other`.
    fn includes(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Method(Method::Any), Self::Method(_)))
    }
}

/// A rule that acts.
#[derive(Clone)]
pub(crate) struct Hit {
    rule: Arc<RuleState>,
    /// How often the rule had acted with this.
    number: usize,
}

impl Hit {
    pub(crate) fn action(&self) -> &Action {
        &self.rule.action
    }

    pub(crate) fn phase(&self) -> Phase {
        self.rule.phase
    }

    /// Holds something back until the rule lets go. Gives it back if that has let go of this hit
    /// already: who sees that a rule has acted may have it let go before there is anything to hold.
    pub(crate) fn hold(&self, held: Held) -> Result<(), Held> {
        self.rule.hold(self.number, held)
    }
}

/// The rules of a broker.
#[derive(Default)]
pub(crate) struct Registry {
    watched: AtomicU32,
    /// Rules that there have been.
    numbers: AtomicU64,
    /// Virtual hosts that trace.
    tracing: AtomicUsize,
    rules: Mutex<Vec<Arc<RuleState>>, rank::FaultRules>,
}

impl Registry {
    /// Whether there are rules about any of these. Who declares one and then sends something has
    /// been seen to declare it by the time that arrives.
    #[inline]
    pub(crate) fn watches(&self, bits: u32) -> bool {
        self.watched.load(Ordering::Relaxed) & bits != 0
    }

    pub(crate) fn add(&self, rule: Arc<RuleState>) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        rule.number.store(number, Ordering::Relaxed);
        let mut rules = self.rules.lock();
        rules.push(rule);
        self.set_watched(&rules);
    }

    pub(crate) fn remove(&self, rule: &Arc<RuleState>) {
        let mut rules = self.rules.lock();
        rules.retain(|known| !Arc::ptr_eq(known, rule));
        self.set_watched(&rules);
    }

    fn set_watched(&self, rules: &[Arc<RuleState>]) {
        let is_traced = self.tracing.load(Ordering::SeqCst) > 0;
        let traces = if is_traced { Trigger::TRACES } else { 0 };
        let watched = rules.iter().fold(traces, |bits, rule| bits | rule.trigger.bits());
        self.watched.store(watched, Ordering::SeqCst);
    }

    /// One more virtual host traces, or one less.
    pub(crate) fn count_tracing(&self, is_more: bool) {
        let rules = self.rules.lock();
        if is_more {
            self.tracing.fetch_add(1, Ordering::SeqCst);
        } else {
            self.tracing.fetch_sub(1, Ordering::SeqCst);
        }
        self.set_watched(&rules);
    }

    /// All rules, for who looks at them.
    pub(crate) fn listed(self: &Arc<Self>) -> Vec<Rule> {
        self.rules().into_iter().map(|rule| Rule::new(rule, self)).collect()
    }

    pub(crate) fn rules(&self) -> Vec<Arc<RuleState>> {
        self.rules.lock().clone()
    }

    /// Something happens. Every rule for it counts it; the first that is to act is returned.
    pub(crate) fn meet(&self, trigger: Trigger, subject: &Subject<'_>) -> Option<Hit> {
        let mut hit = None;
        // Filters are the test's own code, and are not called under a lock.
        for rule in self.rules() {
            if rule.trigger.includes(trigger)
                && rule.filter.holds(subject)
                && rule.count()
                && hit.is_none()
            {
                let number = rule.count_fired();
                hit = Some(Hit { rule, number });
            }
        }
        hit
    }
}
