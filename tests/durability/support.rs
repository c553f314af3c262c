//! A broker on a directory that goes with the test.

use std::fs;
use std::path::{Path, PathBuf};

use leveret::{
    Broker, BrokerBuilder, Channel, FieldTable, Limits, ManualClock, Publish, QueueDeclare,
    Timestamp,
};

pub(crate) struct Directory(tempfile::TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn open(&self) -> Broker {
        self.open_with(|builder| builder)
    }

    pub(crate) fn open_with(
        &self,
        settings: impl FnOnce(BrokerBuilder) -> BrokerBuilder,
    ) -> Broker {
        settings(builder(START)).open(self.path()).unwrap()
    }

    /// The directory as the sudden end of the process would leave it now.
    pub(crate) fn crash(&self) -> Self {
        let copy = Self::new();
        copy_directory(&self.path(), &copy.path());
        copy
    }
}

pub(crate) const START: u64 = 1_577_836_800_000;

/// On a manual clock, with little memory for each queue.
pub(crate) fn builder(now_ms: u64) -> BrokerBuilder {
    let limits = Limits::new().queue_memory_bytes_max(64 << 10);
    Broker::builder()
        .segment_bytes(256 << 10)
        .limits(limits)
        .manual_clock(ManualClock::new(Timestamp::from_millis(now_ms)))
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            // A file may go while the others are copied.
            let _ = fs::copy(entry.path(), target);
        }
    }
}

pub(crate) fn channel(broker: &Broker) -> Channel {
    broker.connect().unwrap().open_channel().unwrap()
}

pub(crate) fn durable(queue: &str) -> QueueDeclare {
    QueueDeclare::new(queue).durable()
}

pub(crate) fn durable_with(queue: &str, arguments: FieldTable) -> QueueDeclare {
    durable(queue).arguments(arguments)
}

pub(crate) fn quorum(queue: &str) -> QueueDeclare {
    durable_with(queue, table([("x-queue-type", "quorum".into())]))
}

pub(crate) fn table<const N: usize>(entries: [(&str, Argument); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value.0);
    }
    table
}

pub(crate) struct Argument(leveret::AMQPValue);

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self(leveret::AMQPValue::LongString(text.into()))
    }
}

impl From<Argument> for leveret::AMQPValue {
    fn from(argument: Argument) -> Self {
        argument.0
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self(leveret::AMQPValue::LongLongInt(number))
    }
}

pub(crate) fn persistent(queue: &str, body: &str) -> Publish {
    Publish::to_queue(queue).body(body.to_owned()).persistent()
}

pub(crate) fn confirm(channel: &Channel, publish: Publish) {
    assert!(channel.publish(publish).wait().unwrap().is_ack());
}

/// Takes everything that is ready: bodies, and whether they are flagged redelivered.
pub(crate) fn drain(channel: &Channel, queue: &str) -> Vec<(String, bool)> {
    let mut taken = Vec::new();
    while let Some(delivery) = channel.basic_get(queue).unwrap() {
        let body = String::from_utf8(delivery.body().to_vec()).unwrap();
        taken.push((body, delivery.redelivered()));
        delivery.ack().unwrap();
    }
    taken
}

pub(crate) fn bodies(channel: &Channel, queue: &str) -> Vec<String> {
    drain(channel, queue).into_iter().map(|(body, _)| body).collect()
}
