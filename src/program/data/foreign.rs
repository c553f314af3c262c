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
        return format!(
            "{shown} is a data directory of RabbitMQ, which leveret does not read: `rabbitmqctl \
             export_definitions FILE` there and `leveret serve --definitions FILE` here bring over \
             all but the messages"
        );
    }
    format!("{shown} is no data directory of leveret's: there is no file 'format' in it")
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
    }
}
