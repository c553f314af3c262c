//! Streams: logs of messages that are only appended to, and read from anywhere by anybody
//! `[rabbitmq streams]`.
//!
//! A [`Stream`] has chunks of messages in segments of its own. Offsets are given when a
//! [`StreamBatch`] is appended, without gaps; what is committed is there for
//! [readers](StreamReader). A chunk lies on disk as the stream protocol delivers it.
//!
//! Read from the top: [`stream`] says what a stream does, [`writer`] is the thread that writes
//! them, [`offsets`] keeps offsets by name, [`engine`] writes, [`reader`] reads, [`locate`] finds
//! places, [`retention`] removes, [`gate`] has what is appended wait, [`ending`] closes and
//! deletes, [`recovery`] opens what is there, of which [`survey`] reads the end; by [`progress`] it
//! notices what is [`missing`].
//!
//! [`chunk`], [`record`], [`index`] and [`tracking`] are the octets; [`pending`], [`gates`],
//! [`segments`] and [`state`] what is kept in memory.

mod batch;
mod bloom;
mod chunk;
mod ending;
mod engine;
mod files;
mod gate;
mod gates;
mod image;
mod index;
mod locate;
mod missing;
mod noting;
mod offsets;
mod options;
mod pending;
mod progress;
mod reader;
mod record;
mod recovery;
mod retention;
mod scan;
mod sealed;
mod segments;
mod sizing;
mod state;
#[expect(clippy::module_inception, reason = "it is what the folder is about")]
mod stream;
mod streams;
mod survey;
mod tracking;
mod verify;
mod writer;

pub use self::batch::{Content, NewEntry, StreamBatch, SubBatch};
pub use self::bloom::ChunkFilter;
pub use self::chunk::{Chunk, ChunkEntries, ChunkEntry, ChunkPosition};
pub use self::gate::Gate;
pub use self::image::StreamImage;
pub use self::locate::{ChunkIds, Start};
pub use self::options::{
    DamageWatcher, Retention, SEGMENT_OCTETS_MAX, StreamOptions, StreamSettings,
};
pub use self::reader::StreamReader;
pub use self::recovery::RecoveredStream;
pub(crate) use self::sealed::sealed;
pub use self::state::Appended;
pub use self::stream::{Stream, StreamUsage, WatchId};
pub use self::streams::Streams;
pub use self::verify::{FoundStream, inspect_streams, verify_streams};
