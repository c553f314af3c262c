//! The history of one object among many: kept only if it was used, and closely only if somebody
//! asks.

use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{History, Resolution, Sample, Span};
use crate::insight::statistics::totals::Totals;
use crate::time::clock::Timestamp;

/// What the totals of an object were lately. Takes a pointer as long as it was never used, or
/// nobody records it.
#[derive(Debug)]
pub(crate) struct Recent<T>(Option<Box<History<T>>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Totals> Recent<T> {
    /// The totals are these now. `is_first`: nothing was recorded before, of this object or of
    /// others; else an object that has no history was not used until now.
    pub(crate) fn record(&mut self, now: Timestamp, totals: T, is_first: bool) {
        if self.0.is_none() && totals == T::default() {
            return;
        }
        let before = (!is_first).then(T::default);
        let new = || Box::new(History::new(Resolution::RATE, before));
        self.0.get_or_insert_with(new).record(now, totals);
    }

    /// The present totals with their rates.
    pub(crate) fn measured(&self, totals: T) -> Measured<T> {
        Measured { totals, interval: self.0.as_ref().and_then(|history| history.interval()) }
    }

    /// What the totals were, see [`History::samples`]. From now on more is remembered.
    pub(crate) fn samples(&mut self, now: Timestamp, span: Span) -> Vec<Sample<T>> {
        let new = || Box::new(History::new(Resolution::RATE, None));
        let history = self.0.get_or_insert_with(new);
        history.keep(Resolution::BASIC, now);
        history.samples(now, span)
    }
}
