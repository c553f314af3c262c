//! What a directory is that is no data directory.

use std::fs;
use std::path::Path;

/// A sentence about a directory in which nothing of leveret's was found.
pub(super) fn describe(path: &Path) -> String {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) => return format!("{shown} cannot be looked into: {error}"),
        Ok(found) if !found.is_dir() => return format!("{shown} is a file, and no data directory"),
        Ok(_) => {}
    }
    let names = match fs::read_dir(path) {
        Err(error) => return format!("{shown} cannot be looked into: {error}"),
        Ok(entries) => entries.flatten().map(|entry| entry.file_name()),
    };
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    if names.is_empty() {
        return format!(
            "{shown} is empty: a server that is started with --data-dir {shown} makes a data \
             directory of it"
        );
    }
    if names.iter().any(|name| is_rabbitmqs(name)) {
        return of_rabbitmq(path);
    }
    format!("{shown} is no data directory of leveret's: there is no file 'format' in it")
}

fn of_rabbitmq(path: &Path) -> String {
    format!(
        "{} is a data directory of RabbitMQ, which leveret does not read: `rabbitmqctl \
         export_definitions FILE` there and `leveret serve --definitions FILE` here bring over all \
         but the messages, and `leveret migrate` those, too",
        path.display()
    )
}

/// What a server does that is to begin a data directory somewhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// It begins, or goes on with what is there.
    Free,
    /// It begins, and tells that files of others are there.
    Shared(String),
    /// It ends: its user expects what it does not read.
    RabbitMqs(String),
}

/// What may be where a data directory begins: what a start has left that was cut off, and the
/// folder that a disk has of its own.
const OURS: [&str; 8] =
    ["catalogue", "ctl.sock", "lock", "log", "lost+found", "records", "room", "streams"];

/// Looks at a directory before it is opened.
pub(crate) fn look(path: &Path) -> Site {
    let Ok(entries) = fs::read_dir(path) else { return Site::Free };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
    if names.iter().any(|name| name == "format") {
        return Site::Free;
    }
    if names.iter().any(|name| is_rabbitmqs(name)) {
        return Site::RabbitMqs(of_rabbitmq(path));
    }
    match names.iter().find(|name| !OURS.contains(&name.as_ref())) {
        None => Site::Free,
        Some(other) => Site::Shared(format!(
            "data directory {}: it was no data directory of leveret's, and has files of others, \
             such as '{other}', which are left as they are",
            path.display()
        )),
    }
}

/// Whether RabbitMQ has files of this name in its directory, or in the one above.
fn is_rabbitmqs(name: &str) -> bool {
    let known = ["schema.DAT", "rabbit_serial", "msg_stores", "LATEST.LOG", "coordination"];
    known.contains(&name) || name.ends_with("-feature_flags")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_no_data_directory_is_called_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert!(describe(path).contains("is empty: a server that is started with --data-dir"));
        assert!(describe(&path.join("none")).contains("cannot be looked into"));
        fs::write(path.join("notes"), "").unwrap();
        assert!(describe(path).contains("is no data directory of leveret's"));
        assert!(describe(&path.join("notes")).contains("is a file"));
        fs::write(path.join("rabbit@host-feature_flags"), "").unwrap();
        assert!(describe(path).contains("is a data directory of RabbitMQ"));
        assert_eq!(look(path), Site::RabbitMqs(describe(path)));
    }

    #[test]
    fn a_server_begins_where_it_does_not_get_in_the_way_of_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(look(path), Site::Free);
        assert_eq!(look(&path.join("none")), Site::Free);
        fs::create_dir(path.join("lost+found")).unwrap();
        assert_eq!(look(path), Site::Free);
        fs::write(path.join("notes"), "").unwrap();
        let Site::Shared(text) = look(path) else { panic!("there are notes") };
        assert!(text.contains("files of others, such as 'notes'"), "{text}");
        fs::write(path.join("format"), "").unwrap();
        assert_eq!(look(path), Site::Free, "it is its own");
    }
}
