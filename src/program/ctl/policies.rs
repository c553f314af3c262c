//! Policies and operator policies.

use serde_json::{Value, json};

use super::columns;
use super::failure::{self, Failure};
use super::output::Said;
use super::parameters::json as parsed;
use super::session::{Session, part};
use super::vhosts;

/// Commands about policies.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum PoliciesCommand {
    /// Sets a policy; the definition is JSON
    SetPolicy {
        name: String,
        pattern: String,
        definition: String,
        /// Of those that match, the one with the highest priority holds
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        priority: i64,
        /// queues, classic_queues, quorum_queues, streams, exchanges or all
        #[arg(long = "apply-to", default_value = "all")]
        apply_to: String,
    },
    /// Removes a policy
    ClearPolicy { name: String },
    /// Lists policies of the virtual host
    ListPolicies,
    /// Sets an operator policy, which bounds policies; the definition is JSON
    SetOperatorPolicy {
        name: String,
        pattern: String,
        definition: String,
        /// Of those that match, the one with the highest priority holds
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        priority: i64,
        /// queues, classic_queues, quorum_queues, streams or all
        #[arg(long = "apply-to", default_value = "all")]
        apply_to: String,
    },
    /// Removes an operator policy
    ClearOperatorPolicy { name: String },
    /// Lists operator policies of the virtual host
    ListOperatorPolicies,
}

/// A policy as it is given.
struct Given<'a> {
    name: &'a str,
    pattern: &'a str,
    definition: &'a str,
    priority: i64,
    apply_to: &'a str,
}

/// What a policy of each sort is called, and where it is.
const POLICY: (&str, &str) = ("policy", "policies");
const OPERATOR: (&str, &str) = ("operator policy", "operator-policies");

/// Does it.
pub(super) fn run(session: &Session, command: &PoliciesCommand) -> Result<Said, Failure> {
    match command {
        PoliciesCommand::SetPolicy { name, pattern, definition, priority, apply_to } => {
            let priority = *priority;
            set(session, POLICY, &Given { name, pattern, definition, priority, apply_to })
        }
        PoliciesCommand::SetOperatorPolicy { name, pattern, definition, priority, apply_to } => {
            let priority = *priority;
            set(session, OPERATOR, &Given { name, pattern, definition, priority, apply_to })
        }
        PoliciesCommand::ClearPolicy { name } => clear(session, POLICY, name),
        PoliciesCommand::ClearOperatorPolicy { name } => clear(session, OPERATOR, name),
        PoliciesCommand::ListPolicies => list(session, "policies", POLICY.1),
        PoliciesCommand::ListOperatorPolicies => {
            list(session, "operator policy overrides", OPERATOR.1)
        }
    }
}

fn set(session: &Session, (what, place): (&str, &str), given: &Given<'_>) -> Result<Said, Failure> {
    let vhost = &session.vhost;
    let Given { name, pattern, definition, priority, apply_to } = given;
    session.tell(format!(
        "Setting {what} \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with priority \
         \"{priority}\" for vhost \"{vhost}\" ..."
    ));
    let definition = parsed(definition)?;
    vhosts::check(session, vhost)?;
    let body = json!({
        "pattern": pattern, "definition": definition, "priority": priority, "apply-to": apply_to,
    });
    let path = format!("/api/{place}/{}/{}", session.host(), part(name));
    session.put(&path, &body).map(|_| Said::Nothing)
}

fn clear(session: &Session, (what, place): (&str, &str), name: &str) -> Result<Said, Failure> {
    session.tell(format!("Clearing {what} \"{name}\" on vhost \"{}\" ...", session.vhost));
    match session.delete(&format!("/api/{place}/{}/{}", session.host(), part(name)))? {
        true => Ok(Said::Nothing),
        false => Err(Failure::new(failure::UNAVAILABLE, "Parameter does not exist")),
    }
}

fn list(session: &Session, what: &str, place: &str) -> Result<Said, Failure> {
    session.tell(format!("Listing {what} for vhost \"{}\" ...", session.vhost));
    vhosts::check(session, &session.vhost)?;
    let mut found: Vec<Value> = session.list(&format!("/api/{place}/{}", session.host()))?;
    // A text, whatever the format.
    for definition in found.iter_mut().filter_map(|policy| policy.get_mut("definition")) {
        *definition = Value::String(definition.to_string());
    }
    let columns = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];
    Ok(columns::said(columns.map(str::to_owned).to_vec(), &found, false))
}
