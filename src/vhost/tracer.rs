//! Who traces a virtual host `[rabbitmq firehose]`.

use crate::base::ids::ConnectionId;
use crate::base::names::UserName;

/// The exchange that copies of messages are published to.
pub(super) const TRACE: &str = "amq.rabbitmq.trace";

/// Who knows what copies tell beside the message.
pub(crate) trait Tracer: Send + Sync {
    /// The name of the node.
    fn node(&self) -> &str;

    /// The name of an open connection, and its user.
    fn connection(&self, id: ConnectionId) -> Option<(String, UserName)>;
}
