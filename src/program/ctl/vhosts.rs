//! Virtual hosts.

use serde_json::{Map, Value, json};

use super::columns;
use super::failure::Failure;
use super::output::Said;
use super::session::{Session, no_host, part};
use super::users::set_limits;

/// Commands about virtual hosts.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum HostsCommand {
    /// Adds a virtual host
    AddVhost {
        name: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// Tags, separated with commas
        #[arg(long)]
        tags: Option<String>,
        /// Type of queues that are declared without one: classic, quorum or stream
        #[arg(long = "default-queue-type", value_name = "TYPE")]
        default_queue_type: Option<String>,
    },
    /// Changes description, tags or default queue type of a virtual host
    UpdateVhostMetadata {
        name: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// Tags, separated with commas
        #[arg(long)]
        tags: Option<String>,
        /// Type of queues that are declared without one: classic, quorum or stream
        #[arg(long = "default-queue-type", value_name = "TYPE")]
        default_queue_type: Option<String>,
    },
    /// Deletes a virtual host with all that is in it
    DeleteVhost { name: String },
    /// Sets the tags of a virtual host
    SetVhostTags { name: String, tags: Vec<String> },
    /// Lists virtual hosts
    ListVhosts { columns: Vec<String> },
    /// Keeps a virtual host from being deleted
    EnableVhostProtectionFromDeletion { name: String },
    /// Lets a virtual host be deleted
    DisableVhostProtectionFromDeletion { name: String },
    /// Sets limits of the virtual host, as JSON: {"max-connections": 10, "max-queues": 100}
    SetVhostLimits { definition: String },
    /// Removes the limits of the virtual host
    ClearVhostLimits,
    /// Lists limits of the virtual host
    ListVhostLimits {
        /// Those of all virtual hosts
        #[arg(long)]
        global: bool,
    },
    /// Copies all messages of the virtual host to the exchange amq.rabbitmq.trace
    TraceOn,
    /// Does so no longer
    TraceOff,
}

/// Does it.
pub(super) fn run(session: &Session, command: &HostsCommand) -> Result<Said, Failure> {
    match command {
        HostsCommand::AddVhost { name, description, tags, default_queue_type } => {
            session.tell(format!("Adding vhost \"{name}\" ..."));
            let body = metadata(description, tags, default_queue_type);
            session.put(&path(name), &body).map(|_| Said::Nothing)
        }
        HostsCommand::UpdateVhostMetadata { name, description, tags, default_queue_type } => {
            session.tell(format!("Updating metadata of vhost \"{name}\" ..."));
            let body = metadata(description, tags, default_queue_type);
            change(session, name, &body).map(|()| Said::Nothing)
        }
        HostsCommand::DeleteVhost { name } => {
            session.tell(format!("Deleting vhost \"{name}\" ..."));
            if session.delete(&path(name))? { Ok(Said::Nothing) } else { Err(no_host(name)) }
        }
        HostsCommand::SetVhostTags { name, tags } => {
            let told = tags.join(", ");
            session.tell(format!("Setting tags for vhost \"{name}\" to [{told}] ..."));
            change(session, name, &json!({ "tags": tags.join(",") })).map(|()| Said::Nothing)
        }
        HostsCommand::ListVhosts { columns } => {
            let columns = columns::chosen(columns, &columns::VHOSTS, &["name"])?;
            session.tell("Listing vhosts ...");
            let rows = session.list("/api/vhosts")?;
            Ok(columns::said(columns, &rows, true))
        }
        HostsCommand::EnableVhostProtectionFromDeletion { name } => {
            session.tell(format!("Protecting vhost \"{name}\" from deletion ..."));
            session.post(&format!("{}/deletion/protection", path(name)), &json!({}))?;
            Ok(Said::Nothing)
        }
        HostsCommand::DisableVhostProtectionFromDeletion { name } => {
            session.tell(format!("Letting vhost \"{name}\" be deleted ..."));
            session.delete(&format!("{}/deletion/protection", path(name)))?;
            Ok(Said::Nothing)
        }
        HostsCommand::TraceOn => trace(session, true),
        HostsCommand::TraceOff => trace(session, false),
        limits => run_limits(session, limits),
    }
}

fn run_limits(session: &Session, command: &HostsCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    let path = format!("/api/vhost-limits/{host}");
    match command {
        HostsCommand::SetVhostLimits { definition } => {
            session.tell(format!(
                "Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ..."
            ));
            check(session, vhost)?;
            set_limits(session, &path, definition)
        }
        HostsCommand::ClearVhostLimits => {
            session.tell(format!("Clearing vhost \"{vhost}\" limits ..."));
            check(session, vhost)?;
            for name in ["max-connections", "max-queues"] {
                session.delete(&format!("{path}/{name}"))?;
            }
            Ok(Said::Nothing)
        }
        HostsCommand::ListVhostLimits { global: true } => {
            session.tell("Listing limits for all vhosts ...");
            let row = |limits: &Value| {
                let field = |name: &str| limits.get(name).cloned().unwrap_or_default();
                let pairs = [("vhost", field("vhost")), ("limits", field("value"))];
                Map::from_iter(pairs.map(|(name, value)| (name.to_owned(), value)))
            };
            let rows = session.list("/api/vhost-limits")?.iter().map(row).collect();
            Ok(Said::rows(&["vhost", "limits"], rows))
        }
        _ => {
            session.tell(format!("Listing limits for vhost \"{vhost}\" ..."));
            check(session, vhost)?;
            let found = session.list(&path)?;
            let value = found.first().and_then(|limits| limits.get("value")).cloned();
            let value = value.unwrap_or_else(|| json!({}));
            Ok(Said::Text(value.to_string(), value))
        }
    }
}

fn path(name: &str) -> String {
    format!("/api/vhosts/{}", part(name))
}

/// Fails if it is not there.
pub(super) fn check(session: &Session, name: &str) -> Result<(), Failure> {
    if session.has(&path(name))? { Ok(()) } else { Err(no_host(name)) }
}

fn metadata(
    description: &Option<String>,
    tags: &Option<String>,
    default_queue_type: &Option<String>,
) -> Value {
    let given =
        [("description", description), ("tags", tags), ("default_queue_type", default_queue_type)];
    let given = given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value.clone()?))));
    Value::Object(given.collect())
}

/// Changes what is given of a virtual host that is there.
fn change(session: &Session, name: &str, with: &Value) -> Result<(), Failure> {
    check(session, name)?;
    session.put(&path(name), with).map(|_| ())
}

fn trace(session: &Session, on: bool) -> Result<Said, Failure> {
    let vhost = &session.vhost;
    let (begin, end) = if on { ("Starting", "enabled") } else { ("Stopping", "disabled") };
    session.tell(format!("{begin} tracing for vhost \"{vhost}\" ..."));
    change(session, vhost, &json!({ "tracing": on }))?;
    let known = session.value(&path(vhost))?;
    if known.get("tracing").and_then(Value::as_bool).unwrap_or_default() != on {
        let text = "this server does not trace messages";
        return Err(Failure::new(super::failure::UNAVAILABLE, text));
    }
    Ok(Said::well(format!("Trace {end} for vhost {vhost}")))
}
