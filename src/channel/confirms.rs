//! Publisher confirms of a channel `[rabbitmq confirms]`.

use crate::channel::output::ChannelOutput;
use crate::queue::effects::Wakeups;

/// Counts publishes and groups their confirms, so that a run of them takes one frame.
#[derive(Debug, Default)]
pub struct Confirms {
    /// Number of the last publish.
    last: u64,
    /// Publishes up to this one were confirmed to the client.
    told: u64,
    /// Publishes up to this one are accepted.
    accepted: u64,
}

impl Confirms {
    /// Numbers a publish.
    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The publish with this number is accepted, and all before it were settled.
    pub fn accept(&mut self, number: u64) {
        self.accepted = number;
    }

    /// The publish with this number is refused: tells the client at once, after what was accepted
    /// before.
    pub fn refuse(&mut self, number: u64, output: &dyn ChannelOutput, wakeups: &mut Wakeups) {
        self.tell(output, wakeups);
        output.confirm(number, false, false, wakeups);
        (self.told, self.accepted) = (number, number);
    }

    /// Tells the client what was accepted since the last time.
    pub fn tell(&mut self, output: &dyn ChannelOutput, wakeups: &mut Wakeups) {
        if self.accepted > self.told {
            let multiple = self.accepted - self.told > 1;
            output.confirm(self.accepted, multiple, true, wakeups);
            self.told = self.accepted;
        }
    }
}
