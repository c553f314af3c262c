//! Reads everything and reports what is damaged.

use crate::disk::Disk;
use crate::error::Result;
use crate::log::index::{self, Index};
use crate::log::judgement::judge;
use crate::log::recovery::{Damage, Names};
use crate::log::scan::scan;
use crate::log::segment::{index_name, log_name};

/// Reads every segment of a log that is not open, payloads included, and changes nothing.
///
/// # Errors
/// If the disk fails. Damage is not an error.
pub fn verify(disk: &dyn Disk) -> Result<Vec<Damage>> {
    let names = Names::read(disk)?;
    let mut found = Vec::new();
    for &number in &names.logs {
        let file = log_name(number);
        let scanned = scan(&*disk.open(&file, false)?, number)?;
        let judged = judge(scanned, u64::MAX, false);
        let holes = judged.damage.iter().chain(&judged.torn);
        found.extend(holes.map(|hole| Damage {
            file: file.clone(),
            offset: hole.from,
            octets: hole.to - hole.from,
        }));
        if !names.indexes.contains(&number) {
            continue;
        }
        // What the side file knows of and no hole explains.
        let index = index::read(&*disk.open(&index_name(number), false)?, number)?;
        for record in index.iter().flat_map(Index::entries) {
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
    Ok(found)
}
