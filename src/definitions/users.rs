//! Users and permissions between definitions and the broker's tables.

use std::collections::HashSet;
use std::mem;

use serde_json::Value;

use super::objects::{PermissionDefinition, TopicPermissionDefinition, UserDefinition};
use super::{Definitions, DefinitionsError, JsonObject, RefusedObject};
use crate::access::{
    AccessControl, HashingAlgorithm, PasswordHash, Permissions, TopicPermissionTable,
    TopicPermissions, User, UserTag,
};
use crate::base::names::{ExchangeName, UserName, VirtualHostName};

/// Puts the users and permissions of the definitions into the tables. Users that exist are
/// replaced, others stay.
///
/// # Errors
/// When a password hash or a pattern is bad, or a permission is for a user that neither the
/// definitions nor the tables have. Nothing is changed then.
pub fn apply_users(
    definitions: &Definitions,
    access: &AccessControl,
) -> Result<(), DefinitionsError> {
    let mut read = Tables::read(definitions, access);
    if !read.refused.is_empty() {
        let RefusedObject { object: place, reason } = read.refused.swap_remove(0);
        return Err(DefinitionsError::Object { place, reason });
    }
    read.put_into(access);
    Ok(())
}

/// The same, with what is good of the definitions, for the virtual hosts that are there; tells what
/// is left out.
pub(crate) fn apply_good_users(
    definitions: &Definitions,
    access: &AccessControl,
    has_host: &dyn Fn(&str) -> bool,
) -> Vec<RefusedObject> {
    let mut read = Tables::read(definitions, access);
    let mut refused = mem::take(&mut read.refused);
    let mut check = |object: String, host: &VirtualHostName| {
        let is_there = has_host(host.as_str());
        if !is_there {
            let reason = format!("there is no virtual host '{host}'");
            refused.push(RefusedObject { object, reason });
        }
        is_there
    };
    read.permissions
        .retain(|(user, host, _)| check(permissions_of(user.as_str(), host.as_str()), host));
    read.topic_permissions.retain(|(user, host, exchange, _)| {
        check(topic_permissions_of(user.as_str(), host.as_str(), exchange.as_str()), host)
    });
    read.put_into(access);
    refused
}

/// What definitions say of users.
#[derive(Default)]
struct Tables {
    users: Vec<User>,
    permissions: Vec<(UserName, VirtualHostName, Permissions)>,
    topic_permissions: Vec<(UserName, VirtualHostName, ExchangeName, TopicPermissions)>,
    /// What cannot be had of it.
    refused: Vec<RefusedObject>,
}

impl Tables {
    fn read(definitions: &Definitions, access: &AccessControl) -> Self {
        let mut tables = Self::default();
        let usual = usual_algorithm(definitions.rabbit_version.as_deref());
        for definition in &definitions.users {
            let object = || format!("user '{}'", definition.name);
            let user = or_refuse(user(definition, usual), &mut tables.refused, object);
            tables.users.extend(user);
        }
        let defined: HashSet<String> =
            tables.users.iter().map(|user| user.name.to_string()).collect();
        let known = |name: &str| {
            (defined.contains(name) || access.users.get(name).is_some())
                .then(|| UserName::from(name))
                .ok_or_else(|| format!("there is no user '{name}'"))
        };
        for entry in &definitions.permissions {
            let granted = Permissions::new(&entry.configure, &entry.write, &entry.read);
            let granted = granted.map_err(|error| error.to_string());
            let host = VirtualHostName::from(entry.vhost.as_str());
            let row = known(&entry.user).and_then(|user| Ok((user, host, granted?)));
            let object = || permissions_of(&entry.user, &entry.vhost);
            tables.permissions.extend(or_refuse(row, &mut tables.refused, object));
        }
        for entry in &definitions.topic_permissions {
            let row = known(&entry.user).and_then(|user| {
                let host = VirtualHostName::from(entry.vhost.as_str());
                let patterns = (entry.write.as_str(), entry.read.as_str());
                let granted = TopicPermissionTable::compile(&user, &host, patterns)
                    .map_err(|error| error.to_string())?;
                Ok((user, host, entry.exchange.as_str().into(), granted))
            });
            let object = || topic_permissions_of(&entry.user, &entry.vhost, &entry.exchange);
            tables.topic_permissions.extend(or_refuse(row, &mut tables.refused, object));
        }
        tables
    }

    fn put_into(self, access: &AccessControl) {
        self.users.into_iter().for_each(|user| access.users.put(user));
        for (user, vhost, granted) in self.permissions {
            access.permissions.set(user, vhost, granted);
        }
        for (user, vhost, exchange, granted) in self.topic_permissions {
            access.topic_permissions.insert(user, vhost, exchange, granted);
        }
    }
}

fn or_refuse<T>(
    read: Result<T, String>,
    refused: &mut Vec<RefusedObject>,
    object: impl Fn() -> String,
) -> Option<T> {
    read.map_err(|reason| refused.push(RefusedObject { object: object(), reason })).ok()
}

fn permissions_of(user: &str, host: &str) -> String {
    format!("permissions of '{user}' in vhost '{host}'")
}

fn topic_permissions_of(user: &str, host: &str, exchange: &str) -> String {
    format!("topic permissions of '{user}' for exchange '{exchange}' in vhost '{host}'")
}

/// Makes the tables say what the definitions say, and no more.
///
/// # Errors
/// As [`apply_users`]. Nothing is changed then.
pub(crate) fn replace_users(
    definitions: &Definitions,
    access: &AccessControl,
) -> Result<(), DefinitionsError> {
    apply_users(definitions, access)?;
    let users: HashSet<&str> = definitions.users.iter().map(|user| user.name.as_str()).collect();
    for user in access.users.list().iter().filter(|user| !users.contains(user.name.as_str())) {
        access.remove_user(user.name.as_str());
    }
    let granted: HashSet<_> =
        definitions.permissions.iter().map(|p| (p.user.as_str(), p.vhost.as_str())).collect();
    for (user, vhost, _) in access.permissions.list() {
        if !granted.contains(&(user.as_str(), vhost.as_str())) {
            access.permissions.remove(user.as_str(), vhost.as_str());
        }
    }
    let granted: HashSet<_> = definitions
        .topic_permissions
        .iter()
        .map(|p| (p.user.as_str(), p.vhost.as_str(), p.exchange.as_str()))
        .collect();
    for (user, vhost, exchange, _) in access.topic_permissions.list() {
        if !granted.contains(&(user.as_str(), vhost.as_str(), exchange.as_str())) {
            access.topic_permissions.remove(user.as_str(), vhost.as_str(), exchange.as_str());
        }
    }
    Ok(())
}

/// How passwords were hashed that come without the name of an algorithm: before RabbitMQ 3.6 there
/// was but one.
fn usual_algorithm(rabbit_version: Option<&str>) -> HashingAlgorithm {
    let mut numbers = rabbit_version.unwrap_or_default().split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(3)), Some(Ok(..=5))) => HashingAlgorithm::Md5,
        _ => HashingAlgorithm::Sha256,
    }
}

fn user(definition: &UserDefinition, usual: HashingAlgorithm) -> Result<User, String> {
    let limit = |name| limit(&definition.limits, name);
    Ok(User {
        name: definition.name.as_str().into(),
        password_hash: password_hash(definition, usual)?,
        tags: definition.tags.iter().map(|tag| UserTag::from(tag.as_str())).collect(),
        max_connections: limit("max-connections")?,
        max_channels: limit("max-channels")?,
    })
}

fn password_hash(
    definition: &UserDefinition,
    usual: HashingAlgorithm,
) -> Result<Option<PasswordHash>, String> {
    let hash = definition.password_hash.as_deref().filter(|hash| !hash.is_empty());
    let password = definition.password.as_deref().filter(|password| !password.is_empty());
    let hash = match (hash, password) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err("password and password_hash exclude each other".to_owned());
        }
        (None, Some(password)) => {
            PasswordHash::random_salt().map(|salt| PasswordHash::new(password, salt))
        }
        (Some(hash), None) => definition
            .hashing_algorithm
            .as_deref()
            .map_or(Ok(usual), HashingAlgorithm::from_name)
            .and_then(|algorithm| PasswordHash::from_base64(algorithm, hash)),
    };
    hash.map(Some).map_err(|error| error.to_string())
}

/// A limit `[rabbitmq user-limits]`.
fn limit(limits: &JsonObject, name: &str) -> Result<Option<i64>, String> {
    match limits.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(format!("limit {name} must be an integer, not {value}")),
        },
    }
}

/// Fills the sections `users`, `permissions` and `topic_permissions` from the tables.
pub fn export_users(access: &AccessControl, definitions: &mut Definitions) {
    definitions.users = access.users.list().iter().map(|user| user_definition(user)).collect();
    let permissions = access.permissions.list();
    definitions.permissions = permissions
        .into_iter()
        .map(|(user, vhost, granted)| PermissionDefinition {
            user: user.to_string(),
            vhost: vhost.to_string(),
            configure: granted.configure.as_str().to_owned(),
            write: granted.write.as_str().to_owned(),
            read: granted.read.as_str().to_owned(),
        })
        .collect();
    let topic_permissions = access.topic_permissions.list();
    definitions.topic_permissions = topic_permissions
        .into_iter()
        .map(|(user, vhost, exchange, granted)| TopicPermissionDefinition {
            user: user.to_string(),
            vhost: vhost.to_string(),
            exchange: exchange.to_string(),
            write: granted.write.as_str().to_owned(),
            read: granted.read.as_str().to_owned(),
        })
        .collect();
}

fn user_definition(user: &User) -> UserDefinition {
    let algorithm = user.password_hash.as_ref().map(PasswordHash::algorithm).unwrap_or_default();
    let limits = [("max-connections", user.max_connections), ("max-channels", user.max_channels)];
    UserDefinition {
        name: user.name.to_string(),
        password_hash: Some(
            user.password_hash.as_ref().map(PasswordHash::to_base64).unwrap_or_default(),
        ),
        hashing_algorithm: Some(algorithm.as_str().to_owned()),
        password: None,
        tags: user.tags.iter().map(UserTag::to_string).collect(),
        limits: limits
            .into_iter()
            .filter_map(|(name, limit)| Some((name.to_owned(), Value::from(limit?))))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Access;

    fn loaded(json: &str) -> Result<AccessControl, DefinitionsError> {
        let access = AccessControl::new([UserName::from("guest")]);
        apply_users(&Definitions::from_json(json.as_bytes())?, &access)?;
        Ok(access)
    }

    fn refused(json: &str) -> String {
        loaded(json).unwrap_err().to_string()
    }

    #[test]
    fn users_of_an_export_can_log_in() {
        let access = loaded(crate::definitions::tests::EXPORT).unwrap();
        assert!(access.users.authenticate("guest", "guest", true).is_ok());
        assert!(access.users.authenticate("conf-nobody", "secret", false).is_ok());
        assert!(access.users.authenticate("conf-limited", "guest", false).is_err());
        let guest = access.users.get("guest").unwrap();
        assert_eq!(guest.tags, [UserTag::Administrator]);
    }

    #[test]
    fn permissions_of_an_export_hold() {
        let access = loaded(crate::definitions::tests::EXPORT).unwrap();
        let table = &access.permissions;
        assert!(table.check("conf-limited", "/", Access::Write, "amq.topic"));
        assert!(!table.check("conf-limited", "/", Access::Write, "amq.topicx"));
        assert!(!table.has_vhost_access("conf-nobody", "/"));
        assert!(table.has_vhost_access("guest", "conf-vhost"));
        let topics = &access.topic_permissions;
        assert!(!topics.check("conf-limited", "/", "amq.topic", Access::Write, "other"));
        assert!(topics.check("conf-limited", "/", "amq.topic", Access::Write, "allowed"));
    }

    #[test]
    fn an_export_comes_back_as_it_was() {
        let access = loaded(crate::definitions::tests::EXPORT).unwrap();
        let mut exported = Definitions::default();
        export_users(&access, &mut exported);
        let again = AccessControl::new([]);
        apply_users(&Definitions::from_json(&exported.to_json().unwrap()).unwrap(), &again)
            .unwrap();
        assert_eq!(access.users.list(), again.users.list());
        assert_eq!(access.permissions.list(), again.permissions.list());
        assert_eq!(access.topic_permissions.list(), again.topic_permissions.list());
    }

    #[test]
    fn users_may_be_written_by_hand() {
        let access = loaded(
            r#"{"users": [
                {"name": "a", "password": "secret", "tags": "monitoring, impersonator",
                 "limits": {"max-connections": 5, "max-channels": -1}},
                {"name": "b", "password_hash": "", "limits": []}
            ]}"#,
        )
        .unwrap();
        let user = access.users.authenticate("a", "secret", false).unwrap();
        assert_eq!(user.tags, [UserTag::Monitoring, UserTag::Impersonator]);
        assert_eq!((user.max_connections, user.max_channels), (Some(5), Some(-1)));
        assert_eq!(access.users.get("b").unwrap().password_hash, None);
    }

    #[test]
    fn bad_users_are_named() {
        assert_eq!(
            refused(r#"{"users": [{"name": "a", "password_hash": "?"}]}"#),
            "definitions: user 'a': the password hash is not valid base64"
        );
        let unknown = r#"{"users": [{"name": "a", "password_hash": "AQID",
                           "hashing_algorithm": "rot13"}]}"#;
        assert!(refused(unknown).contains("unknown password hashing algorithm 'rot13'"));
        let both = r#"{"users": [{"name": "a", "password": "x", "password_hash": "AQID"}]}"#;
        assert!(refused(both).contains("exclude each other"));
        let limit = r#"{"users": [{"name": "a", "limits": {"max-channels": "many"}}]}"#;
        assert!(refused(limit).contains("limit max-channels must be an integer"));
    }

    #[test]
    fn permissions_need_their_user_and_good_patterns() {
        let nobody = r#"{"permissions": [
            {"user": "x", "vhost": "/", "configure": "", "write": "", "read": ""}]}"#;
        assert_eq!(
            refused(nobody),
            "definitions: permissions of 'x' in vhost '/': there is no user 'x'"
        );
        let pattern = r#"{"users": [{"name": "x"}], "permissions": [
            {"user": "x", "vhost": "/", "configure": "(", "write": "", "read": ""}]}"#;
        assert!(
            refused(pattern).contains("permissions of 'x' in vhost '/': pattern '(' is refused")
        );
    }

    #[test]
    fn bad_definitions_change_nothing() {
        let access = AccessControl::new([]);
        let json = br#"{"users": [{"name": "x"}], "topic_permissions": [
            {"user": "x", "vhost": "/", "exchange": "t", "write": "[", "read": ""}]}"#;
        assert!(apply_users(&Definitions::from_json(json).unwrap(), &access).is_err());
        assert!(access.users.list().is_empty());
        assert_eq!(access.generation(), 0);
    }
}
