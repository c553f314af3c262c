//! How far each queue is.

use serde_json::Value;

use super::ends::Ends;
use super::facts::{QueueKey, number, queues, text};
use super::names::name_for;
use super::plan::Plan;
use crate::program::ctl::failure::Failure;

/// How far a queue is.
#[derive(Clone, Debug)]
pub(super) struct Count {
    pub queue: QueueKey,
    /// Messages that can be taken from it at the source.
    pub ready: u64,
    /// Messages that consumers, the shovel among them, have there and have not acknowledged.
    pub unacked: u64,
    /// Messages that are on their way.
    pub under_way: u64,
    /// Messages that have arrived since the shovel began, or this server was started.
    pub moved: u64,
    /// What keeps it from being moved.
    pub trouble: Option<String>,
}

impl Count {
    /// Whether nothing waits at the source, but for what others are about to acknowledge.
    pub(super) fn is_empty(&self) -> bool {
        self.ready == 0
    }

    /// Whether nothing is left at all.
    pub(super) fn is_done(&self) -> bool {
        self.ready + self.unacked + self.under_way == 0
    }
}

/// How far all queues are.
pub(super) fn take(ends: &Ends, plan: &Plan) -> Result<Vec<Count>, Failure> {
    let at_source = queues(&ends.source)?;
    let shovels = ends.here.list("/api/shovels")?;
    let count = |queue: &QueueKey| {
        let name = name_for(&queue.1);
        let is_it =
            |shovel: &&Value| text(shovel, "vhost") == queue.0 && text(shovel, "name") == name;
        let shovel = shovels.iter().find(is_it);
        let of_shovel = |name| shovel.map_or(0, |shovel| number(shovel, name));
        let of_queue = |name| at_source.get(queue).map_or(0, |queue| number(queue, name));
        let trouble = match shovel {
            None => Some("its shovel is gone".to_owned()),
            Some(shovel) => match text(shovel, "state") {
                "terminated" => Some(text(shovel, "reason").to_owned()),
                "blocked" => Some("the destination is short of memory or disk".to_owned()),
                _ => None,
            },
        };
        Count {
            queue: queue.clone(),
            ready: of_queue("messages_ready"),
            unacked: of_queue("messages_unacknowledged"),
            under_way: of_shovel("pending"),
            moved: of_shovel("confirmed"),
            trouble,
        }
    };
    Ok(plan.moves.iter().map(|moved| count(&moved.queue)).collect())
}
