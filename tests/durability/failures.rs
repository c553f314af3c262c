//! Records that fail, and what is only half done when the power goes.

use std::sync::Arc;

use leveret::Broker;
use leveret::storage::testing::{FaultyStore, Operation, SimulatedDisk};
use leveret::storage::{Batch, Prefix, Store, scan};

use crate::support::*;

fn open(records: &Arc<FaultyStore>, disk: &SimulatedDisk) -> Broker {
    builder(START).open_on(records.clone(), Arc::new(disk.clone())).unwrap()
}

/// The machine after a power cut.
fn after_cut(records: &FaultyStore, disk: &SimulatedDisk) -> (Arc<FaultyStore>, SimulatedDisk) {
    let kept = records.after_crash(0).unwrap();
    let mut batch = Batch::new();
    scan(&kept, Prefix::everything()).for_each(|entry| {
        let (key, record) = entry.unwrap();
        batch.put(key, record);
    });
    let records = FaultyStore::new();
    records.commit(batch).unwrap();
    records.flush().unwrap();
    (Arc::new(records), SimulatedDisk::from_image(disk.after_power_cut(), 1))
}

#[test]
fn a_queue_that_was_deleted_by_half_keeps_what_comes_later() {
    let (records, disk) = (Arc::new(FaultyStore::new()), SimulatedDisk::new(1));
    let broker = open(&records, &disk);
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    one.queue_declare_with(&durable("other")).unwrap();
    confirm(&one, persistent("q", "old"));
    // The log learns of the deletion, the records do not.
    records.fail(Operation::Commit, 0);
    one.queue_delete("q").unwrap_err();
    confirm(&one, persistent("other", "later"));

    let (records, disk) = after_cut(&records, &disk);
    let broker = open(&records, &disk);
    let two = channel(&broker);
    assert_eq!(bodies(&two, "q"), [""; 0]);
    confirm(&two, persistent("q", "new"));
    let (records, disk) = after_cut(&records, &disk);
    assert_eq!(bodies(&channel(&open(&records, &disk)), "q"), ["new"]);
}

#[test]
fn a_deletion_that_cannot_be_recorded_is_not_reported_as_done() {
    let (records, disk) = (Arc::new(FaultyStore::new()), SimulatedDisk::new(1));
    let broker = open(&records, &disk);
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    one.queue_bind("q", "amq.fanout", "").unwrap();
    records.fail(Operation::Commit, 0);
    assert!(one.queue_unbind("q", "amq.fanout", "").is_err());
    assert!(one.queue_declare_with(&durable("another")).is_err(), "nothing goes any more");
}
