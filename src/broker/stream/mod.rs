//! Streams as the embedding program uses them: appended to, read from anywhere, their offsets.

mod faults;
mod handle;
mod news;
mod offsets;
mod reader;

pub use self::handle::StreamHandle;
pub use self::reader::{StreamMessage, StreamMessages, StreamReader, StreamStart};
