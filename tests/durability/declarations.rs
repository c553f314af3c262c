//! The queues that clients of the simulation have, and how they are declared.

use leveret::QueueDeclare;

use crate::model::Queue;
use crate::support::{Argument, durable_with, table};

/// The queues of one client, classic and quorum, all but two with a dead-letter queue.
pub(crate) fn queues(name: &str) -> Vec<Queue> {
    let dead = format!("{name}.m");
    let queue = |suffix: &str, quorum: bool, ttl_ms, dies: bool| Queue {
        name: format!("{name}.{suffix}"),
        quorum,
        ttl_ms,
        dead_letters_to: dies.then(|| dead.clone()),
        present: false,
        bound: false,
        uncertain: false,
        binding_uncertain: false,
        entries: Vec::new(),
    };
    vec![
        queue("a", false, Some(1000), true),
        queue("b", false, None, false),
        queue("c", false, None, true),
        queue("m", name.ends_with('1'), None, false),
        queue("q", true, None, false),
        queue("z", true, None, true),
    ]
}

pub(crate) fn declaration(queue: &Queue) -> QueueDeclare {
    let mut arguments = table::<0>([]);
    let mut set = |name: &str, value: Argument| {
        arguments.insert(name.into(), value.into());
    };
    if queue.quorum {
        set("x-queue-type", "quorum".into());
        set("x-delivery-limit", (-1).into());
    }
    if let Some(ttl_ms) = queue.ttl_ms {
        set("x-message-ttl", i64::try_from(ttl_ms).unwrap().into());
    }
    if let Some(target) = &queue.dead_letters_to {
        set("x-dead-letter-exchange", "".into());
        set("x-dead-letter-routing-key", target.as_str().into());
    }
    durable_with(&queue.name, arguments)
}
