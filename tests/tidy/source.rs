//! The files of the repository, or of a small tree that a test has made up.

use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::Facts;

/// Folders that are not ours, or not written by hand.
const SKIPPED: &[&str] = &["target", "node_modules", "corpus", "artifacts", "vendor"];
const READ: &[&str] = &["rs", "toml", "md", "sh", "py", "js", "go", "java", "php"];

/// A file.
pub(crate) struct Source {
    /// Path from the root, with slashes.
    pub path: String,
    pub text: String,
    /// What was found in it, if it is Rust.
    pub facts: Option<Facts>,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Source {
        let facts = path.ends_with(".rs").then(|| {
            Facts::read(&text).unwrap_or_else(|error| panic!("{path} is not Rust: {error}"))
        });
        Source { path, text, facts }
    }

    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

/// All files below a folder, in the order of their paths.
pub(crate) fn read_tree(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    read_folder(root, root, &mut sources);
    sources
}

fn read_folder(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') && name != ".ci";
        if hidden || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if entry.is_dir() {
            read_folder(&entry, root, sources);
            continue;
        }
        let extension = entry.extension().map(|e| e.to_string_lossy().into_owned());
        if extension.is_some_and(|e| READ.contains(&e.as_str())) || entry.ends_with(".ci/run") {
            let path = entry.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            sources.push(Source::new(path, fs::read_to_string(&entry).unwrap()));
        }
    }
}
