//! What happens to a broker whose power is cut.

use crate::error::Error;
use crate::node::Node;

impl Node {
    /// See [`crate::Broker::crash`].
    pub(crate) fn crash(&self) {
        if let Some(power) = self.power() {
            power.cut();
        }
        for connection in self.connections.close_to_all() {
            connection.end(Error::ConnectionLost);
        }
        if let Some(store) = self.persistence() {
            // Nobody waits any longer for what will not be stored.
            store.close();
        }
    }
}
