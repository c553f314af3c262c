//! Queues, one by one.

use serde_json::{Value, json};

use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part, refused};

/// Commands about a queue.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum QueuesCommand {
    /// Deletes a queue
    DeleteQueue {
        queue_name: String,
        /// If it has no messages
        #[arg(short = 'e', long = "if-empty")]
        if_empty: bool,
        /// If it has no consumers
        #[arg(short = 'u', long = "if-unused")]
        if_unused: bool,
    },
    /// Removes all messages from a queue that nobody has to acknowledge
    PurgeQueue { queue_name: String },
    /// Tells where a quorum queue is: here
    QuorumStatus { queue_name: String },
    /// Does nothing: there is one node
    Rebalance {
        /// classic, quorum or all
        kind: String,
        /// Ignored
        #[arg(long = "vhost-pattern")]
        vhost_pattern: Option<String>,
        /// Ignored
        #[arg(long = "queue-pattern")]
        queue_pattern: Option<String>,
    },
}

/// Does it.
pub(super) fn run(session: &Session, command: &QueuesCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    match command {
        QueuesCommand::DeleteQueue { queue_name, if_empty, if_unused } => {
            let unless = match (if_empty, if_unused) {
                (true, true) => " if queue is empty and if queue is unused",
                (true, false) => " if queue is empty",
                (false, true) => " if queue is unused",
                (false, false) => "",
            };
            session.tell(format!("Deleting queue '{queue_name}' on vhost '{vhost}'{unless} ..."));
            let mut path = format!("/api/queues/{host}/{}", part(queue_name));
            let conditions = [(*if_empty, "if-empty=true"), (*if_unused, "if-unused=true")];
            let conditions = conditions.iter().filter(|(wanted, _)| *wanted);
            let query: Vec<_> = conditions.map(|(_, condition)| *condition).collect();
            if !query.is_empty() {
                path = format!("{path}?{}", query.join("&"));
            }
            let known = session.get(&format!("/api/queues/{host}/{}", part(queue_name)))?;
            if known.status == 404 {
                return Err(Failure::new(failure::USAGE, "Queue not found"));
            }
            let ready = known.json().get("messages_ready").and_then(Value::as_u64);
            session.delete(&path)?;
            let ready = ready.unwrap_or_default();
            let text = format!("Queue was successfully deleted with {ready} ready messages");
            Ok(Said::well(text))
        }
        QueuesCommand::PurgeQueue { queue_name } => {
            session.tell(format!("Purging queue '{queue_name}' in vhost '{vhost}' ..."));
            let path = format!("/api/queues/{host}/{}/contents", part(queue_name));
            match session.delete(&path)? {
                true => Ok(Said::Nothing),
                false => Err(Failure::new(failure::UNAVAILABLE, "not_found")),
            }
        }
        QueuesCommand::QuorumStatus { queue_name } => quorum_status(session, queue_name),
        QueuesCommand::Rebalance { .. } => {
            session.post("/api/rebalance/queues", &json!({}))?;
            Ok(Said::well("There is one node: nothing was moved"))
        }
    }
}

fn quorum_status(session: &Session, name: &str) -> Result<Said, Failure> {
    let node = session.node_name()?;
    session.tell(format!("Status of quorum queue {name} on node {node} ..."));
    let answer = session.get(&format!("/api/queues/{}/{}", session.host(), part(name)))?;
    match (answer.status, answer.json()) {
        (404, _) => Err(Failure::new(failure::UNAVAILABLE, "not_found")),
        (200, queue) if queue.get("type").and_then(Value::as_str) == Some("quorum") => {
            let row = [("Node Name", json!(node)), ("Raft State", json!("leader"))];
            let row = row.map(|(name, value)| (name.to_owned(), value));
            Ok(Said::rows(&["Node Name", "Raft State"], vec![row.into_iter().collect()]))
        }
        (200, _) => {
            let text = "Cannot get quorum status of a classic queue";
            Err(Failure::new(failure::UNAVAILABLE, text))
        }
        _ => Err(refused(&answer)),
    }
}
