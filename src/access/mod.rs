//! Users and what they may do `[rabbitmq access-control]`.

mod actor;
mod edits;
mod open_channels;
pub(crate) mod password;
pub(crate) mod pattern;
pub(crate) mod permissions;
mod telling;
pub(crate) mod topic_permissions;
pub(crate) mod users;

pub(crate) use actor::Actor;
pub(crate) use open_channels::OpenChannels;
pub use password::{HashingAlgorithm, PasswordHash, PasswordHashError, Salt};
pub use pattern::{Pattern, PatternError};
pub use permissions::{PermissionTable, Permissions};
pub use topic_permissions::{TopicPermissionTable, TopicPermissions};
pub use users::{LoginRefusal, User, UserTable, UserTag};

use std::sync::Arc;

use self::edits::Edits;
use crate::base::herald::Herald;
use crate::base::names::{UserName, VirtualHostName};
pub use crate::error::{Access, AccessRefusal, ResourceKind};

/// The name of the default exchange in permissions and error texts.
pub const DEFAULT_EXCHANGE_RESOURCE: &str = "amq.default";

/// The users of a broker and their permissions.
///
/// Everything may be read and edited from any thread. A reader that keeps decisions reads
/// [`AccessControl::generation`] before it checks, and checks again once the number is another.
#[derive(Debug)]
pub struct AccessControl {
    /// Who may log in.
    pub users: UserTable,
    /// What they may do, by virtual host.
    pub permissions: PermissionTable,
    /// Which keys they may use on topic exchanges.
    pub topic_permissions: TopicPermissionTable,
    edits: Arc<Edits>,
}

impl AccessControl {
    /// No users yet. The `loopback_users` may connect only from this host.
    pub fn new(loopback_users: impl IntoIterator<Item = UserName>) -> Self {
        let edits: Arc<Edits> = Arc::default();
        Self {
            users: UserTable::sharing(loopback_users, edits.clone()),
            permissions: PermissionTable::sharing(edits.clone()),
            topic_permissions: TopicPermissionTable::sharing(edits.clone()),
            edits,
        }
    }

    /// Calls `watcher` after every edit from now on, while a table may still be locked.
    pub(crate) fn watch(&self, watcher: impl Fn() + Send + Sync + 'static) {
        self.edits.watch(watcher);
    }

    /// Tells events there from now on.
    pub(crate) fn tell_to(&self, herald: &Arc<Herald>) {
        self.edits.tell_to(herald);
    }

    /// Adds a user with the tag `administrator` and full permissions in the virtual host, as
    /// RabbitMQ's default user has.
    pub fn add_administrator(
        &self,
        name: UserName,
        password_hash: PasswordHash,
        vhost: VirtualHostName,
    ) {
        self.permissions.set(name.clone(), vhost, Permissions::full());
        let tags = vec![UserTag::Administrator];
        self.users.put(User { tags, ..User::new(name, password_hash) });
    }

    /// Removes a user with all its permissions.
    pub fn remove_user(&self, name: &str) {
        self.users.remove(name);
        self.permissions.remove_user(name);
        self.topic_permissions.remove_user(name);
    }

    /// Forgets all permissions in a virtual host, when it is deleted.
    pub fn remove_virtual_host(&self, vhost: &str) {
        self.permissions.remove_virtual_host(vhost);
        self.topic_permissions.remove_virtual_host(vhost);
    }

    /// A number that changes with every edit of users, permissions or topic permissions.
    pub fn generation(&self) -> u64 {
        self.edits.count()
    }

    /// Checks that the user may open the virtual host.
    ///
    /// # Errors
    /// [`AccessRefusal::VirtualHost`] when it has no permissions there.
    pub fn check_vhost(
        &self,
        user: &UserName,
        vhost: &VirtualHostName,
    ) -> Result<(), AccessRefusal> {
        if self.permissions.has_vhost_access(user.as_str(), vhost.as_str()) {
            return Ok(());
        }
        Err(AccessRefusal::VirtualHost { vhost: vhost.clone(), user: user.clone() })
    }

    /// Checks the user's permission on an exchange or a queue. The default exchange may be given
    /// by its empty name.
    ///
    /// # Errors
    /// [`AccessRefusal::Resource`] when the permission is not granted.
    pub fn check_resource(
        &self,
        user: &UserName,
        vhost: &VirtualHostName,
        access: Access,
        (kind, name): (ResourceKind, &str),
    ) -> Result<(), AccessRefusal> {
        let name = match (kind, name) {
            (ResourceKind::Exchange, "") => DEFAULT_EXCHANGE_RESOURCE,
            _ => name,
        };
        if self.permissions.check(user.as_str(), vhost.as_str(), access, name) {
            return Ok(());
        }
        Err(AccessRefusal::Resource {
            access,
            kind,
            name: Box::from(name),
            vhost: vhost.clone(),
            user: user.clone(),
        })
    }

    /// Checks the user's permission on a key of a topic exchange, beside that on the exchange.
    ///
    /// # Errors
    /// [`AccessRefusal::Topic`] when the permission is not granted.
    pub fn check_topic(
        &self,
        user: &UserName,
        vhost: &VirtualHostName,
        access: Access,
        (exchange, routing_key): (&str, &str),
    ) -> Result<(), AccessRefusal> {
        let table = &self.topic_permissions;
        if table.check(user.as_str(), vhost.as_str(), exchange, access, routing_key) {
            return Ok(());
        }
        Err(AccessRefusal::Topic {
            access,
            routing_key: Box::from(routing_key),
            exchange: exchange.into(),
            vhost: vhost.clone(),
            user: user.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The user of RabbitMQ's recorded access transcripts.
    fn limited() -> (AccessControl, UserName, VirtualHostName) {
        let access = AccessControl::new([UserName::from("guest")]);
        let user = UserName::from("conf-limited");
        let vhost = VirtualHostName::from("/");
        access.users.put(User::new(user.clone(), PasswordHash::new("secret", [1; 4])));
        access.permissions.set(
            user.clone(),
            vhost.clone(),
            Permissions::new("-conf", "-write|^amq.topic$", "-read").unwrap(),
        );
        access
            .topic_permissions
            .set(user.clone(), vhost.clone(), "amq.topic".into(), ("^allowed", "^allowed"))
            .unwrap();
        (access, user, vhost)
    }

    fn refusal(needed: Access, resource: (ResourceKind, &str)) -> String {
        let (access, user, vhost) = limited();
        access.check_resource(&user, &vhost, needed, resource).unwrap_err().to_string()
    }

    #[test]
    fn refused_resources_are_explained_as_by_rabbitmq() {
        assert_eq!(
            refusal(Access::Configure, (ResourceKind::Queue, "q-other")),
            "configure access to queue 'q-other' in vhost '/' refused for user 'conf-limited'"
        );
        assert_eq!(
            refusal(Access::Read, (ResourceKind::Exchange, "x-other")),
            "read access to exchange 'x-other' in vhost '/' refused for user 'conf-limited'"
        );
        assert_eq!(
            refusal(Access::Write, (ResourceKind::Exchange, "")),
            "write access to exchange 'amq.default' in vhost '/' refused for user 'conf-limited'"
        );
    }

    #[test]
    fn refused_topics_are_explained_as_by_rabbitmq() {
        let (access, user, vhost) = limited();
        let check = |key| access.check_topic(&user, &vhost, Access::Write, ("amq.topic", key));
        assert_eq!(check("allowed.1"), Ok(()));
        assert_eq!(
            check("k").unwrap_err().to_string(),
            "write access to topic 'k' in exchange 'amq.topic' in vhost '/' refused for user \
             'conf-limited'"
        );
    }

    #[test]
    fn a_refused_virtual_host_is_explained_as_by_rabbitmq() {
        let (access, user, vhost) = limited();
        assert_eq!(access.check_vhost(&user, &vhost), Ok(()));
        assert_eq!(
            access.check_vhost(&"conf-nobody".into(), &vhost).unwrap_err().to_string(),
            "access to vhost '/' refused for user 'conf-nobody'"
        );
    }

    #[test]
    fn granted_access_passes() {
        let (access, user, vhost) = limited();
        let resource = (ResourceKind::Queue, "q-read");
        assert_eq!(access.check_resource(&user, &vhost, Access::Read, resource), Ok(()));
    }

    #[test]
    fn the_default_user_may_do_everything_from_here_only() {
        let access = AccessControl::new([UserName::from("guest")]);
        let hash = PasswordHash::new("guest", [1; 4]);
        access.add_administrator("guest".into(), hash, "/".into());
        let guest = access.users.authenticate("guest", "guest", true).unwrap();
        assert!(guest.has_tag(&UserTag::Administrator));
        let (vhost, queue) = ("/".into(), (ResourceKind::Queue, "q"));
        assert_eq!(access.check_resource(&guest.name, &vhost, Access::Configure, queue), Ok(()));
        assert!(access.users.authenticate("guest", "guest", false).is_err());
    }

    #[test]
    fn a_removed_user_leaves_nothing_behind() {
        let (access, user, vhost) = limited();
        let before = access.generation();
        access.remove_user("conf-limited");
        assert_ne!(before, access.generation());
        assert!(access.users.get("conf-limited").is_none());
        assert!(access.check_vhost(&user, &vhost).is_err());
        assert!(access.topic_permissions.list().is_empty());
    }

    #[test]
    fn a_removed_virtual_host_takes_its_permissions_along() {
        let (access, user, vhost) = limited();
        access.remove_virtual_host("/");
        assert!(access.check_vhost(&user, &vhost).is_err());
        assert!(access.topic_permissions.list().is_empty());
        assert!(access.users.get("conf-limited").is_some());
    }
}
