//! Segments of a stream that should be there and are not.

use crate::log::Damage;
use crate::stream::files::SegmentName;
use crate::stream::progress::Progress;

/// What is missing among these segments by what was said last of the stream.
pub(crate) fn missing(names: &[SegmentName], said: Option<&Progress>) -> Vec<Damage> {
    let Some(Progress { first, last, segments, used, .. }) = said else { return Vec::new() };
    let is_there = |number: u64| names.iter().any(|name| name.place.segment == number);
    let (first_number, last_number) = (first.place.segment, last.place.segment);
    let mut found = Vec::new();
    if first != last && !is_there(first_number) {
        found.push(Damage { file: first.chunks(), offset: 0, octets: 0 });
    }
    // Numbers are left out where a segment could not be begun, so that they are counted, too.
    let between = first_number.saturating_add(1)..last_number;
    let there = names.iter().filter(|name| between.contains(&name.place.segment)).count();
    let wanted = (*segments as usize).saturating_sub(2).saturating_sub(there);
    let absent = between.filter(|number| !is_there(*number)).take(wanted);
    found.extend(absent.map(|number| {
        // At which offset it began nobody knows.
        let file = format!("stream-{:016x}-{number:016x}-*.chunks", last.place.stream);
        Damage { file, offset: 0, octets: 0 }
    }));
    if !is_there(last_number) {
        found.push(Damage { file: last.chunks(), offset: 0, octets: *used });
    }
    found
}
