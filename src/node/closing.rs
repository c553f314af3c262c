//! What ends together with a user.

use crate::node::Node;

impl Node {
    /// Removes a user with its permissions, and ends its connections.
    pub(crate) fn remove_user(&self, name: &str) {
        self.access.remove_user(name);
        let reason = format!("user '{name}' is deleted");
        self.connections.close_where(&reason, |session| session.actor.user.name.as_str() == name);
    }
}
