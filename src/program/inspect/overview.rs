//! The server as a whole.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::found::Found;
use super::text::{count, elements, is_true, number, size, span, string};
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::Session;

/// Of what is worth a look, so many are told of each kind.
const TOLD_MAX: usize = 20;

pub(super) fn look(session: &Session) -> Result<Found, Failure> {
    let overview = session.value("/api/overview")?;
    // Who may not see a node sees the rest.
    let nodes = session.list("/api/nodes").unwrap_or_default();
    let node = nodes.into_iter().next().unwrap_or_default();
    let queues = session.list("/api/queues")?;
    let connections = session.list("/api/connections")?;
    let lints = session.value("/api/leveret/lints").unwrap_or_default();
    let all = json!({"overview": overview, "node": node, "queues": queues,
        "connections": connections, "lints": lints});
    Ok(Found { text: tell(&all, &queues, &connections), all })
}

fn tell(all: &Value, queues: &[Value], connections: &[Value]) -> String {
    let (overview, node) = (&all["overview"], &all["node"]);
    let mut text =
        format!("leveret {} ({})", string(overview, "leveret_version"), string(overview, "node"));
    if node.is_object() {
        let _ = write!(
            text,
            ", up for {}; memory {} of {}, {} free on the disk",
            span(number(node, "uptime")),
            size(number(node, "mem_used")),
            size(number(node, "mem_limit")),
            size(number(node, "disk_free")),
        );
    }
    text.push('\n');
    let listeners = elements(overview, "listeners").iter().map(|listener| {
        format!(
            "{} {}:{}",
            string(listener, "protocol"),
            string(listener, "ip_address"),
            number(listener, "port")
        )
    });
    let listeners: Vec<_> = listeners.collect();
    if !listeners.is_empty() {
        let _ = writeln!(text, "  serves {}", listeners.join(", "));
    }
    let totals = &overview["object_totals"];
    let of = |what: &str| count(number(totals, &format!("{what}s")), what);
    let sum = |name: &str| queues.iter().map(|queue| number(queue, name)).sum::<u64>();
    let _ = writeln!(
        text,
        "  {}, {}, {}, {}, {}; messages: {} ready, {} unacknowledged",
        of("connection"),
        of("channel"),
        of("consumer"),
        of("exchange"),
        of("queue"),
        sum("messages_ready"),
        sum("messages_unacknowledged")
    );
    let worth = worth_a_look(all, queues, connections);
    match worth.is_empty() {
        true => text.push_str("nothing is worth a look\n"),
        false => text.push_str("worth a look:\n"),
    }
    worth.iter().for_each(|line| {
        let _ = writeln!(text, "  {line}");
    });
    if !is_true(&all["lints"], "enabled") {
        text.push_str("  (a server with --lint warn also looks for what is seldom meant)\n");
    }
    text
}

/// A sentence each.
fn worth_a_look(all: &Value, queues: &[Value], connections: &[Value]) -> Vec<String> {
    let mut told = Vec::new();
    let alarms = [("mem_alarm", "memory"), ("disk_free_alarm", "disk")];
    let alarms = alarms.iter().filter(|(name, _)| is_true(&all["node"], name));
    told.extend(
        alarms.map(|(_, what)| format!("the {what} alarm is on: publishers are held back")),
    );
    let blocked = connections.iter().filter(|one| string(one, "state").starts_with("block"));
    limited(&mut told, blocked.map(|one| format!("connection '{}': blocked", string(one, "name"))));
    limited(&mut told, queues.iter().filter_map(of_queue));
    let lints = elements(&all["lints"], "found").iter();
    limited(
        &mut told,
        lints.map(|lint| format!("{}: {}", string(lint, "subject"), string(lint, "text"))),
    );
    told
}

fn limited(told: &mut Vec<String>, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    told.extend(lines.by_ref().take(TOLD_MAX));
    if lines.peek().is_some() {
        told.push(format!("... and {} more", lines.count()));
    }
}

/// What about a queue is worth a look.
fn of_queue(queue: &Value) -> Option<String> {
    let ready = number(queue, "messages_ready");
    let is_stream = string(queue, "type") == "stream";
    let found = if is_true(queue, "held") {
        "it is held: nothing is given out".to_owned()
    } else if ready > 0 && number(queue, "consumers") == 0 && !is_stream {
        format!("{} ready, and no consumer", count(ready, "message"))
    } else {
        return None;
    };
    let (name, vhost) = (string(queue, "name"), string(queue, "vhost"));
    Some(format!("queue '{name}' in vhost '{vhost}': {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_blocked_connections_and_queues_that_nobody_empties_are_worth_a_look() {
        let all = json!({"node": {"mem_alarm": true}, "lints": {"found": []}});
        let connections = [json!({"name": "a", "state": "blocked"}), json!({"state": "running"})];
        let queue = |ready: u64, consumers: u64, kind: &str| {
            json!({"name": "q", "vhost": "/", "messages_ready": ready, "consumers": consumers,
                "type": kind})
        };
        let queues = [queue(1, 0, "classic"), queue(2, 1, "classic"), queue(3, 0, "stream")];
        let told = worth_a_look(&all, &queues, &connections);
        assert_eq!(
            told,
            [
                "the memory alarm is on: publishers are held back",
                "connection 'a': blocked",
                "queue 'q' in vhost '/': 1 message ready, and no consumer",
            ]
        );
        let many = vec![queue(1, 0, "classic"); TOLD_MAX + 2];
        assert_eq!(worth_a_look(&json!({}), &many, &[]).last().unwrap(), "... and 2 more");
    }
}
