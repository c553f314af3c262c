//! What is logged of a disk that fails, and of alarms that are raised by hand.

use std::io;
use std::sync::{Arc, OnceLock};

use leveret::Broker;
use leveret::storage::MemoryStore;
use leveret::storage::testing::SimulatedDisk;
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

use crate::full_disk::{fill, wait_until};
use crate::support::*;

/// All that was logged by the tests of this program.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().push_str(&String::from_utf8_lossy(octets));
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    fn start() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone());
            subscriber.init();
            log
        })
    }

    fn count(&self, text: &str) -> usize {
        self.0.lock().matches(text).count()
    }
}

#[test]
fn a_full_disk_is_told_once_and_so_is_its_end() {
    let log = Log::start();
    let disk = SimulatedDisk::new(4);
    let records = Arc::new(MemoryStore::new());
    let builder = builder(START).segment_bytes(16 << 10);
    let broker = builder.open_on(records, Arc::new(disk.clone())).unwrap();
    let (_, publisher) = fill(&broker, &disk);
    wait_until(|| log.count("disk alarm raised: nothing can be stored in (simulated) (") > 0);
    assert!(log.count("if the disk is full it needs 1 MiB of free space") > 0);
    let cleared = log.count("disk alarm cleared: what was published is stored in (simulated)");
    disk.limit_space(None);
    assert!(publisher.join().unwrap());
    wait_until(|| {
        log.count("disk alarm cleared: what was published is stored in (simulated)") > cleared
    });
}

#[test]
fn alarms_that_are_raised_by_hand_are_told() {
    let log = Log::start();
    let broker = Broker::new();
    for _ in 0..2 {
        broker.set_disk_alarm(true);
        broker.set_memory_alarm(true);
    }
    assert_eq!(log.count("disk alarm raised by hand"), 1);
    assert_eq!(log.count("memory alarm raised by hand"), 1);
    broker.set_disk_alarm(false);
    assert_eq!(log.count("disk alarm that was raised by hand is cleared"), 1);
}
