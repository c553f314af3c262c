//! Users and permissions as records: for each user a document like RabbitMQ's definitions with
//! that user and the permissions, or several if there are many.

use std::collections::BTreeMap;

use leveret_storage::{Batch, DefinitionKind, Entry, Key, Prefix, Result, Store, scan};

use crate::access::AccessControl;
use crate::definitions::{Definitions, export_users};

/// Permissions in one document: what the store takes at a time is limited.
const PERMISSIONS_MAX: usize = 16;

fn key(user: &str, part: usize) -> Key {
    Key::definition(DefinitionKind::User, [user, &format!("{part:08}")])
}

/// Makes the records say what the tables say.
///
/// # Errors
/// If the store fails, or a user is too large for it.
pub(super) fn write(records: &dyn Store, access: &AccessControl) -> Result<()> {
    let mut wanted = documents(access);
    let mut batch = Batch::new();
    let known: Result<Vec<Entry>> =
        scan(records, Prefix::definitions(DefinitionKind::User)).collect();
    for (key, record) in known? {
        match wanted.remove(&key) {
            Some(document) if document == record => {}
            Some(document) => batch.put(key, document),
            None => batch.delete(key),
        }
    }
    wanted.into_iter().for_each(|(key, document)| batch.put(key, document));
    if !are_recorded(records)? {
        batch.put(recorded(), Vec::new());
    }
    if batch.is_empty() { Ok(()) } else { records.commit(batch).map(drop) }
}

/// Whether users were ever recorded in a store, be it that none is left.
pub(crate) fn are_recorded(records: &dyn Store) -> leveret_storage::Result<bool> {
    Ok(records.get(&recorded())?.is_some())
}

/// The record that says so.
fn recorded() -> Key {
    Key::definition(DefinitionKind::Parameter, ["leveret", "users are recorded"])
}

fn documents(access: &AccessControl) -> BTreeMap<Key, Vec<u8>> {
    let mut all = Definitions::default();
    export_users(access, &mut all);
    let mut documents = BTreeMap::new();
    for user in all.users {
        let name = user.name.clone();
        let permissions: Vec<_> =
            all.permissions.iter().filter(|granted| granted.user == name).cloned().collect();
        let topics: Vec<_> =
            all.topic_permissions.iter().filter(|granted| granted.user == name).cloned().collect();
        let first = Definitions { users: vec![user], ..Definitions::default() };
        let permissions = permissions
            .chunks(PERMISSIONS_MAX)
            .map(|chunk| Definitions { permissions: chunk.to_vec(), ..Definitions::default() });
        let topics = topics.chunks(PERMISSIONS_MAX).map(|chunk| Definitions {
            topic_permissions: chunk.to_vec(),
            ..Definitions::default()
        });
        let parts = std::iter::once(first).chain(permissions).chain(topics);
        for (part, document) in parts.enumerate() {
            if let Ok(json) = document.to_json() {
                documents.insert(key(&name, part), json);
            }
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use leveret_storage::MemoryStore;

    use super::*;
    use crate::access::{PasswordHash, Permissions};
    use crate::definitions::apply_users;

    fn read(records: &dyn Store) -> AccessControl {
        let access = AccessControl::new([]);
        for entry in scan(records, Prefix::definitions(DefinitionKind::User)) {
            let definitions = Definitions::from_json(&entry.unwrap().1).unwrap();
            apply_users(&definitions, &access).unwrap();
        }
        access
    }

    #[test]
    fn users_come_back_with_their_permissions() {
        let access = AccessControl::new([]);
        access.add_administrator("a".into(), PasswordHash::new("pass", [1; 4]), "/".into());
        access.add_administrator("b".into(), PasswordHash::new("word", [2; 4]), "/".into());
        for number in 0..100 {
            let vhost = format!("vhost-{number}").as_str().into();
            access.permissions.set("a".into(), vhost, Permissions::new("^c", "w", "r").unwrap());
        }
        let topic = access.topic_permissions.set("b".into(), "/".into(), "x".into(), ("w", "r"));
        topic.unwrap();
        let records = MemoryStore::new();
        write(&records, &access).unwrap();
        let found = read(&records);
        assert!(found.users.authenticate("a", "pass", true).is_ok());
        assert_eq!(found.permissions.list(), access.permissions.list());
        assert_eq!(found.topic_permissions.list().len(), 1);

        access.remove_user("a");
        write(&records, &access).unwrap();
        let found = read(&records);
        assert!(found.users.get("a").is_none() && found.users.get("b").is_some());
        assert_eq!(found.permissions.list().len(), 1);
    }
}
