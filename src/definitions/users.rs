//! Users and permissions between definitions and the broker's tables.

use std::collections::HashSet;

use serde_json::Value;

use super::objects::{PermissionDefinition, TopicPermissionDefinition, UserDefinition};
use super::{Definitions, DefinitionsError, JsonObject};
use crate::access::{
    AccessControl, HashingAlgorithm, PasswordHash, Permissions, TopicPermissionTable, User, UserTag,
};
use crate::names::{UserName, VirtualHostName};

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
    let users = collect(&definitions.users, "users", user)?;
    let defined: HashSet<&str> = users.iter().map(|user| user.name.as_str()).collect();
    let known = |name: &str| -> Result<UserName, String> {
        (defined.contains(name) || access.users.get(name).is_some())
            .then(|| UserName::from(name))
            .ok_or_else(|| format!("there is no user '{name}'"))
    };
    let permissions = collect(&definitions.permissions, "permissions", |entry| {
        let granted = Permissions::new(&entry.configure, &entry.write, &entry.read);
        let granted = granted.map_err(|error| error.to_string())?;
        Ok((known(&entry.user)?, VirtualHostName::from(entry.vhost.as_str()), granted))
    })?;
    let topic_permissions =
        collect(&definitions.topic_permissions, "topic_permissions", |entry| {
            let (user, vhost) = (known(&entry.user)?, VirtualHostName::from(entry.vhost.as_str()));
            let patterns = (entry.write.as_str(), entry.read.as_str());
            let granted = TopicPermissionTable::compile(&user, &vhost, patterns)
                .map_err(|error| error.to_string())?;
            Ok((user, vhost, entry.exchange.as_str().into(), granted))
        })?;

    users.into_iter().for_each(|user| access.users.put(user));
    for (user, vhost, granted) in permissions {
        access.permissions.set(user, vhost, granted);
    }
    for (user, vhost, exchange, granted) in topic_permissions {
        access.topic_permissions.insert(user, vhost, exchange, granted);
    }
    Ok(())
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

/// Turns every object of a section, or tells which one is bad.
fn collect<D, T>(
    section: &[D],
    name: &str,
    turn: impl Fn(&D) -> Result<T, String>,
) -> Result<Vec<T>, DefinitionsError> {
    let indexed = section.iter().enumerate();
    indexed
        .map(|(index, object)| {
            turn(object).map_err(|reason| DefinitionsError::Object {
                place: format!("{name}[{index}]"),
                reason,
            })
        })
        .collect()
}

fn user(definition: &UserDefinition) -> Result<User, String> {
    let explained = |reason: String| format!("user '{}': {reason}", definition.name);
    let limit = |name| limit(&definition.limits, name).map_err(explained);
    Ok(User {
        name: definition.name.as_str().into(),
        password_hash: password_hash(definition).map_err(explained)?,
        tags: definition.tags.iter().map(|tag| UserTag::from(tag.as_str())).collect(),
        max_connections: limit("max-connections")?,
        max_channels: limit("max-channels")?,
    })
}

fn password_hash(definition: &UserDefinition) -> Result<Option<PasswordHash>, String> {
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
            .map_or(Ok(HashingAlgorithm::Sha256), HashingAlgorithm::from_name)
            .and_then(|algorithm| PasswordHash::from_base64(algorithm, hash)),
    };
    hash.map(Some).map_err(|error| error.to_string())
}

/// A limit; negative numbers stand for none `[rabbitmq user-limits]`.
fn limit(limits: &JsonObject, name: &str) -> Result<Option<u32>, String> {
    match limits.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) if number < 0 => Ok(None),
            Some(number) => u32::try_from(number).map(Some).map_err(|error| error.to_string()),
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
        assert_eq!((user.max_connections, user.max_channels), (Some(5), None));
        assert_eq!(access.users.get("b").unwrap().password_hash, None);
    }

    #[test]
    fn bad_users_are_named() {
        assert_eq!(
            refused(r#"{"users": [{"name": "a", "password_hash": "?"}]}"#),
            "definitions: users[0]: user 'a': the password hash is not valid base64"
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
        assert_eq!(refused(nobody), "definitions: permissions[0]: there is no user 'x'");
        let pattern = r#"{"users": [{"name": "x"}], "permissions": [
            {"user": "x", "vhost": "/", "configure": "(", "write": "", "read": ""}]}"#;
        assert!(refused(pattern).contains("permissions[0]: pattern '(' is refused"));
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
