//! Stores against a plain map, and keys against their octets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use bytes::Bytes;
use leveret_storage::testing::{FaultyStore, Operation};
use leveret_storage::{
    Batch, Change, DefinitionKind, Error, Key, MemoryStore, Prefix, Receipt, SCAN_PAGE, SledStore,
    Store, scan,
};
use proptest::collection::vec;
use proptest::prelude::*;

type Map = BTreeMap<Key, Bytes>;

fn name() -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Few octets, those with a meaning in the encoding among them, so that names meet.
    vec(vec(prop::sample::select(vec![0, 1, 0xFF, b'a']), 0..3), 0..3)
}

fn kind() -> impl Strategy<Value = DefinitionKind> {
    prop::sample::select(DefinitionKind::ALL.to_vec())
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        (kind(), name()).prop_map(|(kind, name)| Key::Definition(kind, name)),
        (0..3_u64, 0..9_u64).prop_map(|(queue, sequence)| Key::queue_state(queue, sequence)),
        (any::<u64>(), any::<u64>())
            .prop_map(|(queue, sequence)| Key::queue_state(queue, sequence)),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    prop_oneof![
        Just(Prefix::everything()),
        kind().prop_map(Prefix::definitions),
        (kind(), name()).prop_map(|(kind, name)| Prefix::definitions_in(kind, name)),
        Just(Prefix::queue_states()),
        (0..3_u64).prop_map(Prefix::queue_states_of),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    vec((key(), prop::option::weighted(0.7, any::<[u8; 2]>())), 0..8).prop_map(|changes| {
        let mut batch = Batch::new();
        for (key, record) in changes {
            match record {
                Some(record) => batch.put(key, record.to_vec()),
                None => batch.delete(key),
            }
        }
        batch
    })
}

fn apply(map: &mut Map, batch: &Batch) {
    for change in batch.changes() {
        match change.clone() {
            Change::Put(key, record) => map.insert(key, record),
            Change::Delete(key) => map.remove(&key),
        };
    }
}

fn content(store: &dyn Store, prefix: Prefix) -> Vec<(Key, Bytes)> {
    scan(store, prefix).collect::<Result<_, _>>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..Default::default() })]

    #[test]
    fn octets_sort_as_keys_do_and_lead_back(a in key(), b in key()) {
        prop_assert_eq!(a.cmp(&b), a.encode().cmp(&b.encode()));
        prop_assert_eq!(Key::decode(&a.encode()).unwrap(), a);
    }

    #[test]
    fn octets_that_decode_are_the_keys_own(octets in vec(any::<u8>(), 0..24)) {
        if let Ok(key) = Key::decode(&octets) {
            prop_assert_eq!(key.encode(), octets);
        }
    }

    #[test]
    fn a_memory_store_is_a_map(batches in vec(batch(), 0..12), prefix in prefix()) {
        let store = MemoryStore::new();
        let mut map = Map::new();
        for (number, batch) in (1..).zip(batches) {
            apply(&mut map, &batch);
            prop_assert_eq!(store.commit(batch).unwrap(), Receipt::new(number));
        }
        let within = map.iter().filter(|(key, _)| prefix.contains(key));
        let expected: Vec<_> = within.map(|(key, record)| (key.clone(), record.clone())).collect();
        prop_assert_eq!(&content(&store, prefix.clone()), &expected);
        for (key, record) in &map {
            let found = store.get(key).unwrap();
            prop_assert_eq!(found.as_ref(), Some(record));
        }
        // By pages of any size, and from any key on.
        for size in 1..3 {
            let mut last = None;
            let mut paged = Vec::new();
            loop {
                let page = store.scan_page(&prefix, last.as_ref(), size).unwrap();
                let full = page.len() == size;
                last = page.last().map(|(key, _)| key.clone());
                paged.extend(page);
                if !full {
                    break;
                }
            }
            prop_assert_eq!(&paged, &expected);
        }
    }

    #[test]
    fn a_store_on_disk_is_a_store_in_memory(
        batches in vec(batch(), 0..6), prefix in prefix(), after in key(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new();
        let disk = SledStore::open(directory.path()).unwrap();
        for batch in batches {
            let receipt = memory.commit(batch.clone()).unwrap();
            prop_assert_eq!(disk.commit(batch).unwrap(), receipt);
            prop_assert_eq!(disk.flush().unwrap(), memory.flush().unwrap());
        }
        let pages = |store: &dyn Store| {
            [None, Some(&after)].map(|after| store.scan_page(&prefix, after, 2).unwrap())
        };
        prop_assert_eq!(pages(&disk), pages(&memory));
        let expected = content(&memory, Prefix::everything());
        prop_assert_eq!(&content(&disk, Prefix::everything()), &expected);
        drop(disk);
        let disk = SledStore::open(directory.path()).unwrap();
        prop_assert_eq!(&content(&disk, Prefix::everything()), &expected);
    }

    #[test]
    fn a_crash_keeps_what_was_flushed(
        steps in vec((batch(), any::<bool>()), 0..12),
        kept in 0..4_usize,
    ) {
        let store = FaultyStore::new();
        let mut durable = Map::new();
        let mut pending = Vec::new();
        for (batch, flush) in steps {
            let receipt = store.commit(batch.clone()).unwrap();
            prop_assert!(store.durable() < receipt);
            pending.push(batch);
            if flush {
                prop_assert_eq!(store.flush().unwrap(), receipt);
                pending.drain(..).for_each(|batch| apply(&mut durable, &batch));
            }
        }
        pending.iter().take(kept).for_each(|batch| apply(&mut durable, batch));
        let left = content(&store.after_crash(kept).unwrap(), Prefix::everything());
        prop_assert_eq!(left, durable.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_scan_turns_pages() {
    let store = MemoryStore::new();
    let mut batch = Batch::new();
    let count = 2 * SCAN_PAGE as u64;
    (0..count).for_each(|sequence| batch.put(Key::queue_state(1, sequence), "m"));
    batch.put(Key::queue_state(2, 0), "another queue's");
    assert_eq!((batch.len(), batch.octets()), (2 * SCAN_PAGE + 1, 2 * SCAN_PAGE + 15));
    store.commit(batch).unwrap();
    let sequences: Vec<_> = content(&store, Prefix::queue_states_of(1))
        .into_iter()
        .map(|(key, _)| match key {
            Key::QueueState { item, .. } => item,
            Key::Definition(..) => u64::MAX,
        })
        .collect();
    assert_eq!(sequences, (0..count).collect::<Vec<_>>());
}

#[test]
fn failures_come_on_command() {
    let store = FaultyStore::new();
    let batch = |sequence| {
        let mut batch = Batch::new();
        batch.put(Key::queue_state(1, sequence), "m");
        batch
    };
    store.fail(Operation::Commit, 1);
    store.commit(batch(1)).unwrap();
    assert!(matches!(store.commit(batch(2)), Err(Error::Io(_))));
    assert_eq!(store.get(&Key::queue_state(1, 2)).unwrap(), None, "a failed commit does nothing");
    store.commit(batch(3)).unwrap();

    store.fail(Operation::Read, 0);
    assert!(scan(&store, Prefix::everything()).any(|entry| entry.is_err()));
    assert_eq!(content(&store, Prefix::everything()).len(), 2);

    store.fail(Operation::Flush, 0);
    assert!(matches!(store.flush(), Err(Error::Io(_))));
    assert!(matches!(store.flush(), Err(Error::Failed)), "there is no second try");
    assert!(matches!(store.commit(batch(4)), Err(Error::Failed)));
    assert_eq!(store.durable(), Receipt::NONE);
}
