//! Links to other brokers that the configuration names: static shovels, and the uplink.

use leveret::Broker;
use leveret::definitions::Definitions;
use leveret::internals::set_static_shovels;
use tracing::{error, warn};

use crate::program::config::ServerConfig;
use crate::program::definitions::bring_in;

/// Has the broker the links of this configuration, and no others; what cannot be had is logged.
///
/// # Errors
/// If the disk fails.
pub(crate) fn establish(broker: &Broker, config: &ServerConfig) -> Result<(), leveret::Error> {
    if let Some(definitions) = &config.uplink.definitions {
        match Definitions::from_json(definitions.to_string().as_bytes()) {
            Ok(definitions) => keep_for_uplink(broker, definitions)?,
            Err(reason) => error!("the uplink keeps nothing: {reason}"),
        }
    }
    let mut shovels = config.shovels.0.clone();
    shovels.extend(config.uplink.shovels.0.clone());
    if let Err(wrong) = set_static_shovels(broker, &shovels) {
        error!("there are no static shovels: {wrong}");
    }
    Ok(())
}

/// Has the broker the queues, exchanges and bindings of the uplink. Those that are there stay as
/// they were declared.
fn keep_for_uplink(broker: &Broker, mut wanted: Definitions) -> Result<(), leveret::Error> {
    let host = |name: &Option<String>| broker.virtual_host(name.as_deref().unwrap_or_default());
    wanted.queues.retain(|queue| host(&queue.vhost).is_none_or(|h| h.queue(&queue.name).is_err()));
    wanted.exchanges.retain(|exchange| {
        let found = host(&exchange.vhost).and_then(|host| host.exchange(&exchange.name).ok());
        if let Some(found) = &found
            && !["topic", "fanout"].contains(&found.kind())
        {
            let (name, kind) = (found.name(), found.kind());
            warn!(
                "the uplink keeps little of the exchange '{name}', which is of type {kind}: it has \
                 to be a topic or fanout exchange"
            );
        }
        found.is_none()
    });
    bring_in(&wanted, broker, |refused| error!("left out of the uplink: {refused}"))
}
