//! The standard output, whose reader may have enough of it before all is written, as `head` has.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a text, as it is; whether somebody still reads.
pub(crate) fn say(text: impl Display) -> bool {
    let mut output = io::stdout().lock();
    write!(output, "{text}").and_then(|()| output.flush()).is_ok()
}

/// Writes a line; whether somebody still reads.
pub(crate) fn say_line(text: impl Display) -> bool {
    say(format_args!("{text}\n"))
}
