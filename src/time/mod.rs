//! Time: the clock, deadlines, who sleeps until one, and when everybody is at rest.

pub mod clock;
pub(crate) mod quiescence;
pub(crate) mod sleep;
pub(crate) mod timers;
