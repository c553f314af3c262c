//! Reads everything and reports what is damaged.

use crate::disk::Disk;
use crate::error::Result;
use crate::log::damage::Damage;
use crate::log::expected::{self, Expected, Origin, Unlisted};
use crate::log::index::{self, Index};
use crate::log::judgement::{Judged, judge};
use crate::log::recovery::Names;
use crate::log::scan::scan;
use crate::log::segment::{index_name, log_name};

/// Reads every segment of a log that is not open, payloads included, and changes nothing.
/// `identity` is that of the log's options.
///
/// # Errors
/// If the disk fails. Damage is not an error.
pub fn verify(disk: &dyn Disk, identity: u64) -> Result<Vec<Damage>> {
    let names = Names::read(disk)?;
    let expected = Expected::read(disk, identity, !names.logs.is_empty())?;
    let mut found = expected.damage.clone();
    found.extend(expected.missing(&names.logs));
    for &number in &names.logs {
        let file = disk.open(&log_name(number), false)?;
        let origin = expected.origin(number, &*file)?;
        if origin == Origin::Freed {
            continue;
        }
        let scanned = scan(&*file, number)?;
        let length = file.len()?;
        let unlisted = expected.unlisted(number, &scanned);
        if origin == Origin::Foreign || matches!(unlisted, Unlisted::Foreign) {
            found.push(Damage { file: log_name(number), offset: 0, octets: length });
            continue;
        }
        if let Unlisted::Rewound(damage) = unlisted {
            found.push(damage);
        }
        let judged = judge(scanned, u64::MAX, false, expected.bounds(number));
        let holes = judged.damage.iter().chain(&judged.torn);
        let before = found.len();
        found.extend(holes.map(|hole| expected::damage(number, hole)));
        if found.len() == before {
            found.extend(expected.cut_off(number, length));
        }
        if names.indexes.contains(&number)
            && let Some(index) = index::read(&*disk.open(&index_name(number), false)?, number)?
            && expected.vouches_for(number, &index)
        {
            compare(number, &index, &judged, &mut found);
        }
    }
    Ok(found)
}

/// What the side file knows of and no hole explains.
fn compare(number: u64, index: &Index, judged: &Judged, found: &mut Vec<Damage>) {
    let file = log_name(number);
    for record in index.entries() {
        let known = judged.records.binary_search_by_key(&record.offset, |r| r.offset).is_ok();
        let reported = found.iter().any(|damage| {
            damage.file == file
                && (damage.offset..damage.offset + damage.octets).contains(&record.offset)
        });
        if !known && !reported {
            let octets = u64::from(record.span);
            found.push(Damage { file: file.clone(), offset: record.offset, octets });
        }
    }
}
