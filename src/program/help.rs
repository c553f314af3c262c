//! Completions for shells, and manual pages.

use std::io::{self, Write};
use std::path::Path;

use crate::program::config::command_line;

/// Writes completions for a shell.
pub(crate) fn complete(shell: clap_complete::Shell, output: &mut dyn Write) {
    let mut written = Vec::new();
    clap_complete::generate(shell, &mut command_line(), "leveret", &mut written);
    // Whoever asked may have gone.
    let _ = output.write_all(&written);
}

/// Writes a manual page for the program and one for each command.
///
/// # Errors
/// If one cannot be written.
pub(crate) fn write_manual(directory: &Path) -> io::Result<()> {
    clap_mangen::generate_to(command_line(), directory)
}
