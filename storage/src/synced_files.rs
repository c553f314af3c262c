//! Makes the files of a store durable that does not do so itself.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::sync_directory;

/// The files under a directory, of which one is written again and again and every other one once,
/// under a name of its own. Each sync makes the disk empty its cache, even if nothing is new: what
/// is durable already is left out.
#[derive(Debug)]
pub(crate) struct SyncedFiles {
    directory: PathBuf,
    /// The file that is written again and again.
    growing: PathBuf,
    /// The files that are durable with their names, and their lengths at that time; the growing
    /// one has 0.
    durable: HashMap<PathBuf, u64>,
}

impl SyncedFiles {
    /// None of them is known to be durable yet.
    pub(crate) fn new(directory: &Path, growing: &str) -> Self {
        let (directory, growing) = (directory.to_owned(), directory.join(growing));
        Self { directory, growing, durable: HashMap::new() }
    }

    /// Makes every file durable that was written before, and its name.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let (files, directories) = self.find()?;
        for (path, length) in &files {
            if *path == self.growing || self.durable.get(path) != Some(length) {
                unless_gone(File::open(path).and_then(|file| file.sync_data()))?;
            }
        }
        if files != self.durable {
            // What is inside first.
            for directory in directories.iter().rev() {
                unless_gone(sync_directory(directory))?;
            }
        }
        self.durable = files;
        Ok(())
    }

    /// All files with their lengths, and all directories, each after the one that it is in.
    fn find(&self) -> io::Result<(HashMap<PathBuf, u64>, Vec<PathBuf>)> {
        let mut files = HashMap::new();
        let mut directories = vec![self.directory.clone()];
        let mut next = 0;
        while let Some(directory) = directories.get(next) {
            next += 1;
            let Some(entries) = unless_gone(fs::read_dir(directory))? else { continue };
            for entry in entries {
                let path = entry?.path();
                match unless_gone(fs::metadata(&path))? {
                    Some(metadata) if metadata.is_dir() => directories.push(path),
                    Some(metadata) => {
                        let length = if path == self.growing { 0 } else { metadata.len() };
                        files.insert(path, length);
                    }
                    None => {}
                }
            }
        }
        Ok((files, directories))
    }
}

/// The store removes files that it does not need any more at any time.
fn unless_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}
