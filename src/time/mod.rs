//! Time: the clock, deadlines, who sleeps until one, who waits for a change, and when everybody is
//! at rest.

pub(crate) mod change_signal;
pub mod clock;
pub(crate) mod quiescence;
pub(crate) mod sleep;
pub(crate) mod timers;
pub(crate) mod waiting;
