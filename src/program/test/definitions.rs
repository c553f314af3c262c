//! Definitions of another broker, for the clients of a test.

use leveret::Broker;
use leveret::ImportError;
use leveret::definitions::Definitions;

/// Adds what the definitions hold. The default user stays what it is, whatever they say of it, and
/// may do everything in their virtual hosts: the address that was printed goes on to be good.
///
/// # Errors
/// The first object that is refused; those before it stay.
pub fn import(mut definitions: Definitions, broker: &Broker) -> Result<(), ImportError> {
    if let Some(name) = broker.default_user() {
        definitions.users.retain(|user| user.name != name);
        definitions.permissions.retain(|permission| permission.user != name);
        definitions.topic_permissions.retain(|permission| permission.user != name);
    }
    for virtual_host in &definitions.vhosts {
        broker.add_virtual_host(&virtual_host.name);
    }
    broker.import(&definitions)
}
