//! Permissions of a user in a virtual host.

use std::collections::HashMap;
use std::sync::Arc;

use super::edits::Edits;
use super::pattern::{Pattern, PatternError};
use crate::base::lock::RwLock;
use crate::base::names::{UserName, VirtualHostName};
use crate::base::rank;
use crate::error::Access;

/// The names that a user may configure, write to and read from in one virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Names for [`Access::Configure`].
    pub configure: Pattern,
    /// Names for [`Access::Write`].
    pub write: Pattern,
    /// Names for [`Access::Read`].
    pub read: Pattern,
}

impl Permissions {
    /// Compiles the three patterns.
    ///
    /// # Errors
    /// When one of them is not a regular expression that the broker takes.
    pub fn new(configure: &str, write: &str, read: &str) -> Result<Self, PatternError> {
        Ok(Self {
            configure: Pattern::new(configure)?,
            write: Pattern::new(write)?,
            read: Pattern::new(read)?,
        })
    }

    /// Permission for everything in the virtual host.
    pub fn full() -> Self {
        let anything = Pattern::anything();
        Self { configure: anything.clone(), write: anything.clone(), read: anything }
    }

    /// Whether `access` to the resource is granted. The default exchange is called
    /// `amq.default`.
    pub fn check(&self, access: Access, resource_name: &str) -> bool {
        match access {
            Access::Configure => &self.configure,
            Access::Write => &self.write,
            Access::Read => &self.read,
        }
        .matches(resource_name)
    }
}

type ByVirtualHost = HashMap<VirtualHostName, Arc<Permissions>>;

/// The permissions of all users in all virtual hosts.
#[derive(Debug, Default)]
pub struct PermissionTable {
    permissions: RwLock<HashMap<UserName, ByVirtualHost>, rank::Permissions>,
    edits: Arc<Edits>,
}

impl PermissionTable {
    pub(super) fn sharing(edits: Arc<Edits>) -> Self {
        Self { edits, ..Self::default() }
    }

    /// Sets the user's permissions in the virtual host.
    pub fn set(&self, user: UserName, vhost: VirtualHostName, permissions: Permissions) {
        let mut table = self.permissions.write();
        self.edits.tell_permissions(user.as_str(), vhost.as_str(), &permissions);
        table.entry(user).or_default().insert(vhost, Arc::new(permissions));
        self.edits.note();
    }

    /// The user's permissions in the virtual host; `None` when it has no access there.
    pub fn get(&self, user: &str, vhost: &str) -> Option<Arc<Permissions>> {
        self.permissions.read().get(user)?.get(vhost).cloned()
    }

    /// Whether the user may open the virtual host: it has permissions there, be they empty.
    pub fn has_vhost_access(&self, user: &str, vhost: &str) -> bool {
        self.permissions.read().get(user).is_some_and(|vhosts| vhosts.contains_key(vhost))
    }

    /// Whether the user has `access` to the resource in the virtual host.
    pub fn check(&self, user: &str, vhost: &str, access: Access, resource_name: &str) -> bool {
        self.get(user, vhost).is_some_and(|granted| granted.check(access, resource_name))
    }

    /// Takes the user's permissions in the virtual host away.
    pub fn remove(&self, user: &str, vhost: &str) -> Option<Arc<Permissions>> {
        let mut table = self.permissions.write();
        let removed = table.get_mut(user).and_then(|vhosts| vhosts.remove(vhost));
        if removed.is_some() {
            self.edits.tell_removed("permission.deleted", user, vhost);
        }
        self.edits.note();
        removed
    }

    /// Takes all permissions of the user away.
    pub fn remove_user(&self, user: &str) {
        let mut table = self.permissions.write();
        for vhost in table.remove(user).into_iter().flat_map(HashMap::into_keys) {
            self.edits.tell_removed("permission.deleted", user, vhost.as_str());
        }
        self.edits.note();
    }

    /// Takes all permissions in the virtual host away.
    pub fn remove_virtual_host(&self, vhost: &str) {
        let mut table = self.permissions.write();
        for (user, vhosts) in &mut *table {
            if vhosts.remove(vhost).is_some() {
                self.edits.tell_removed("permission.deleted", user.as_str(), vhost);
            }
        }
        self.edits.note();
    }

    /// All permissions, by user and virtual host.
    pub fn list(&self) -> Vec<(UserName, VirtualHostName, Arc<Permissions>)> {
        let table = self.permissions.read();
        let mut list: Vec<_> = table
            .iter()
            .flat_map(|(user, vhosts)| {
                vhosts.iter().map(|(vhost, granted)| (user.clone(), vhost.clone(), granted.clone()))
            })
            .collect();
        list.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        list
    }

    /// A number that changes with every edit, of this table or another of the same
    /// [`AccessControl`](super::AccessControl).
    pub fn generation(&self) -> u64 {
        self.edits.count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> PermissionTable {
        let table = PermissionTable::default();
        table.set("u".into(), "/".into(), Permissions::new("-conf", "-write", "").unwrap());
        table
    }

    #[test]
    fn each_access_has_its_pattern() {
        let table = table();
        assert!(table.check("u", "/", Access::Configure, "q-conf"));
        assert!(!table.check("u", "/", Access::Configure, "q-write"));
        assert!(table.check("u", "/", Access::Write, "q-write"));
        assert!(!table.check("u", "/", Access::Read, "q-conf-write"));
    }

    #[test]
    fn nothing_is_granted_elsewhere() {
        let table = table();
        assert!(!table.check("u", "other", Access::Configure, "q-conf"));
        assert!(!table.check("v", "/", Access::Configure, "q-conf"));
        assert!(!table.has_vhost_access("u", "other"));
        assert!(!table.has_vhost_access("v", "/"));
    }

    #[test]
    fn empty_permissions_still_open_the_virtual_host() {
        let table = PermissionTable::default();
        table.set("u".into(), "/".into(), Permissions::new("", "", "").unwrap());
        assert!(table.has_vhost_access("u", "/"));
        assert!(!table.check("u", "/", Access::Read, "q"));
    }

    #[test]
    fn every_edit_changes_the_generation() {
        let table = table();
        let mut seen = vec![table.generation()];
        table.set("u".into(), "v".into(), Permissions::full());
        seen.push(table.generation());
        table.remove("u", "v");
        seen.push(table.generation());
        table.remove_user("u");
        seen.push(table.generation());
        table.remove_virtual_host("/");
        seen.push(table.generation());
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    }

    #[test]
    fn removals_reach_what_they_name() {
        let table = table();
        table.set("u".into(), "v".into(), Permissions::full());
        table.set("w".into(), "v".into(), Permissions::full());
        table.remove_virtual_host("v");
        assert!(table.has_vhost_access("u", "/"));
        assert!(!table.has_vhost_access("w", "v"));
        table.remove_user("u");
        assert!(table.list().is_empty());
    }

    proptest! {
        #[test]
        fn full_permissions_grant_everything(name: String) {
            for access in [Access::Configure, Access::Write, Access::Read] {
                prop_assert!(Permissions::full().check(access, &name));
            }
        }

        #[test]
        fn empty_permissions_grant_nothing(name in "\\PC{1,40}") {
            let none = Permissions::new("", "", "").unwrap();
            for access in [Access::Configure, Access::Write, Access::Read] {
                prop_assert!(!none.check(access, &name));
            }
        }
    }
}
