//! Permissions on the routing keys of topic exchanges `[rabbitmq topic-authorisation]`.

use std::collections::HashMap;
use std::sync::Arc;

use super::edits::Edits;
use super::pattern::{Pattern, PatternError};
use crate::base::lock::RwLock;
use crate::base::names::{ExchangeName, UserName, VirtualHostName};
use crate::base::rank;
use crate::error::Access;

/// The routing keys that a user may publish to, and the binding keys that it may bind with, on
/// one topic exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPermissions {
    /// Routing keys for publishing.
    pub write: Pattern,
    /// Binding keys for binding a queue or an exchange.
    pub read: Pattern,
}

impl TopicPermissions {
    /// Whether `access` to the key is granted. Nothing about a key can be configured, so
    /// [`Access::Configure`] is not restricted here.
    pub fn check(&self, access: Access, routing_key: impl AsRef<[u8]>) -> bool {
        match access {
            Access::Configure => true,
            Access::Write => self.write.matches(routing_key),
            Access::Read => self.read.matches(routing_key),
        }
    }
}

type ByExchange = HashMap<ExchangeName, Arc<TopicPermissions>>;

/// One entry of [`TopicPermissionTable::list`].
pub(crate) type TopicPermissionEntry =
    (UserName, VirtualHostName, ExchangeName, Arc<TopicPermissions>);

/// The topic permissions of all users. Where none is set every key is granted.
#[derive(Debug, Default)]
pub struct TopicPermissionTable {
    permissions:
        RwLock<HashMap<UserName, HashMap<VirtualHostName, ByExchange>>, rank::TopicPermissions>,
    edits: Arc<Edits>,
}

impl TopicPermissionTable {
    pub(super) fn sharing(edits: Arc<Edits>) -> Self {
        Self { edits, ..Self::default() }
    }

    /// Sets the user's patterns on the exchange. `{username}` and `{vhost}` in them stand for the
    /// given names.
    ///
    /// # Errors
    /// When a pattern is not a regular expression that the broker takes.
    pub fn set(
        &self,
        user: UserName,
        vhost: VirtualHostName,
        exchange: ExchangeName,
        (write, read): (&str, &str),
    ) -> Result<(), PatternError> {
        let permissions = Self::compile(&user, &vhost, (write, read))?;
        self.insert(user, vhost, exchange, permissions);
        Ok(())
    }

    /// Compiles patterns without setting them, to be inserted once all are known to be good.
    ///
    /// # Errors
    /// As for [`TopicPermissionTable::set`].
    pub fn compile(
        user: &UserName,
        vhost: &VirtualHostName,
        (write, read): (&str, &str),
    ) -> Result<TopicPermissions, PatternError> {
        Ok(TopicPermissions {
            write: Pattern::with_variables(write, user.as_str(), vhost.as_str())?,
            read: Pattern::with_variables(read, user.as_str(), vhost.as_str())?,
        })
    }

    /// Sets patterns that are compiled already.
    pub fn insert(
        &self,
        user: UserName,
        vhost: VirtualHostName,
        exchange: ExchangeName,
        permissions: TopicPermissions,
    ) {
        let mut table = self.permissions.write();
        self.edits.tell("topic.permission.created", |told| {
            told.text("user", user.as_str())
                .text("vhost", vhost.as_str())
                .text("exchange", exchange.as_str())
                .text("write", permissions.write.as_str())
                .text("read", permissions.read.as_str())
        });
        let exchanges = table.entry(user).or_default().entry(vhost).or_default();
        exchanges.insert(exchange, Arc::new(permissions));
        self.edits.note();
    }

    /// The user's patterns on the exchange; `None` when its keys are not restricted.
    pub fn get(&self, user: &str, vhost: &str, exchange: &str) -> Option<Arc<TopicPermissions>> {
        self.permissions.read().get(user)?.get(vhost)?.get(exchange).cloned()
    }

    /// Whether the user has `access` to the key on the exchange.
    pub fn check(
        &self,
        user: &str,
        vhost: &str,
        exchange: &str,
        access: Access,
        routing_key: impl AsRef<[u8]>,
    ) -> bool {
        self.get(user, vhost, exchange).is_none_or(|granted| granted.check(access, routing_key))
    }

    /// Lifts the user's restrictions on the exchange.
    pub fn remove(&self, user: &str, vhost: &str, exchange: &str) -> Option<Arc<TopicPermissions>> {
        let mut table = self.permissions.write();
        let exchanges = table.get_mut(user).and_then(|vhosts| vhosts.get_mut(vhost));
        let removed = exchanges.and_then(|exchanges| exchanges.remove(exchange));
        if removed.is_some() {
            self.edits.tell_removed("topic.permission.deleted", user, vhost);
        }
        self.edits.note();
        removed
    }

    /// Forgets everything about the user.
    pub fn remove_user(&self, user: &str) {
        let mut table = self.permissions.write();
        for vhost in table.remove(user).into_iter().flat_map(HashMap::into_keys) {
            self.edits.tell_removed("topic.permission.deleted", user, vhost.as_str());
        }
        self.edits.note();
    }

    /// Forgets everything about the virtual host.
    pub fn remove_virtual_host(&self, vhost: &str) {
        let mut table = self.permissions.write();
        for (user, vhosts) in &mut *table {
            if vhosts.remove(vhost).is_some() {
                self.edits.tell_removed("topic.permission.deleted", user.as_str(), vhost);
            }
        }
        self.edits.note();
    }

    /// All topic permissions, by user, virtual host and exchange.
    pub fn list(&self) -> Vec<TopicPermissionEntry> {
        let mut list = Vec::new();
        for (user, vhosts) in &*self.permissions.read() {
            for (vhost, exchanges) in vhosts {
                for (exchange, granted) in exchanges {
                    list.push((user.clone(), vhost.clone(), exchange.clone(), granted.clone()));
                }
            }
        }
        list.sort_by(|a, b| (&a.0, &a.1, &a.2).cmp(&(&b.0, &b.1, &b.2)));
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
    use super::*;

    fn table() -> TopicPermissionTable {
        let table = TopicPermissionTable::default();
        let patterns = ("^allowed", "^{username}\\.");
        table.set("u".into(), "/".into(), "amq.topic".into(), patterns).unwrap();
        table
    }

    #[test]
    fn keys_are_checked_where_a_pattern_is_set() {
        let table = table();
        assert!(table.check("u", "/", "amq.topic", Access::Write, "allowed.1"));
        assert!(!table.check("u", "/", "amq.topic", Access::Write, "other"));
        assert!(table.check("u", "/", "amq.topic", Access::Read, "u.k"));
        assert!(!table.check("u", "/", "amq.topic", Access::Read, "v.k"));
    }

    #[test]
    fn keys_are_free_where_none_is_set() {
        let table = table();
        assert!(table.check("u", "/", "x", Access::Write, "other"));
        assert!(table.check("v", "/", "amq.topic", Access::Write, "other"));
        assert!(table.check("u", "v", "amq.topic", Access::Write, "other"));
        assert!(table.check("u", "/", "amq.topic", Access::Configure, "other"));
    }

    #[test]
    fn removing_lifts_the_restriction() {
        let table = table();
        let before = table.generation();
        assert!(table.remove("u", "/", "amq.topic").is_some());
        assert!(table.remove("u", "/", "amq.topic").is_none());
        assert!(table.check("u", "/", "amq.topic", Access::Write, "other"));
        assert_ne!(before, table.generation());
    }

    #[test]
    fn users_and_virtual_hosts_take_theirs_along() {
        let table = table();
        table.set("v".into(), "w".into(), "x".into(), ("", "")).unwrap();
        table.remove_virtual_host("w");
        assert_eq!(table.list().len(), 1);
        table.remove_user("u");
        assert!(table.list().is_empty());
    }

    #[test]
    fn a_bad_pattern_sets_nothing() {
        let table = table();
        let error = table.set("u".into(), "/".into(), "x".into(), ("(", "")).unwrap_err();
        assert_eq!(error.pattern, "(");
        assert_eq!(table.list().len(), 1);
    }
}
