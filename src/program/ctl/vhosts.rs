//! Virtual hosts.

use serde_json::{Map, Value, json};

use super::columns;
use super::failure::Failure;
use super::output::Said;
use super::parameters;
use super::session::{Session, no_host, part};

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
    /// Sets the limits of the virtual host, as JSON: {"max-connections": 10, "max-queues": 100}
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
            session.tell(format!("Setting tags for virtual host \"{name}\" to [{told}] ..."));
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
    // All of them are one parameter.
    let path = format!("/api/parameters/vhost-limits/{host}/limits");
    match command {
        HostsCommand::SetVhostLimits { definition } => {
            session.tell(format!(
                "Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ..."
            ));
            check(session, vhost)?;
            let limits = parameters::json(definition)?;
            session.put(&path, &json!({ "value": limits })).map(|_| Said::Nothing)
        }
        HostsCommand::ClearVhostLimits => {
            session.tell(format!("Clearing vhost \"{vhost}\" limits ..."));
            check(session, vhost)?;
            parameters::removed(session.delete(&path)?)
        }
        HostsCommand::ListVhostLimits { global: true } => {
            session.tell("Listing limits for all vhosts ...");
            Ok(limits("vhost", &session.list("/api/vhost-limits")?))
        }
        _ => {
            session.tell(format!("Listing limits for vhost \"{vhost}\" ..."));
            check(session, vhost)?;
            let found = session.list(&format!("/api/vhost-limits/{host}"))?;
            let value = found.first().and_then(|limits| limits.get("value")).cloned();
            let text = value.as_ref().map(ToString::to_string).unwrap_or_default();
            Ok(Said::Text(text, value.unwrap_or_else(|| json!({}))))
        }
    }
}

/// The limits of each that has some: those of one are a text, whatever the format.
pub(super) fn limits(of: &str, found: &[Value]) -> Said {
    let row = |found: &Value| {
        let field = |name: &str| found.get(name).cloned().unwrap_or_default();
        let limits = Value::String(field("value").to_string());
        Map::from_iter([(of.to_owned(), field(of)), ("limits".to_owned(), limits)])
    };
    Said::Rows {
        columns: vec![of.to_owned(), "limits".to_owned()],
        rows: found.iter().map(row).collect(),
        header_if_empty: false,
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
