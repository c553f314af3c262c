//! Plugins: what RabbitMQ needs plugins for is built in, or is not there. One thing that is built
//! in can be switched on and off, as it shows: the exchange of events.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::output::Said;
use super::session::Session;

/// Those of RabbitMQ's plugins whose work is done here.
const BUILT_IN: [&str; 17] = [
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_federation",
    "rabbitmq_federation_management",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_message_deduplication",
    "rabbitmq_prometheus",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
    "rabbitmq_shovel",
    "rabbitmq_shovel_management",
    "rabbitmq_stream",
    "rabbitmq_stream_management",
    "rabbitmq_web_dispatch",
];

/// The one that is off until it is enabled.
const EVENTS: &str = "rabbitmq_event_exchange";

/// Where that is switched.
const EVENTS_PATH: &str = "/api/leveret/event-exchange";

/// Commands about plugins. They ask a server only about the exchange of events.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum PluginsCommand {
    /// Succeeds for what is built in
    Enable {
        #[arg(required = true)]
        plugins: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Disables the exchange of events; what else is built in stays
    Disable {
        plugins: Vec<String>,
        #[command(flatten)]
        how: How,
        /// All of them
        #[arg(long)]
        all: bool,
    },
    /// Succeeds for what is built in; disables the exchange of events if it is not named
    Set {
        plugins: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Lists what is built in
    List {
        /// What the names have to contain
        pattern: Option<String>,
        /// Ignored: all that is listed is enabled
        #[arg(short = 'E', long)]
        enabled: bool,
        /// Ignored: all that is listed is enabled
        #[arg(short = 'e', long = "implicitly-enabled")]
        implicitly_enabled: bool,
        /// Names alone
        #[arg(short, long)]
        minimal: bool,
        /// Ignored
        #[arg(short, long)]
        verbose: bool,
    },
    /// Tells whether plugins are built in
    IsEnabled {
        #[arg(required = true)]
        plugins: Vec<String>,
        #[command(flatten)]
        how: How,
    },
}

/// Where they are enabled, which makes no difference.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct How {
    /// Ignored
    #[arg(long)]
    offline: bool,
    /// Ignored
    #[arg(long)]
    online: bool,
}

fn is_built_in(plugin: &str) -> bool {
    plugin == EVENTS || BUILT_IN.contains(&plugin)
}

/// Switches the exchange of events.
fn switch_events(session: &Session, on: bool, how: &How) -> Result<(), Failure> {
    if how.offline {
        let text = format!(
            "{EVENTS} is switched while the server runs: leave out --offline, or start the server \
             with LEVERET_EVENT_EXCHANGE=true"
        );
        return Err(Failure::new(failure::UNAVAILABLE, text));
    }
    match on {
        true => session.put(EVENTS_PATH, &json!({})).map(|_| ()),
        false => session.delete(EVENTS_PATH).map(|_| ()),
    }
}

/// Whether events are published; not by a server that does not answer.
fn has_events(session: &Session) -> bool {
    let answer = session.client.try_ask(Method::GET, EVENTS_PATH, None);
    answer.is_ok_and(|answer| answer.json().get("enabled") == Some(&Value::Bool(true)))
}

fn is_enabled(session: &Session, plugin: &str) -> bool {
    if plugin == EVENTS { has_events(session) } else { is_built_in(plugin) }
}

fn missing(plugins: &[String]) -> Result<(), Failure> {
    let unknown: Vec<_> = plugins.iter().filter(|plugin| !is_built_in(plugin)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = unknown.iter().map(|name| format!(":{name}")).collect();
    let text = format!(
        "{{:plugins_not_found, [{}]}}\nleveret has no plugins; built in is what these do: {}",
        names.join(", "),
        BUILT_IN.join(", ")
    );
    Err(Failure::new(failure::SOFTWARE, text))
}

/// Does it.
pub(super) fn run(session: &Session, command: &PluginsCommand) -> Result<Said, Failure> {
    let node = session.node.as_deref().unwrap_or("leveret");
    match command {
        PluginsCommand::Enable { plugins, how } | PluginsCommand::Set { plugins, how } => {
            session.tell(format!("Enabling plugins on node {node}:\n{}", plugins.join("\n")));
            missing(plugins)?;
            if plugins.iter().any(|plugin| plugin == EVENTS) {
                switch_events(session, true, how)?;
            } else if matches!(command, PluginsCommand::Set { .. }) && has_events(session) {
                switch_events(session, false, how)?;
            }
            session.tell("They are built in and enabled.");
            Ok(Said::Nothing)
        }
        PluginsCommand::Disable { plugins, how, all } => {
            session.tell(format!("Disabling plugins on node {node}:\n{}", plugins.join("\n")));
            if plugins.iter().any(|plugin| plugin == EVENTS) || *all && has_events(session) {
                switch_events(session, false, how)?;
            }
            session.tell("What else is built in stays; settings switch off what is served.");
            Ok(Said::Nothing)
        }
        PluginsCommand::IsEnabled { plugins, .. } => {
            session.tell(format!("Asking node {node} if plugins are enabled ..."));
            let off: Vec<_> =
                plugins.iter().filter(|plugin| !is_enabled(session, plugin)).collect();
            let list = |names: Vec<&String>| {
                names.iter().map(|name| (*name).clone()).collect::<Vec<_>>().join(", ")
            };
            if off.is_empty() {
                let names = list(plugins.iter().collect());
                return Ok(Said::well(format!("Plugin(s) {names} are enabled on node {node}")));
            }
            let text = format!("Plugin(s) {} are not enabled on node {node}", list(off));
            Err(Failure { code: failure::UNAVAILABLE, text })
        }
        PluginsCommand::List { pattern, minimal, .. } => {
            let pattern = pattern.as_deref().unwrap_or_default();
            session.tell(format!("Listing plugins with pattern \".*{pattern}.*\" ..."));
            let events = [EVENTS].into_iter().filter(|_| has_events(session));
            let found = BUILT_IN.into_iter().chain(events);
            let found: Vec<_> = found.filter(|plugin| plugin.contains(pattern)).collect();
            if *minimal {
                return Ok(Said::Text(found.join("\n"), json!(found)));
            }
            let row = |name: &str| -> Map<String, Value> {
                [("name", json!(name)), ("enabled", json!("built in"))]
                    .map(|(field, value)| (field.to_owned(), value))
                    .into_iter()
                    .collect()
            };
            Ok(Said::rows(&["name", "enabled"], found.into_iter().map(row).collect()))
        }
    }
}
