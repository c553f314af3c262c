//! Which of the two copies of the catalogue is right: a pure comparison.

use super::contents::{self, Contents};
use super::stamp::{self, Digest, Stamp};
use super::witness::Witness;
use crate::finding::Finding;
use crate::key::{DefinitionKind, Key};
use crate::ledger::Reading;

/// Names of files, as findings give them.
pub(super) const LEDGER: &str = "catalogue";
pub(super) const RECORDS: &str = "records";

/// Objects that one finding names at most.
const NAMED_MAX: usize = 20;

/// What there is of a copy.
pub(super) enum Copy<T> {
    /// Nothing was ever there.
    None,
    /// It cannot be opened or read, for this reason.
    Unreadable(String),
    /// It was read.
    Found(T),
}

/// What is right.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// All records.
    pub(super) truth: Contents,
    /// Number of the last batch that they have.
    pub(super) number: u64,
    /// Identity of the ledger; 0 if there is none.
    pub(super) identity: u64,
    /// What is wrong; empty for most.
    pub(super) findings: Vec<Finding>,
}

/// The records with their stamp, if all that belongs to the stamp is there.
struct Records {
    contents: Contents,
    stamp: Option<Stamp>,
    is_whole: bool,
}

impl Records {
    fn new(mut contents: Contents) -> Self {
        let own = stamp::key().encode();
        let stamp = contents.get(&own).and_then(|octets| Stamp::decode(octets));
        let is_whole = stamp.is_some_and(|stamp| stamp.digest == Digest::of(&contents));
        contents.remove(&own);
        Self { contents, stamp, is_whole }
    }

    fn number(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.number)
    }
}

/// Compares the ledger with the record store. `own` is the identity of the directory that they are
/// in, as it says; 0 if it does not.
pub(super) fn judge(
    ledger: Copy<Reading>,
    records: Copy<Contents>,
    own: u64,
    witness: &Witness,
) -> Verdict {
    let mut verdict = compare(ledger, records, own);
    verdict.reach(witness.last(if own == 0 { verdict.identity } else { own }));
    verdict
}

fn compare(ledger: Copy<Reading>, records: Copy<Contents>, own: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let records = match records {
        Copy::Found(contents) => Some(Records::new(contents)),
        Copy::None => None,
        Copy::Unreadable(reason) => {
            verdict.find(RECORDS, None, format!("they cannot be read: {reason}"));
            None
        }
    };
    let ledger = match ledger {
        Copy::Found(reading) if reading.identity == 0 => {
            verdict.find(LEDGER, None, "nothing of it can be read".into());
            None
        }
        Copy::Found(reading) => {
            let theirs = records.as_ref().and_then(|records| records.stamp).map(|s| s.identity);
            if reading.identity != own && own != 0 && theirs == Some(own) {
                verdict.find(LEDGER, None, "it belongs to another data directory".into());
                None
            } else {
                Some(reading)
            }
        }
        Copy::None => None,
        Copy::Unreadable(reason) => {
            verdict.find(LEDGER, None, format!("it cannot be read: {reason}"));
            None
        }
    };
    match (ledger, records) {
        (None, None) => {
            if !verdict.findings.is_empty() {
                verdict.lose("no copy of the definitions can be read".into());
            }
        }
        (None, Some(records)) => verdict.without_ledger(records),
        (Some(ledger), records) => verdict.with_ledger(ledger, records),
    }
    verdict
}

impl Verdict {
    fn find(&mut self, file: &str, offset: Option<u64>, what: String) {
        self.findings.push(Finding { file: file.into(), offset, what, is_loss: false });
    }

    fn lose(&mut self, what: String) {
        self.findings.push(Finding { file: LEDGER.into(), offset: None, what, is_loss: true });
    }

    /// It was closed in order after the batch with this number: no crash explains that it ends
    /// before.
    fn reach(&mut self, last: u64) {
        if self.number < last {
            let (end, next) = (self.number, self.number + 1);
            let what =
                format!("it ends at change {end}, and had {last} when it was closed in order");
            self.find(LEDGER, None, what);
            self.lose(format!("changes {next} to {last} of definitions are lost"));
            self.number = last;
        }
    }

    /// The ledger is missing, or cannot be read.
    fn without_ledger(&mut self, records: Records) {
        if records.stamp.is_none() && records.contents.is_empty() && self.findings.is_empty() {
            return; // nothing was ever entered
        }
        if self.findings.is_empty() {
            self.find(LEDGER, None, "the file is missing".into());
        }
        if !records.is_whole {
            self.find(RECORDS, None, "not all of them are there".into());
            self.lose("definitions may be lost that neither copy has".into());
        }
        self.number = records.number();
        self.identity = records.stamp.map_or(0, |stamp| stamp.identity);
        self.truth = records.contents;
    }

    fn with_ledger(&mut self, ledger: Reading, records: Option<Records>) {
        self.identity = ledger.identity;
        for bad in &ledger.bad {
            let what = format!("{} octets are not what was written there", bad.octets);
            self.find(LEDGER, Some(bad.offset), what);
        }
        if ledger.cut_at.is_some() {
            let what = "its end is cut off: what was entered last may be in the records alone";
            self.find(LEDGER, ledger.cut_at, what.into());
        }
        if ledger.has_foreign {
            self.find(LEDGER, None, "it has entries of another data directory".into());
        }
        let Some(records) = records else {
            if self.findings.iter().all(|finding| finding.file != RECORDS) && ledger.last() > 0 {
                self.find(RECORDS, None, "they are missing".into());
            }
            return self.take_ledger(&ledger, Contents::new(), 0);
        };
        let is_own = records.stamp.is_some_and(|stamp| stamp.identity == ledger.identity);
        if records.is_whole && is_own {
            self.with_both(&ledger, records);
        } else {
            let what = match records.stamp {
                Some(stamp) if stamp.identity != ledger.identity => {
                    "they belong to another data directory"
                }
                _ if records.contents.is_empty() && records.stamp.is_none() => "they are missing",
                _ => "not all of them are there",
            };
            let is_new = ledger.last() == 0 && records.contents.is_empty();
            if !is_new {
                self.find(RECORDS, None, what.into());
            }
            let before = if is_own { records.contents } else { Contents::new() };
            self.take_ledger(&ledger, before, 0);
        }
    }

    /// Both can be read, and each is sound as far as it goes.
    fn with_both(&mut self, ledger: &Reading, records: Records) {
        let Some(stamp) = records.stamp else { return };
        let (last, number) = (ledger.last(), stamp.number);
        if number > last {
            // Batches that were never made durable may have got as far as the records alone.
            if stamp.durable > last || stamp.is_clean || ledger.is_clean {
                self.find(LEDGER, None, format!("it ends at {last}, and the records at {number}"));
            }
            self.number = number;
            self.truth = records.contents;
            return;
        }
        if ledger.is_clean && number < last {
            self.find(RECORDS, None, format!("they end at {number}, and the catalogue at {last}"));
        }
        if ledger.is_complete()
            && let Some(then) = replay(ledger, Contents::new(), 0, number)
            && then != records.contents
        {
            self.find(RECORDS, None, "they are not what the catalogue says of them".into());
            return self.take_ledger(ledger, records.contents, 0);
        }
        self.take_ledger(ledger, records.contents, number);
    }

    /// The truth is what the ledger says, on top of `known`, which has the batches up to `number`,
    /// where it does not say everything.
    fn take_ledger(&mut self, ledger: &Reading, known: Contents, number: u64) {
        self.number = ledger.last().max(number);
        if ledger.is_complete() {
            self.truth = replay(ledger, Contents::new(), 0, u64::MAX).unwrap_or_default();
            if !self.findings.is_empty() {
                self.name_differences(&known, number);
            }
            return;
        }
        let begun = ledger.beginning.as_ref().map(|(number, _)| *number);
        if begun.is_none() {
            self.find(LEDGER, None, "its beginning is lost".into());
        }
        let is_lost = |to: u64| to > number;
        for &(first, to) in ledger.missing.iter().filter(|(_, to)| is_lost(*to)) {
            self.lose(format!("changes {first} to {to} of definitions are lost"));
        }
        let covers = begun.is_some() || ledger.entries.keys().all(|entry| *entry <= number + 1);
        if !covers || (begun.is_none() && number == 0) {
            self.lose("definitions may be lost that neither copy has".into());
        }
        let base = if number == 0 && begun.is_some() { Contents::new() } else { known };
        self.truth = replay(ledger, base, number, u64::MAX).unwrap_or_default();
    }

    /// Says which objects the records do not have as they should.
    fn name_differences(&mut self, known: &Contents, number: u64) {
        if number > 0 {
            return; // they are right as far as they go
        }
        let edits = contents::difference(known, &self.truth);
        let mut names: Vec<String> = edits.iter().filter_map(|(key, _)| name(key)).collect();
        names.dedup();
        if names.is_empty() {
            return;
        }
        let more = names.len().saturating_sub(NAMED_MAX);
        names.truncate(NAMED_MAX);
        let mut what = format!("the catalogue has to restore {}", names.join(", "));
        if more > 0 {
            what.push_str(&format!(" and {more} more"));
        }
        self.find(RECORDS, None, what);
    }
}

/// What the ledger says after the batch with this number, beginning with `base` if that has the
/// batches up to `from`. `None` if it cannot tell, since it was begun later.
fn replay(ledger: &Reading, base: Contents, from: u64, to: u64) -> Option<Contents> {
    let mut contents = base;
    let mut done = from;
    if let Some((number, everything)) = &ledger.beginning
        && (from == 0 || *number > from)
    {
        if *number > to {
            return None;
        }
        contents.clear();
        contents::apply(&mut contents, everything);
        done = *number;
    }
    for (_, octets) in ledger.entries.range(done + 1..).take_while(|(entry, _)| **entry <= to) {
        contents::apply(&mut contents, octets);
    }
    Some(contents)
}

/// What a record defines, in words.
fn name(key: &[u8]) -> Option<String> {
    let Ok(key) = Key::decode(key) else { return Some("a record that is not known".into()) };
    match key {
        Key::Definition(DefinitionKind::Parameter, _) => None,
        Key::Definition(kind, parts) => {
            let what = match kind {
                DefinitionKind::VirtualHost => "virtual host",
                DefinitionKind::Exchange => "exchange",
                DefinitionKind::Queue => "queue",
                DefinitionKind::Binding => "binding",
                DefinitionKind::User => "user",
                DefinitionKind::Permission => "permission",
                DefinitionKind::Policy => "policy",
                DefinitionKind::Parameter => "parameter",
            };
            let parts = parts.iter().map(|part| String::from_utf8_lossy(part));
            let parts: Vec<String> = parts.map(|part| format!("'{part}'")).collect();
            Some(format!("{what} {}", parts.join(" ")))
        }
        Key::QueueState { queue, .. } => Some(format!("the state of queue number {queue}")),
    }
}
