//! What should be in a log, by its manifest, and whether a file is the one that should be there.

use std::collections::BTreeSet;

use crate::disk::{Disk, DiskFile};
use crate::error::Result;
use crate::ledger::{Growth, Ledger, Reading};
use crate::log::damage::Damage;
use crate::log::frame::{HEADER, Header};
use crate::log::index::Index;
use crate::log::judgement::Bounds;
use crate::log::manifest::{Extent, Listed, MANIFEST, Mark, Segments};
use crate::log::progress::{self, Found, Progress};
use crate::log::scan::{Hole, Scanned};
use crate::log::segment::log_name;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The one that should be there, as far as it can be told without reading it.
    Own,
    /// That one, and damaged, or one of which nothing is known.
    Unsure,
    /// One that is not needed any more: what it says is not to be heard.
    Freed,
    /// One that does not belong here.
    Foreign,
}

/// Why a segment that has records is not listed.
#[derive(Debug)]
pub(crate) enum Unlisted {
    /// It is listed, or nothing is known.
    No,
    /// It does not belong here.
    Foreign,
    /// The manifest has lost its end.
    Rewound(Damage),
}

/// What should be there.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Whether there is a manifest, damaged or not.
    pub(crate) is_begun: bool,
    /// None if the manifest is lost: nothing is known then.
    segments: Option<Segments>,
    /// The manifest is that of another directory.
    is_foreign: bool,
    progress: Option<Progress>,
    /// The file that says how far the last segment is durable is all there.
    pub(crate) has_whole_progress: bool,
    manifest_octets: u64,
    /// What is wrong with the manifest, and with what says how far the last segment is durable.
    pub(crate) damage: Vec<Damage>,
    /// That of the directory.
    pub(crate) identity: u64,
}

impl Expected {
    /// Reads the manifest. `identity` is that of the directory, 0 if it is not known;
    /// `has_segments` tells whether there are files that it should list.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn read(disk: &dyn Disk, identity: u64, has_segments: bool) -> Result<Self> {
        let Some(reading) = Ledger::read(disk, MANIFEST, Growth::LEAST)? else {
            let damage = if has_segments { vec![of_manifest(0, 0)] } else { Vec::new() };
            return Ok(Self { damage, identity, ..Self::default() });
        };
        let segments = Segments::of(&reading);
        let is_foreign = identity != 0 && reading.identity != identity && segments.is_some();
        let is_whole = segments.is_some() && !is_foreign && !reading.has_foreign;
        let own = if identity == 0 { reading.identity } else { identity };
        let found = Found::read(disk, if is_foreign { reading.identity } else { own })?;
        let mut damage = damage_of(&reading, is_whole);
        if has_segments && !is_foreign && !found.is_whole {
            damage.push(Damage { file: progress::NAME.to_owned(), offset: 0, octets: 0 });
        }
        Ok(Self {
            is_begun: true,
            manifest_octets: disk.open(MANIFEST, false)?.len()?,
            damage,
            progress: found.progress,
            has_whole_progress: found.is_whole && !is_foreign,
            segments,
            is_foreign,
            identity: own,
        })
    }

    /// What the directory's own manifest says of a segment.
    pub(crate) fn listed(&self, number: u64) -> Option<&Listed> {
        let segments = self.segments.as_ref().filter(|_| !self.is_foreign)?;
        segments.listed.get(&number)
    }

    /// The segments whose files are missing.
    pub(crate) fn missing(&self, there: &BTreeSet<u64>) -> Vec<Damage> {
        let segments = self.segments.iter().filter(|_| !self.is_foreign);
        let listed = segments.flat_map(|segments| &segments.listed);
        let listed = listed.map(|(&number, listed)| {
            let known = listed.extent.or(self.durable(number)).map(|extent| extent.used);
            (number, known.unwrap_or(listed.capacity))
        });
        let missing = listed.chain(self.rewound()).filter(|(number, _)| !there.contains(number));
        missing
            .map(|(number, octets)| Damage { file: log_name(number), offset: 0, octets })
            .collect()
    }

    /// The segment that was written last, and what it had, if the manifest does not know of it any
    /// more: it listed it before.
    fn rewound(&self) -> Option<(u64, u64)> {
        let progress = self.progress.filter(|_| self.is_known())?;
        let used = progress.extent.used;
        (progress.segment > self.highest() && used > 0).then_some((progress.segment, used))
    }

    /// The group that is known to be durable.
    pub(crate) fn group(&self) -> Option<u64> {
        let progress = self.progress.filter(|_| !self.is_foreign)?;
        self.listed(progress.segment).map(|_| progress.group)
    }

    /// What is known to be durable of the segment that was written last.
    fn durable(&self, number: u64) -> Option<Extent> {
        self.progress.filter(|progress| progress.segment == number).map(|p| p.extent)
    }

    /// What is known of the end of a segment.
    pub(crate) fn bounds(&self, number: u64) -> Bounds {
        let Some(listed) = self.listed(number) else {
            let rewound = self.rewound().filter(|(segment, _)| *segment == number);
            return Bounds { durable_to: rewound.map_or(0, |(_, used)| used), ..Bounds::default() };
        };
        match listed.extent {
            Some(extent) => Bounds { durable_to: extent.used, ends_at: Some(extent.used) },
            None => {
                let durable_to = self.durable(number).map_or(0, |extent| extent.used);
                Bounds { durable_to, ends_at: None }
            }
        }
    }

    /// Whether a side file is the one that was written.
    pub(crate) fn vouches_for(&self, number: u64, index: &Index) -> bool {
        !self.is_known()
            || self.listed(number).is_some_and(|listed| listed.index == index.checksum())
    }

    /// What a file is, by a look at two of its records.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn origin(&self, number: u64, file: &dyn DiskFile) -> Result<Origin> {
        let Some(segments) = &self.segments else { return Ok(Origin::Unsure) };
        let Some(listed) = segments.listed.get(&number) else {
            let is_freed = segments.freed.contains(&number) && !self.is_foreign;
            return Ok(if is_freed { Origin::Freed } else { Origin::Unsure });
        };
        let extent = listed.extent.or(self.durable(number)).filter(|extent| extent.used > 0);
        let Some(extent) = extent else { return Ok(Origin::Unsure) };
        let first = look(file, number, extent.first)?;
        let last = look(file, number, extent.last)?;
        let is_as_listed = first == Look::Same && last == Look::Same;
        Ok(match (self.is_foreign, is_as_listed) {
            // It is what another directory's manifest says.
            (true, true) => Origin::Foreign,
            (true, false) => Origin::Unsure,
            (false, true) => Origin::Own,
            (false, false) if first == Look::Other || last == Look::Other => Origin::Foreign,
            (false, false) => Origin::Unsure,
        })
    }

    /// Whether it is known which segments there should be.
    pub(crate) fn is_known(&self) -> bool {
        self.segments.is_some() && !self.is_foreign
    }

    /// The highest number that a segment has had, as far as that is known.
    pub(crate) fn highest(&self) -> u64 {
        self.segments.as_ref().filter(|_| !self.is_foreign).map_or(0, |known| known.highest)
    }

    /// Whether what was read should not be there. A segment that was just begun is not listed, but
    /// has no record either.
    pub(crate) fn unlisted(&self, number: u64, scanned: &Scanned) -> Unlisted {
        if !self.is_known() || self.listed(number).is_some() || scanned.records.is_empty() {
            Unlisted::No
        } else if number <= self.highest() {
            Unlisted::Foreign
        } else {
            Unlisted::Rewound(of_manifest(self.manifest_octets, 0))
        }
    }

    /// What is missing at the end of a file.
    pub(crate) fn cut_off(&self, number: u64, length: u64) -> Option<Damage> {
        let listed = self.listed(number)?;
        let needed = listed.extent.map_or(listed.capacity, |extent| extent.used);
        (length < needed).then(|| Damage {
            file: log_name(number),
            offset: length,
            octets: needed - length,
        })
    }
}

/// What a file has where a record should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Same,
    /// A sound record, and another one.
    Other,
    Nothing,
}

fn look(file: &dyn DiskFile, number: u64, mark: Mark) -> Result<Look> {
    let Some(header) = read_head(file, number, mark.offset)? else { return Ok(Look::Nothing) };
    Ok(if header.checksum == mark.checksum { Look::Same } else { Look::Other })
}

/// The header of the record at a place, if its head is sound.
fn read_head(file: &dyn DiskFile, number: u64, offset: u64) -> Result<Option<Header>> {
    let length = file.len()?;
    let mut octets = vec![0; HEADER];
    if offset.checked_add(HEADER as u64).is_none_or(|end| end > length) {
        return Ok(None);
    }
    file.read_at(&mut octets, offset)?;
    let Some(header) = Header::parse(&octets, number) else { return Ok(None) };
    if offset + (HEADER + header.head) as u64 > length {
        return Ok(None);
    }
    octets.resize(HEADER + header.head, 0);
    file.read_at(&mut octets, offset)?;
    Ok(header.head_is_sound(&octets, number, offset).then_some(header))
}

/// What a segment holds, by its side file.
///
/// # Errors
/// If the disk fails.
pub(crate) fn extent_of(file: &dyn DiskFile, number: u64, index: &Index) -> Result<Option<Extent>> {
    let mut entries = index.entries();
    let Some(first) = entries.next() else { return Ok(Some(Extent::default())) };
    let last = entries.last().unwrap_or_else(|| first.clone());
    let used = last.offset + u64::from(last.span);
    let first = read_head(file, number, first.offset)?.map(|h| (first.offset, h.checksum));
    let last = read_head(file, number, last.offset)?.map(|h| (last.offset, h.checksum));
    let mark = |(offset, checksum)| Mark { offset, checksum };
    Ok(first.zip(last).map(|(f, l)| Extent { used, first: mark(f), last: mark(l) }))
}

fn of_manifest(offset: u64, octets: u64) -> Damage {
    Damage { file: MANIFEST.to_owned(), offset, octets }
}

fn damage_of(reading: &Reading, is_whole: bool) -> Vec<Damage> {
    let bad = reading.bad.iter().map(|bad| of_manifest(bad.offset, bad.octets));
    let mut damage: Vec<Damage> = bad.collect();
    damage.extend(reading.cut_at.map(|end| of_manifest(end, 0)));
    if damage.is_empty() && !is_whole {
        damage.push(of_manifest(0, 0));
    }
    damage
}

/// A part of a segment's file that is damaged.
pub(crate) fn damage(number: u64, hole: &Hole) -> Damage {
    Damage { file: log_name(number), offset: hole.from, octets: hole.to - hole.from }
}
