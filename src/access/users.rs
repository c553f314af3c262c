//! Users: who may log in, with which password, from where.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use super::edits::Edits;
use super::open_channels::OpenChannels;
use super::password::PasswordHash;
use crate::base::lock::RwLock;
use crate::base::names::UserName;
use crate::base::rank;

/// A user's tag. Tags other than `impersonator` matter to management only
/// `[rabbitmq management permissions]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserTag {
    /// May do everything in management.
    Administrator,
    /// Sees all connections and channels and the node's figures.
    Monitoring,
    /// Edits policies and parameters of virtual hosts it may enter.
    Policymaker,
    /// Uses management for virtual hosts it may enter.
    Management,
    /// May publish with a `user_id` that is not its own `[rabbitmq validated-user-id]`.
    Impersonator,
    /// A tag that the broker gives no meaning.
    Other(Box<str>),
}

impl UserTag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Administrator => "administrator",
            Self::Monitoring => "monitoring",
            Self::Policymaker => "policymaker",
            Self::Management => "management",
            Self::Impersonator => "impersonator",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for UserTag {
    fn from(name: &str) -> Self {
        match name {
            "administrator" => Self::Administrator,
            "monitoring" => Self::Monitoring,
            "policymaker" => Self::Policymaker,
            "management" => Self::Management,
            "impersonator" => Self::Impersonator,
            other => Self::Other(Box::from(other)),
        }
    }
}

impl fmt::Display for UserTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: UserName,
    /// The hashed password; `None` refuses every login with a password.
    pub password_hash: Option<PasswordHash>,
    /// What the user may do beside messaging.
    pub tags: Vec<UserTag>,
    /// Most connections at a time, over all virtual hosts; `None` or a negative number is no limit
    /// `[rabbitmq user-limits max-connections]`.
    pub max_connections: Option<i64>,
    /// Most channels at a time, over all connections; `None`, or a negative number, is no limit
    /// `[rabbitmq user-limits max-channels]`.
    pub max_channels: Option<i64>,
}

impl User {
    /// A user with a password, without tags and limits.
    pub fn new(name: impl Into<UserName>, password_hash: PasswordHash) -> Self {
        Self {
            name: name.into(),
            password_hash: Some(password_hash),
            tags: Vec::new(),
            max_connections: None,
            max_channels: None,
        }
    }

    /// Whether the user carries `tag`.
    pub fn has_tag(&self, tag: &UserTag) -> bool {
        self.tags.contains(tag)
    }
}

/// Why a login was refused. The texts are those that RabbitMQ logs; the client learns only that
/// the login was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefusal {
    /// There is no user of that name.
    #[error("user '{0}' - invalid credentials")]
    UnknownUser(UserName),
    /// The password is wrong, or the user has none.
    #[error("user '{0}' - invalid credentials")]
    WrongPassword(UserName),
    /// The client sent an empty password, which never logs in.
    #[error("user '{0}' attempted to log in with a blank password, which is prohibited")]
    BlankPassword(UserName),
    /// The name is one of the `loopback_users` and the peer is remote.
    #[error("user '{0}' can only connect via localhost")]
    OnlyLoopback(UserName),
}

impl LoginRefusal {
    /// The name that was given.
    pub(crate) fn user(&self) -> &str {
        match self {
            Self::UnknownUser(name)
            | Self::WrongPassword(name)
            | Self::BlankPassword(name)
            | Self::OnlyLoopback(name) => name.as_str(),
        }
    }
}

/// A user, and what it has open.
#[derive(Debug)]
struct Known {
    user: Arc<User>,
    channels: Arc<OpenChannels>,
}

/// All users.
///
/// Reads take a shared lock for the time of one lookup; hashing is done without it.
#[derive(Debug)]
pub struct UserTable {
    users: RwLock<HashMap<UserName, Known>, rank::Users>,
    loopback_users: HashSet<UserName>,
    /// Hashed against when the user is unknown, so that the answer takes as long.
    decoy: PasswordHash,
    edits: Arc<Edits>,
}

impl UserTable {
    /// An empty table. The `loopback_users` may connect only from this host
    /// (RabbitMQ's default is `guest`) `[rabbitmq loopback_users]`.
    pub fn new(loopback_users: impl IntoIterator<Item = UserName>) -> Self {
        Self::sharing(loopback_users, Arc::default())
    }

    pub(super) fn sharing(
        loopback_users: impl IntoIterator<Item = UserName>,
        edits: Arc<Edits>,
    ) -> Self {
        Self {
            users: RwLock::default(),
            loopback_users: loopback_users.into_iter().collect(),
            decoy: PasswordHash::new("", [0; 4]),
            edits,
        }
    }

    /// Adds the user, or replaces the one of the same name.
    pub fn put(&self, user: User) {
        let mut users = self.users.write();
        let user = Arc::new(user);
        match users.entry(user.name.clone()) {
            Entry::Occupied(mut known) => {
                self.edits.tell_user(Some(&known.get().user), &user);
                known.get_mut().user = user;
            }
            Entry::Vacant(place) => {
                self.edits.tell_user(None, &user);
                place.insert(Known { user, channels: Arc::default() });
            }
        }
        self.edits.note();
    }

    /// Removes the user and gives it back.
    pub fn remove(&self, name: &str) -> Option<Arc<User>> {
        let mut users = self.users.write();
        let removed = users.remove(name);
        if removed.is_some() {
            self.edits.tell("user.deleted", |told| told.text("name", name));
        }
        self.edits.note();
        removed.map(|known| known.user)
    }

    /// The user of that name.
    pub fn get(&self, name: &str) -> Option<Arc<User>> {
        self.users.read().get(name).map(|known| Arc::clone(&known.user))
    }

    /// The channels that the user of that name has open. Of one who is removed, nobody counts them
    /// any more.
    pub(crate) fn open_channels(&self, name: &str) -> Arc<OpenChannels> {
        let users = self.users.read();
        users.get(name).map(|known| Arc::clone(&known.channels)).unwrap_or_default()
    }

    /// All users, by name.
    pub fn list(&self) -> Vec<Arc<User>> {
        let mut users: Vec<_> =
            self.users.read().values().map(|known| Arc::clone(&known.user)).collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// Checks a login with a password, as for the mechanisms PLAIN and AMQPLAIN.
    ///
    /// # Errors
    /// The reason of the refusal, for the log. Like RabbitMQ the place the user connects from is
    /// looked at last, so a wrong guess from afar learns nothing about the name.
    pub fn authenticate(
        &self,
        name: &str,
        password: impl AsRef<[u8]>,
        peer_is_loopback: bool,
    ) -> Result<Arc<User>, LoginRefusal> {
        let password = password.as_ref();
        if password.is_empty() {
            return Err(LoginRefusal::BlankPassword(name.into()));
        }
        let user = self.get(name);
        let hash = user.as_ref().and_then(|user| user.password_hash.as_ref());
        let matches = black_box(hash.unwrap_or(&self.decoy).verify(password));
        match user {
            None => Err(LoginRefusal::UnknownUser(name.into())),
            Some(user) if user.password_hash.is_none() || !matches => {
                Err(LoginRefusal::WrongPassword(name.into()))
            }
            Some(user) if !peer_is_loopback && self.loopback_users.contains(name) => {
                Err(LoginRefusal::OnlyLoopback(user.name.clone()))
            }
            Some(user) => Ok(user),
        }
    }

    /// Lets in whoever has shown by other means than a password to be the user, as with a
    /// certificate for the mechanism EXTERNAL.
    ///
    /// # Errors
    /// The reason of the refusal, for the log.
    pub(crate) fn admit(
        &self,
        name: &str,
        peer_is_loopback: bool,
    ) -> Result<Arc<User>, LoginRefusal> {
        match self.get(name) {
            None => Err(LoginRefusal::UnknownUser(name.into())),
            Some(user) if !peer_is_loopback && self.loopback_users.contains(name) => {
                Err(LoginRefusal::OnlyLoopback(user.name.clone()))
            }
            Some(user) => Ok(user),
        }
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

    fn table() -> UserTable {
        let table = UserTable::new([UserName::from("guest")]);
        table.put(User::new("guest", PasswordHash::new("guest", [1; 4])));
        table.put(User::new("shop", PasswordHash::new("secret", [2; 4])));
        table
    }

    fn refusal(name: &str, password: &str, peer_is_loopback: bool) -> String {
        table().authenticate(name, password, peer_is_loopback).unwrap_err().to_string()
    }

    #[test]
    fn right_password_logs_in() {
        assert_eq!(table().authenticate("guest", "guest", true).unwrap().name.as_str(), "guest");
        assert_eq!(table().authenticate("shop", "secret", false).unwrap().name.as_str(), "shop");
    }

    #[test]
    fn refusals_have_the_texts_that_rabbitmq_logs() {
        assert_eq!(refusal("shop", "Secret", true), "user 'shop' - invalid credentials");
        assert_eq!(refusal("nobody", "x", true), "user 'nobody' - invalid credentials");
        assert_eq!(refusal("guest", "guest", false), "user 'guest' can only connect via localhost");
        assert!(refusal("guest", "", true).contains("blank password"));
    }

    #[test]
    fn refusals_tell_unknown_users_from_wrong_passwords() {
        let table = table();
        assert_eq!(
            table.authenticate("nobody", "x", true),
            Err(LoginRefusal::UnknownUser("nobody".into()))
        );
        assert_eq!(
            table.authenticate("guest", "x", false),
            Err(LoginRefusal::WrongPassword("guest".into())),
            "the password is checked before the place"
        );
    }

    #[test]
    fn a_user_without_password_cannot_log_in_with_one() {
        let table = table();
        table.put(User {
            password_hash: None,
            ..User::new("certificate", PasswordHash::new("x", [0; 4]))
        });
        assert_eq!(
            table.authenticate("certificate", "x", true),
            Err(LoginRefusal::WrongPassword("certificate".into()))
        );
        assert!(table.authenticate("certificate", "", true).is_err());
    }

    #[test]
    fn put_replaces_and_remove_removes() {
        let table = table();
        let before = table.generation();
        table.put(User::new("shop", PasswordHash::new("new", [3; 4])));
        assert!(table.authenticate("shop", "secret", true).is_err());
        assert!(table.authenticate("shop", "new", true).is_ok());
        let replaced = table.generation();
        assert_ne!(before, replaced);
        assert!(table.remove("shop").is_some());
        assert!(table.remove("shop").is_none());
        assert!(table.get("shop").is_none());
        assert_ne!(replaced, table.generation());
        let names: Vec<_> = table.list().iter().map(|user| user.name.to_string()).collect();
        assert_eq!(names, ["guest"]);
    }

    #[test]
    fn tags_read_and_print_alike() {
        for name in ["administrator", "monitoring", "policymaker", "management", "impersonator"] {
            let tag = UserTag::from(name);
            assert!(!matches!(tag, UserTag::Other(_)));
            assert_eq!(tag.to_string(), name);
        }
        assert_eq!(UserTag::from("ops").to_string(), "ops");
    }
}
