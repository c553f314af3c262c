//! Who waits for a deadline, for people to see.

use crate::time::clock::Timestamp;

/// Who waits, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// `queue`, `exchange`, `channel`, or `task`: somebody who sleeps, such as a heartbeat.
    pub kind: &'static str,
    /// Virtual host; empty if it is in none.
    pub host: String,
    /// Name; empty if it has none.
    pub name: String,
    /// What happens then, and when.
    pub deadlines: Vec<(&'static str, Timestamp)>,
}

impl Waiting {
    /// Of these deadlines; those that never come are left out.
    pub(crate) fn new(
        kind: &'static str,
        [host, name]: [&str; 2],
        deadlines: impl IntoIterator<Item = (&'static str, Timestamp)>,
    ) -> Self {
        let deadlines = deadlines.into_iter().filter(|(_, at)| *at != Timestamp::NEVER);
        Self { kind, host: host.into(), name: name.into(), deadlines: deadlines.collect() }
    }
}
