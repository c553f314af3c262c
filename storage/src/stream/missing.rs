//! Segments of a stream that should be there and are not.

use crate::log::Damage;
use crate::stream::files::SegmentName;
use crate::stream::progress::Progress;

/// So many are named one by one.
const NAMED_MAX: usize = 64;

/// What is missing among these segments, in order, by what was said last of the stream.
pub(crate) fn missing(names: &[SegmentName], said: Option<&Progress>) -> Vec<Damage> {
    let Some(Progress { first, last, segments, used, .. }) = said else { return Vec::new() };
    let place = |number: u64| names.binary_search_by_key(&number, |name| name.place.segment);
    let is_there = |number: u64| place(number).is_ok();
    let (first_number, last_number) = (first.place.segment, last.place.segment);
    let mut found = Vec::new();
    if first != last && !is_there(first_number) {
        found.push(Damage { file: first.chunks(), offset: 0, octets: 0 });
    }
    // Numbers are left out where a segment could not be begun, so that they are counted, too.
    let between = first_number + 1..last_number;
    let there = names.iter().filter(|name| between.contains(&name.place.segment)).count();
    let wanted = (*segments as usize).saturating_sub(2).saturating_sub(there);
    // At which offset one began that is missing nobody knows.
    let nameless = |which: &str| {
        let file = format!("stream-{:016x}-{which}.chunks", last.place.stream);
        Damage { file, offset: 0, octets: 0 }
    };
    let absent = between.filter(|number| !is_there(*number)).take(wanted.min(NAMED_MAX));
    found.extend(absent.map(|number| nameless(&format!("{number:016x}-*"))));
    if wanted > NAMED_MAX {
        found.push(nameless("*"));
    }
    if !is_there(last_number) {
        found.push(Damage { file: last.chunks(), offset: 0, octets: *used });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::record::Place;

    #[test]
    fn however_many_are_missing_a_few_are_named() {
        let name = |segment| SegmentName { place: Place { stream: 5, segment }, first_offset: 0 };
        let (first, last) = (name(1), name(1 << 40));
        let said = Progress { first, last, segments: u32::MAX, used: 96, next_offset: 0 };
        let found = missing(&[first, name(3), last], Some(&said));
        assert_eq!(found.len(), NAMED_MAX + 1);
        assert_eq!(found[1].file, "stream-0000000000000005-0000000000000004-*.chunks");
        assert_eq!(found[NAMED_MAX].file, "stream-0000000000000005-*.chunks");
        let said = Progress { segments: 3, ..said };
        assert!(missing(&[first, name(3), last], Some(&said)).is_empty());
    }
}
