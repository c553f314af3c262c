//! What the operator is told.

use std::fmt::Write as _;

use serde_json::Value;

use super::counts::Count;
use super::ends::Ends;
use super::facts::{Facts, QueueKey, number};
use super::plan::Plan;

/// What is to be done.
pub(super) fn plan(plan: &Plan, ends: &Ends, facts: &Facts) -> String {
    let mut text = String::new();
    let counted = [
        ("virtual hosts", "vhosts"),
        ("users", "users"),
        ("exchanges", "exchanges"),
        ("queues", "queues"),
        ("bindings", "bindings"),
        ("policies", "policies"),
    ];
    let counted = counted.map(|(what, section)| format!("{} {what}", plan.of(section).len()));
    let messages: u64 = plan.moves.iter().map(|moved| moved.messages).sum();
    let (way, other) = match ends.is_outward {
        true => ("to", "which is"),
        false => ("from", "into"),
    };
    let name = if facts.is_leveret { "this leveret, compatible with" } else { "RabbitMQ" };
    let _ = writeln!(
        text,
        "Migration {way} {}, {other} {name} {}: {}; {messages} messages in {} queues.",
        ends.cluster_shown(),
        facts.version_text,
        counted.join(", "),
        plan.moves.len()
    );
    for obstacle in &plan.obstacles {
        let _ = writeln!(
            text,
            "cannot be had: {}: {}; instead: {}",
            obstacle.object, obstacle.why, obstacle.instead
        );
    }
    for note in &plan.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// What to do when the queues are empty.
pub(super) fn caught_up(ends: &Ends) -> String {
    let way = if ends.is_outward { "--to" } else { "--from" };
    format!(
        "All queues are empty, and what comes is forwarded at once, also when this command has \
         ended.\nConsumers may go to {} now, when they like; to keep the order, producers after \
         them.\nThen end it: leveret migrate {way} ... --switch\n",
        ends.new_address()
    )
}

/// A queue at the end.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    queue: QueueKey,
    moved: u64,
    left: u64,
    expected: u64,
    there: Option<u64>,
    /// Consumers that it has there, or had.
    is_consumed: bool,
}

/// Compares what was moved of a queue with what is there.
pub(super) fn compared(count: &Count, before: u64, there: Option<&Value>) -> Compared {
    let taken = |queue: &Value| {
        let stats = queue.get("message_stats");
        let taken = |name| stats.map_or(0, |stats| number(stats, name));
        number(queue, "consumers") + taken("deliver_get") + taken("ack") > 0
    };
    Compared {
        queue: count.queue.clone(),
        moved: count.moved,
        left: count.ready + count.unacked,
        expected: before + count.moved,
        there: there.map(|queue| number(queue, "messages")),
        is_consumed: there.is_some_and(taken),
    }
}

impl Compared {
    /// Whether the counts say that all is there.
    pub(super) fn is_exact(&self) -> bool {
        self.left == 0 && self.there.is_some_and(|there| there == self.expected)
    }

    /// Whether nothing says that something is missing.
    pub(super) fn is_well(&self) -> bool {
        let is_there = self.there.is_some_and(|there| there >= self.expected);
        self.left == 0 && self.there.is_some() && (is_there || self.is_consumed)
    }

    /// What was counted before clients went there is what counts, if nothing was moved since.
    pub(super) fn settle(&mut self, before: Self) {
        if before.moved == self.moved && self.left == 0 && before.there == Some(before.expected) {
            *self = Self { left: 0, ..before };
        }
    }

    fn verdict(&self) -> &'static str {
        match self.there {
            None => "the queue is not there",
            _ if self.left > 0 => "messages are left",
            Some(there) if there == self.expected => "all there",
            _ if self.is_consumed => "consumed there meanwhile",
            Some(there) if there > self.expected => "more than were moved: others publish there",
            Some(_) => "FEWER than were moved: expired, over a length limit, or lost",
        }
    }
}

/// What was done.
pub(super) fn report(ends: &Ends, queues: &[Compared]) -> String {
    let mut text = String::from("virtual host\tqueue\tmoved\tleft\tthere\t\n");
    for queue in queues {
        let there = queue.there.map_or_else(|| "-".to_owned(), |there| there.to_string());
        let (vhost, name) = &queue.queue;
        let (moved, left) = (queue.moved, queue.left);
        let _ = writeln!(text, "{vhost}\t{name}\t{moved}\t{left}\t{there}\t{}", queue.verdict());
    }
    let moved: u64 = queues.iter().map(|queue| queue.moved).sum();
    let _ = writeln!(
        text,
        "Moved {moved} messages of {} queues. Clients belong to {} now.",
        queues.len(),
        ends.new_address()
    );
    text
}
