//! Records that are kept twice: nothing is lost by a crash, and damage anywhere is found, named and
//! repaired.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use leveret_storage::testing::Machine;
use leveret_storage::{
    Batch, Catalogue, DataDirectory, DefinitionKind, Error, Key, Prefix, ReadOnlyDirectory, Store,
    scan,
};
use proptest::prelude::*;

type Map = BTreeMap<String, u64>;

fn key(name: &str) -> Key {
    Key::definition(DefinitionKind::Queue, ["/", name])
}

fn put(store: &dyn Store, name: &str, value: u64) {
    let mut batch = Batch::new();
    batch.put(key(name), value.to_le_bytes().to_vec());
    store.commit(batch).unwrap();
}

fn delete(store: &dyn Store, name: &str) {
    let mut batch = Batch::new();
    batch.delete(key(name));
    store.commit(batch).unwrap();
}

fn records(store: &dyn Store) -> Map {
    let entries = scan(store, Prefix::everything()).map(Result::unwrap);
    entries
        .map(|(key, record)| {
            let Key::Definition(_, parts) = key else { panic!("{key:?}") };
            let name = String::from_utf8(parts[1].clone()).unwrap();
            (name, u64::from_le_bytes(record.as_ref().try_into().unwrap()))
        })
        .collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

fn open(machine: &Machine) -> Result<Catalogue, Error> {
    Catalogue::open(machine.records(), machine.disk(), 7, false).map(|(catalogue, _)| catalogue)
}

/// Random commits and flushes until the power is cut. Returns what was durable, and each state
/// after that.
fn work(catalogue: &Catalogue, map: &mut Map, random: &mut Random) -> Vec<Map> {
    let mut possible = vec![map.clone()];
    for _ in 0..200 {
        let name = format!("q{}", random.below(12));
        let mut batch = Batch::new();
        let value = random.below(1000) as u64;
        let is_deleted = random.below(4) == 0;
        if is_deleted {
            batch.delete(key(&name));
        } else {
            batch.put(key(&name), value.to_le_bytes().to_vec());
        }
        if catalogue.commit(batch).is_err() {
            break;
        }
        if is_deleted {
            map.remove(&name);
        } else {
            map.insert(name, value);
        }
        possible.push(map.clone());
        if random.below(3) == 0 {
            if catalogue.flush().is_err() {
                break;
            }
            possible = vec![map.clone()];
            if random.below(2) == 0 && catalogue.write_back().is_err() {
                break;
            }
        }
    }
    possible
}

fn survive(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut remains = Machine::new(&Default::default(), seed).after_exit();
    let mut possible = vec![Map::new()];
    for life in 0..4 {
        let machine = Machine::new(&remains, seed ^ life);
        machine.cut_after(1 << 40);
        let catalogue = match open(&machine) {
            Ok(catalogue) => catalogue,
            Err(error) => panic!("seed {seed}, life {life}: {error}"),
        };
        let mut map = records(&catalogue);
        assert!(possible.contains(&map), "seed {seed}, life {life}: {map:?} of {possible:?}");
        match random.below(4) {
            // Cut in the middle.
            0 | 1 => {
                machine.cut_after(random.below(120) as u64);
                possible = work(&catalogue, &mut map, &mut random);
                machine.cut();
                drop(catalogue);
                remains = machine.after_cut();
            }
            // The process is killed, and the machine goes on.
            2 => {
                possible = work(&catalogue, &mut map, &mut random);
                remains = machine.after_exit();
            }
            _ => {
                work(&catalogue, &mut map, &mut random);
                drop(catalogue);
                possible = vec![map];
                remains = machine.after_exit();
            }
        }
    }
}

#[test]
fn what_was_flushed_survives_every_crash_and_is_never_called_damaged() {
    let seeds = std::env::var("LEVERET_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    (0..seeds.unwrap_or(400)).for_each(survive);
}

#[test]
fn a_power_cut_while_it_is_opened_costs_nothing() {
    for operations in 0..40 {
        let machine = Machine::new(&Default::default(), operations);
        let catalogue = open(&machine).unwrap();
        put(&catalogue, "a", 1);
        put(&catalogue, "b", 2);
        catalogue.flush().unwrap();
        drop(catalogue);
        let machine = Machine::new(&machine.after_exit(), operations);
        machine.cut_after(operations);
        drop(open(&machine));
        machine.cut();
        let machine = Machine::new(&machine.after_cut(), operations);
        let found = records(&open(&machine).unwrap());
        assert_eq!(found, Map::from([("a".into(), 1), ("b".into(), 2)]), "{operations}");
    }
}

/// A directory with definitions, of which some were deleted; stopped in order or not.
fn directory(at: &Path, stopped: bool) -> Map {
    let data = DataDirectory::open(at).unwrap();
    let (catalogue, report) = data.records(false).unwrap();
    assert!(report.is_new);
    for number in 0..20 {
        put(&catalogue, &format!("q{number}"), number);
        catalogue.flush().unwrap();
    }
    for number in [0, 2, 4] {
        delete(&catalogue, &format!("q{number}"));
    }
    catalogue.flush().unwrap();
    catalogue.write_back().unwrap();
    let map = records(&catalogue);
    if !stopped {
        let copy = at.with_extension("copy");
        copy_all(at, &copy);
        drop((catalogue, data));
        fs::remove_dir_all(at).unwrap();
        fs::rename(copy, at).unwrap();
    }
    map
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// How both copies come to end before what was entered last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// Noise over the end of the ledger, which looks torn, and records from earlier.
    Noise,
    /// Files from earlier.
    Earlier,
    /// Neither is there.
    Gone,
}

fn lose(path: &Path, earlier: &Path, loss: Loss) {
    let (records, ledger) = (path.join("records"), path.join("catalogue"));
    let end = |octets: &[u8]| octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    let before = fs::read(earlier.join("catalogue")).unwrap();
    let mut octets = fs::read(&ledger).unwrap();
    fs::remove_dir_all(&records).unwrap();
    if loss == Loss::Gone {
        return fs::remove_file(ledger).unwrap();
    }
    copy_all(&earlier.join("records"), &records);
    if loss == Loss::Noise {
        let noise = end(&before).next_multiple_of(8)..end(&octets);
        octets[noise].fill(0xA5);
        fs::write(&ledger, octets).unwrap();
    } else {
        fs::write(&ledger, before).unwrap();
    }
}

#[test]
fn what_was_entered_before_an_end_in_order_is_missed_even_if_neither_copy_has_it() {
    for loss in [Loss::Noise, Loss::Earlier, Loss::Gone] {
        let place = tempfile::tempdir().unwrap();
        let (path, earlier) = (place.path().join("data"), place.path().join("earlier"));
        let data = DataDirectory::open(&path).unwrap();
        let (catalogue, _) = data.records(false).unwrap();
        put(&catalogue, "first", 1);
        catalogue.flush().unwrap();
        catalogue.write_back().unwrap();
        copy_all(&path, &earlier);
        put(&catalogue, "last", 2);
        catalogue.flush().unwrap();
        drop((catalogue, data));
        lose(&path, &earlier, loss);
        let open = |repair| {
            let data = DataDirectory::open(&path)?;
            data.records(repair).map(|(catalogue, report)| (records(&catalogue), report))
        };
        let contents = || files(&path).into_iter().map(|file| (fs::read(&file).unwrap(), file));
        let before: Vec<_> = contents().collect();
        let (_, findings) = ReadOnlyDirectory::open(&path).unwrap().records().unwrap();
        assert!(findings.iter().any(|finding| finding.is_loss), "{loss:?}: {findings:?}");
        assert!(matches!(open(false), Err(Error::Catalogue(found)) if found == findings));
        assert!(contents().eq(before), "{loss:?}: it was changed");
        let (found, report) = open(true).unwrap();
        let left = if loss == Loss::Gone { Map::new() } else { Map::from([("first".into(), 1)]) };
        assert_eq!((&found, report.is_new, report.repaired), (&left, false, findings));
        let (found, report) = open(false).unwrap();
        assert_eq!((&found, report.is_new, report.repaired), (&left, false, vec![]));
    }
}

/// What is done to a file.
#[derive(Clone, Debug)]
enum Harm {
    Flip(u64, u8),
    Cut(u64),
    Zero(u64, usize),
    Empty,
    Remove,
    Foreign,
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        6 => (any::<u64>(), 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        2 => any::<u64>().prop_map(Harm::Cut),
        2 => (any::<u64>(), 1..600_usize).prop_map(|(at, octets)| Harm::Zero(at, octets)),
        1 => Just(Harm::Empty),
        1 => Just(Harm::Remove),
        1 => Just(Harm::Foreign),
    ]
}

/// Tells whether anything is different.
fn do_harm(path: &Path, foreign: &Path, harm: &Harm) -> bool {
    let before = fs::read(path).unwrap();
    let mut octets = before.clone();
    let at = |at: u64| (at % before.len().max(1) as u64) as usize;
    match harm {
        Harm::Remove => {
            fs::remove_file(path).unwrap();
            return true;
        }
        Harm::Flip(_, _) | Harm::Zero(_, _) if octets.is_empty() => return false,
        Harm::Flip(place, bit) => octets[at(*place)] ^= 1 << bit,
        Harm::Zero(place, count) => {
            let from = at(*place);
            let to = (from + count).min(octets.len());
            octets[from..to].fill(0);
        }
        Harm::Cut(place) => octets.truncate(at(*place)),
        Harm::Empty => octets.clear(),
        Harm::Foreign => octets = fs::read(foreign).unwrap_or_default(),
    }
    fs::write(path, &octets).unwrap();
    octets != before
}

/// Two directories that nobody harms, each with a name of its own, and what is in them.
type Template = (PathBuf, PathBuf, Map);

static TEMPLATES: [LazyLock<Template>; 2] =
    [LazyLock::new(|| template(false)), LazyLock::new(|| template(true))];

fn template(stopped: bool) -> Template {
    let place = tempfile::tempdir().unwrap().keep();
    let (one, other) = (place.join("one"), place.join("other"));
    let map = directory(&one, stopped);
    directory(&other, stopped);
    (one, other, map)
}

fn check(stopped: bool, which: usize, harm: &Harm) -> Result<(), TestCaseError> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    let (whole, other, map) = &*TEMPLATES[usize::from(stopped)];
    copy_all(whole, &path);
    let all = files(&path);
    let file = &all[which % all.len()];
    let name = file.strip_prefix(&path).unwrap().to_owned();
    let harmed = do_harm(file, &other.join(&name), harm);
    let what = format!("{harm:?} on {}", name.display());

    let looked = ReadOnlyDirectory::open(&path).and_then(|data| data.records());
    let opened = DataDirectory::open(&path).and_then(|data| {
        let found = data.records(false);
        found.map(|(catalogue, report)| (records(&catalogue), report))
    });
    match &opened {
        Ok((found, report)) => {
            prop_assert!(!report.is_new, "{}: it counts as new", what);
            prop_assert_eq!(found, map, "{}: silently lost or revived", what);
        }
        Err(error) => {
            prop_assert!(harmed, "{}: {}", what, error);
            if let Ok((_, findings)) = &looked {
                prop_assert!(!findings.is_empty(), "{}: sound for verify, but {}", what, error);
            }
            let repaired = DataDirectory::open(&path).and_then(|data| {
                let found = data.records(true);
                found.map(|(catalogue, report)| (records(&catalogue), report))
            });
            let (found, report) =
                repaired.map_err(|e| TestCaseError::fail(format!("{what}: {e}")))?;
            prop_assert_eq!(&found, map, "{}: {:?}", what, report);
            prop_assert!(!report.repaired.iter().any(|f| f.is_loss), "{}: {:?}", what, report);
            prop_assert!(!report.repaired.is_empty(), "{}", what);
            let again = DataDirectory::open(&path).and_then(|data| data.records(false).map(drop));
            prop_assert!(again.is_ok(), "{}: not sound after the repair: {:?}", what, again);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn one_harmed_file_loses_nothing(stopped: bool, which: usize, harm in harm()) {
        check(stopped, which, &harm)?;
    }
}

fn cases() -> u32 {
    let cases = std::env::var("LEVERET_DAMAGE_CASES").ok().and_then(|cases| cases.parse().ok());
    cases.unwrap_or(200)
}

#[test]
fn a_store_of_another_directory_is_noticed() {
    let machine = Machine::new(&Default::default(), 1);
    let other = Machine::new(&Default::default(), 2);
    let mine = open(&machine).unwrap();
    put(&mine, "mine", 1);
    drop(mine);
    let theirs = Catalogue::open(other.records(), other.disk(), 8, false).unwrap().0;
    put(&theirs, "theirs", 2);
    drop(theirs);
    let mixed = Catalogue::open(other.records(), machine.disk(), 7, false);
    let Err(Error::Catalogue(findings)) = mixed.map(drop) else { panic!("not noticed") };
    assert!(findings.iter().any(|f| f.what.contains("another data directory")), "{findings:?}");
    let repaired = Catalogue::open(other.records(), machine.disk(), 7, true).unwrap();
    assert_eq!(records(&repaired.0), Map::from([("mine".into(), 1)]));
    let named = repaired.1.repaired.iter().any(|f| f.what.contains("queue '/' 'mine'"));
    assert!(named, "{:?}", repaired.1);
    let _: Arc<dyn Store> = Arc::new(repaired.0);
}
