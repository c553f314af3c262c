//! Definitions of another broker, for the clients of a test.

use leveret::Broker;
use leveret::definitions::Definitions;

/// Prepares what the definitions hold for a broker. The default user stays what it is, whatever
/// they say of it, and may do everything in their virtual hosts: the address that was printed goes
/// on to be good.
pub(super) fn adapt(mut definitions: Definitions, broker: &Broker) -> Definitions {
    if let Some(name) = broker.default_user() {
        definitions.users.retain(|user| user.name != name);
        definitions.permissions.retain(|permission| permission.user != name);
        definitions.topic_permissions.retain(|permission| permission.user != name);
    }
    for virtual_host in &definitions.vhosts {
        broker.add_virtual_host(&virtual_host.name);
    }
    definitions
}
