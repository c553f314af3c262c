//! What is in a ledger, and what is wrong with it.

use std::collections::BTreeMap;

use crate::ledger::frame::{ALIGN, Frame, Kind, reserved};

/// How often each frame is in a ledger.
pub(super) const COPIES: usize = 2;

/// A stretch of a ledger that is not what was written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadOctets {
    pub(crate) offset: u64,
    pub(crate) octets: u64,
}

/// A ledger that was read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// What tells the ledger from others.
    pub(crate) identity: u64,
    /// Everything that was entered before the entries, and the number of the last of it; `None` if
    /// it is lost.
    pub(crate) beginning: Option<(u64, Vec<u8>)>,
    /// Entries after that, by their number, without a gap before any of them unless it is in
    /// `missing`.
    pub(crate) entries: BTreeMap<u64, Vec<u8>>,
    /// Numbers of entries that were durable and are lost: the first and the last of each run.
    pub(crate) missing: Vec<(u64, u64)>,
    /// Octets that are not what was written, of which a sound copy may be there.
    pub(crate) bad: Vec<BadOctets>,
    /// Where its file ends, if that is before the end of the room that it had from its beginning
    /// on, and it was not closed in order: nobody could tell else whether the last entries were cut
    /// off or never written.
    pub(crate) cut_at: Option<u64>,
    /// It was closed in order.
    pub(crate) is_clean: bool,
    /// Octets of files of another ledger are in it.
    pub(crate) has_foreign: bool,
}

impl Reading {
    /// Number of the last entry.
    pub(crate) fn last(&self) -> u64 {
        let begun = self.beginning.as_ref().map_or(0, |(number, _)| *number);
        self.entries.last_key_value().map_or(begun, |(number, _)| begun.max(*number))
    }

    /// Whether nothing that was durable is lost.
    pub(crate) fn is_complete(&self) -> bool {
        self.beginning.is_some() && self.missing.is_empty()
    }
}

/// Reads the octets of a ledger that grows by steps of `step` octets at least.
pub(crate) fn read(octets: &[u8], step: u64) -> Reading {
    let (frames, mut bad) = scan(octets);
    let mut reading = Reading::default();
    // Most frames are right about whose they are.
    let mut identities: BTreeMap<u64, usize> = BTreeMap::new();
    frames.iter().for_each(|(_, frame)| *identities.entry(frame.identity).or_default() += 1);
    let Some((&identity, _)) = identities.iter().max_by_key(|(_, count)| **count) else {
        reading.bad = bad;
        return reading;
    };
    reading.identity = identity;
    reading.has_foreign = identities.len() > 1;
    let own = || frames.iter().filter(|(_, frame)| frame.identity == identity);
    let mut copies: BTreeMap<(u64, u8), (usize, u64)> = BTreeMap::new();
    let mut durable = 0;
    for (offset, frame) in own() {
        let (count, last_at) = copies.entry((frame.number, frame.kind as u8)).or_default();
        *count += 1;
        *last_at = *offset as u64;
        durable = durable.max(frame.durable);
        match frame.kind {
            Kind::Beginning => reading.beginning = Some((frame.number, frame.payload.to_vec())),
            Kind::Entry => {
                reading.entries.entry(frame.number).or_insert_with(|| frame.payload.to_vec());
            }
            Kind::Clean => {
                reading.is_clean = true;
                durable = durable.max(frame.number);
            }
        }
    }
    let begun = reading.beginning.as_ref().map_or(0, |(_, all)| COPIES * Frame::span(all.len()));
    let room = reserved(begun as u64, step) as usize;
    let from = reading.beginning.as_ref().map_or(0, |(number, _)| *number);
    reading.entries.retain(|number, _| *number > from);
    cut_torn(&mut reading, from, durable);
    // Octets behind the last frame that is known to be durable may be torn, and of a clean end it
    // is only known that all before it are.
    let lasts = |number: u64, kind: u8| kind != Kind::Clean as u8 && number <= durable;
    let proven = own().filter(|(_, frame)| lasts(frame.number, frame.kind as u8));
    let end = proven.map(|(at, f)| at + Frame::span(f.payload.len())).max().unwrap_or(0);
    bad.retain(|stretch| stretch.offset < end as u64);
    // A copy that was cut off with the end of the file leaves no bad octets.
    for ((number, kind), (count, last_at)) in copies {
        if count < COPIES && lasts(number, kind) && bad.is_empty() {
            bad.push(BadOctets { offset: last_at, octets: 0 });
        }
    }
    reading.bad = bad;
    reading.cut_at = (octets.len() < room && !reading.is_clean).then_some(octets.len() as u64);
    reading
}

/// Leaves out what comes behind a gap among entries that were never durable, and notes the gaps
/// among those that were.
fn cut_torn(reading: &mut Reading, from: u64, durable: u64) {
    let mut expected = from + 1;
    let mut torn_from = None;
    for &number in reading.entries.keys() {
        if number > expected {
            let lost_to = (number - 1).min(durable);
            if expected <= lost_to {
                reading.missing.push((expected, lost_to));
            }
            if number - 1 > durable {
                torn_from = Some(number);
                break;
            }
        }
        expected = number + 1;
    }
    match torn_from {
        Some(number) => drop(reading.entries.split_off(&number)),
        None if expected <= durable => reading.missing.push((expected, durable)),
        None => {}
    }
}

/// All whole frames with their offsets, and the octets between them that are no frames. Zeros are
/// space that was reserved.
fn scan(octets: &[u8]) -> (Vec<(usize, Frame<'_>)>, Vec<BadOctets>) {
    let (mut frames, mut bad) = (Vec::new(), Vec::new());
    let mut at = 0;
    let mut bad_from = None;
    let end = octets.len() - octets.iter().rev().take_while(|octet| **octet == 0).count();
    while at < end {
        let Some(frame) = octets.get(at..).and_then(Frame::decode) else {
            bad_from.get_or_insert(at);
            at += ALIGN;
            continue;
        };
        if let Some(from) = bad_from.take() {
            bad.push(BadOctets { offset: from as u64, octets: (at - from) as u64 });
        }
        at += Frame::span(frame.payload.len());
        frames.push((at - Frame::span(frame.payload.len()), frame));
    }
    if let Some(from) = bad_from {
        bad.push(BadOctets { offset: from as u64, octets: (end - from) as u64 });
    }
    (frames, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_in_order_that_a_power_cut_has_torn_is_no_damage() {
        let mut octets = Vec::new();
        let beginning = (Kind::Beginning, 1, 1, &b"all"[..]);
        for (kind, number, durable, payload) in
            [beginning, (Kind::Entry, 2, 1, b"one"), (Kind::Clean, 2, 2, b"")]
        {
            let frame = Frame { identity: 7, number, durable, kind, payload };
            (0..COPIES).for_each(|_| frame.encode(&mut octets));
        }
        let end = octets.len() - COPIES * Frame::span(0);
        let whole = read(&octets, 0);
        assert!(whole.is_clean && whole.bad.is_empty() && whole.entries.len() == 1);
        for torn in (end..octets.len()).step_by(ALIGN).flat_map(|at| [end..at, at..octets.len()]) {
            let mut left = octets.clone();
            left[torn.clone()].fill(0);
            let reading = read(&left, 0);
            assert_eq!((reading.bad, reading.missing), (vec![], vec![]), "{torn:?}");
            assert_eq!(reading.entries, whole.entries, "{torn:?}");
        }
        octets[end - 6] ^= 1;
        assert_eq!(read(&octets, 0).bad.len(), 1, "what was entered before the end is durable");
    }

    #[test]
    fn entries_that_were_cut_off_with_the_room_behind_them_are_missed() {
        let mut octets = Vec::new();
        for (kind, number) in [(Kind::Beginning, 1), (Kind::Entry, 2), (Kind::Entry, 3)] {
            let frame = Frame { identity: 7, number, durable: number - 1, kind, payload: b"one" };
            (0..COPIES).for_each(|_| frame.encode(&mut octets));
        }
        let (entry, written) = (COPIES * Frame::span(3), octets.len());
        octets.resize(8192, 0);
        assert_eq!(read(&octets, 4096).cut_at, None);
        for length in [8191, written, written - entry] {
            let reading = read(&octets[..length], 4096);
            assert_eq!((reading.cut_at, reading.bad), (Some(length as u64), vec![]), "{length}");
        }
    }
}
