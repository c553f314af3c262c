//! Reads messages back.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::content::{self, Target};
use crate::log::frame::{HEADER, Header};
use crate::log::live::Location;
use crate::log::segment::log_name;
use crate::log::state::{SharedState, State};
use crate::log::store::StoredMessage;

/// Octets that are read with one call, unless one message has more.
const READ_MAX: u64 = 1 << 20;

/// Octets between messages that are read along.
const GAP_MAX: u64 = 32 << 10;

/// Where the meta and the payload of a record are in its octets.
struct Parts {
    meta: usize,
    payload: usize,
    end: usize,
}

/// Checks the octets of a record.
fn parts(octets: &[u8], location: Location) -> Option<Parts> {
    let header = Header::parse(octets, location.segment)?;
    let sound = header.head_is_sound(octets, location.segment, location.offset)
        && header.body_is_sound(octets);
    let (_, meta) = content::targets_and_meta(header.head_of(octets).filter(|_| sound)?)?;
    let payload = HEADER + header.head;
    Some(Parts { meta: payload - meta.len(), payload, end: payload + header.body })
}

/// Reads one message.
pub(crate) fn read(state: &SharedState, target: Target) -> Result<Option<StoredMessage>> {
    let mut before = None;
    loop {
        let found = state.lock().locate(target);
        let Some((location, file)) = found else { return Ok(None) };
        let mut octets = vec![0; location.span as usize];
        let read = file.read_at(&mut octets, location.offset);
        if let (Ok(()), Some(parts)) = (&read, parts(&octets, location)) {
            let octets = Bytes::from(octets);
            let meta = octets.slice(parts.meta..parts.payload);
            let payload = octets.slice(parts.payload..parts.end);
            return Ok(Some(StoredMessage { meta, payload }));
        }
        // It may have been moved, and its file used again, since it was looked up.
        if before == Some(location) {
            read?;
            let file = log_name(location.segment);
            return Err(Error::Damaged { file, offset: location.offset });
        }
        before = Some(location);
    }
}

/// Places, for as many sequences as `octets_max` allows.
fn locate(
    state: &State,
    queue: QueueId,
    sequences: &[u64],
    octets_max: usize,
) -> Vec<Option<Location>> {
    let live = state.live(queue);
    let mut octets = 0;
    let mut found = Vec::new();
    for sequence in sequences {
        let location = live.and_then(|live| live.get(*sequence));
        found.push(location);
        octets += location.map_or(0, |location| location.span as usize);
        if octets >= octets_max {
            break;
        }
    }
    found
}

/// Messages that are read with one call.
struct Stretch {
    /// Which of the messages.
    messages: Range<usize>,
    segment: u64,
    octets: Range<u64>,
}

/// Puts neighbours together.
fn stretches(places: &[Option<Location>]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (at, location) in places.iter().enumerate() {
        let Some(Location { segment, offset, span }) = *location else { continue };
        let end = offset + u64::from(span);
        if let Some(last) = stretches.last_mut()
            && last.segment == segment
            && (last.octets.end..=last.octets.end + GAP_MAX).contains(&offset)
            && end - last.octets.start <= READ_MAX
        {
            last.octets.end = end;
            last.messages.end = at + 1;
        } else {
            stretches.push(Stretch { messages: at..at + 1, segment, octets: offset..end });
        }
    }
    stretches
}

/// Reads messages of a queue, neighbours together.
pub(crate) fn read_many(
    state: &SharedState,
    queue: QueueId,
    sequences: &[u64],
    octets_max: usize,
) -> Vec<Result<Option<StoredMessage>>> {
    let guard = state.lock();
    let places = locate(&guard, queue, sequences, octets_max);
    let stretches = stretches(&places);
    let file = |stretch: &Stretch| Some(guard.segments.get(&stretch.segment)?.file.clone());
    let files: Vec<Option<Arc<dyn DiskFile>>> = stretches.iter().map(file).collect();
    drop(guard);
    let mut results: Vec<_> = places.iter().map(|_| Ok(None)).collect();
    let mut octets = Vec::new();
    for (stretch, file) in stretches.into_iter().zip(files) {
        octets.resize((stretch.octets.end - stretch.octets.start) as usize, 0);
        let read = file.is_some_and(|file| file.read_at(&mut octets, stretch.octets.start).is_ok());
        for at in stretch.messages {
            let (Some(Some(location)), Some(result)) = (places.get(at), results.get_mut(at)) else {
                continue;
            };
            let begin = (location.offset - stretch.octets.start) as usize;
            let record = octets.get(begin..begin + location.span as usize);
            let message = record.filter(|_| read).and_then(|record| copy(record, *location));
            // What cannot be read together is looked up anew, alone.
            *result = match (message, sequences.get(at)) {
                (None, Some(&sequence)) => self::read(state, Target { queue, sequence }),
                (message, _) => Ok(message),
            };
        }
    }
    results
}

/// A message of its own: it must not keep its neighbours in memory.
fn copy(record: &[u8], location: Location) -> Option<StoredMessage> {
    let parts = parts(record, location)?;
    let octets = Bytes::copy_from_slice(record.get(parts.meta..parts.end)?);
    let meta = octets.slice(..parts.payload - parts.meta);
    let payload = octets.slice(parts.payload - parts.meta..);
    Some(StoredMessage { meta, payload })
}
