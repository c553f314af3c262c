//! What all requests to one broker share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::access::{PasswordHash, User, UserTag};
use crate::management::body::LARGE_BODIES_MAX;
use crate::management::places::Places;
use crate::management::settings::HttpSettings;
use crate::management::snapshots::Snapshots;
use crate::management::throttle::Throttle;
use crate::node::Node;
use crate::node::statistics::Watching;
use crate::time::clock::Clock;

/// What all requests to one broker share.
pub(super) struct Manager {
    pub node: Arc<Node>,
    pub settings: HttpSettings,
    /// Time between machines, whatever clock the broker is on.
    pub clock: Clock,
    pub throttle: Throttle,
    /// Rates are kept for as long as there is somebody who may ask for them.
    pub _watching: Watching,
    /// One for each connection that may be open.
    pub places: Arc<Places>,
    /// A permit for each large body that may be taken at a time.
    pub large_bodies: Semaphore,
    /// Snapshots that were taken over HTTP.
    pub snapshots: Snapshots,
    /// The page that lists all endpoints.
    pub reference: String,
}

impl Manager {
    /// Who acts on the local socket: the default user if it may do everything, or else one that is
    /// nobody's login.
    pub(super) fn operator(&self) -> Arc<User> {
        let is_administrator = |user: &Arc<User>| user.has_tag(&UserTag::Administrator);
        self.node.default_user().filter(is_administrator).unwrap_or_else(|| {
            let nobody = User::new("local operator", PasswordHash::new("", [0; 4]));
            let tags = vec![UserTag::Administrator];
            Arc::new(User { password_hash: None, tags, ..nobody })
        })
    }

    pub(super) fn new(node: Arc<Node>, settings: HttpSettings, reference: String) -> Self {
        Self {
            _watching: node.watch_statistics(),
            node,
            places: Places::new(settings.connections_max),
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
            settings,
            clock: Clock::system(),
            throttle: Throttle::default(),
            snapshots: Snapshots::default(),
            reference,
        }
    }
}
