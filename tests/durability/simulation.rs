//! Brokers on a machine whose power is cut at a random write or sync, or that are stopped in
//! order, several times in a row. After each time a broker that finds what is left has to keep
//! what was promised: see [`crate::model`].
//!
//! A failing seed is printed. The message log has a thread of its own, so that a seed gives the
//! same work but not always the same moment of the cut. `LEVERET_CRASH_SEEDS=3000` tries
//! more, `LEVERET_CRASH_SEEDS=87..88` one of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use leveret::{Broker, Limits, ManualClock, OpenError, Publish, Timestamp};

use crate::model::{Found, Queue};
use crate::power::{Machine, Remains};
use crate::random::Random;
use crate::seeds;
use crate::stream_model::FoundLog;
use crate::support::{START, channel};
use crate::worker::{Worker, identify};

fn open(machine: &Machine, now_ms: u64) -> Result<Broker, OpenError> {
    let limits = Limits::new().queue_memory_bytes_max(3000);
    Broker::builder()
        .limits(limits)
        .segment_bytes(8 << 10)
        .manual_clock(ManualClock::new(Timestamp::from_millis(now_ms)))
        .open_on(machine.records(), machine.disk())
}

/// How an earlier broker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Before it had begun to work.
    NotOpened,
    PowerCut,
    /// While it stopped, so that it may be just as well stopped in order.
    CutStop,
    Exit,
    Stop,
}

/// What there is of the queues and of the streams of a worker.
type FoundOfWorker = (Vec<Option<Found>>, Vec<Option<FoundLog>>);

/// What a broker has that finds these remains, for each worker, and whether it knows what had been
/// delivered before.
fn look(remains: &Remains, workers: &[Worker], end: End) -> (Vec<FoundOfWorker>, bool) {
    let machine = Machine::new(remains, u64::MAX, &mut Random::new(1));
    let broker = open(&machine, workers[0].now_ms()).unwrap();
    let recovery = broker.recovery();
    let found_logs = |worker: &Worker| worker.logs.iter().map(|log| log.look(&broker)).collect();
    let logs: Vec<Vec<Option<FoundLog>>> = workers.iter().map(found_logs).collect();
    let in_streams: usize = logs.iter().flatten().flatten().map(FoundLog::len).sum();
    assert_eq!(recovery.left_out, [""; 0]);
    if !remains.has_failed() {
        assert_eq!(recovery.damage, []);
    }
    match end {
        End::Stop => assert!(recovery.clean || remains.has_failed()),
        // An empty log is as good as one that was stopped in order.
        End::PowerCut | End::Exit => {
            assert!(!recovery.clean || recovery.messages == in_streams)
        }
        End::NotOpened | End::CutStop => {}
    }
    let found =
        workers.iter().map(|worker| look_at(&broker, &worker.model.queues, &worker.exchange()));
    (found.zip(logs).collect(), recovery.clean)
}

/// What is in these queues, and whether they are bound to an exchange.
pub(crate) fn look_at(broker: &Broker, queues: &[Queue], exchange: &str) -> Vec<Option<Found>> {
    let taker = channel(broker);
    let drain = |queue: &str| {
        let mut taken = Vec::new();
        while let Some(delivery) = taker.basic_get_no_ack(queue).unwrap() {
            taken.push((identify(&delivery), delivery.redelivered()));
        }
        taken
    };
    let host = broker.virtual_host("/").unwrap();
    let there = queues.iter().map(|queue| {
        host.queue(&queue.name).is_ok().then(|| (queue.name.clone(), drain(&queue.name)))
    });
    let there: Vec<_> = there.collect();
    // The exchange is not there if the very first declaration was cut off.
    let _ = taker.basic_publish(Publish::to_exchange(exchange, "").body("probe"));
    let found = there.into_iter().map(|there| {
        let (name, messages) = there?;
        let probes = drain(&name);
        let bodies: Vec<_> = probes.iter().map(|(id, _)| id.body.as_str()).collect();
        assert!(["probe"].starts_with(&bodies), "{name} gives out {bodies:?} after {messages:?}");
        Some(Found { bound: !probes.is_empty(), messages })
    });
    found.collect()
}

/// Whether a broker's messages are those of the one before, so that nothing of its own work has
/// reached its log.
fn is_untouched(before: &[Option<Found>], found: &[Option<Found>]) -> bool {
    let messages = |of: Option<&Found>| of.map_or(Vec::new(), |found| found.messages.clone());
    let mut both = before.iter().zip(found);
    both.all(|(before, now)| now.is_none() || messages(before.as_ref()) == messages(now.as_ref()))
}

/// One broker's life; tells what is left, and how it ended.
fn live(
    broker: Broker,
    machine: &Machine,
    workers: &mut [Worker],
    random: &mut Random,
) -> (Remains, End) {
    let operations = 10 + random.below(120);
    let alone = workers.len() == 1;
    machine.begin_work(workers.len());
    std::thread::scope(|scope| {
        for worker in &mut *workers {
            let broker = &broker;
            scope.spawn(move || {
                let worked = catch_unwind(AssertUnwindSafe(|| {
                    worker.work(broker, machine, operations, alone);
                }));
                machine.end_work();
                worked.unwrap();
            });
        }
        machine.wait();
        if machine.is_off() {
            // Whoever waits for an answer does not get one.
            broker.close("there is no power", Duration::ZERO);
        }
    });
    let end = match random.below(3) {
        _ if machine.is_off() => End::PowerCut,
        0 => End::PowerCut,
        1 => End::Exit,
        _ => End::Stop,
    };
    match end {
        End::NotOpened | End::CutStop | End::PowerCut => (machine.cut(), end),
        End::Exit => (machine.after_exit(), end),
        End::Stop => {
            drop(broker);
            if machine.is_off() {
                return (machine.cut(), End::CutStop);
            }
            (machine.cut(), end)
        }
    }
}

/// Several lives of a broker; panics if a promise is broken.
fn simulate(seed: u64) {
    let mut random = Random::new(seed);
    let count = 1 + random.below(2) * random.below(3);
    let mut workers: Vec<Worker> = (0..count)
        .map(|n| Worker::new(&format!("w{n}"), Random::new(random.next()), START))
        .collect();
    let mut remains = Remains::nothing();
    let mut before: Vec<_> =
        workers.iter().map(|worker| vec![None; worker.model.queues.len()]).collect();
    for life in 0..3 {
        let operations = 10 + random.next() % 300;
        let machine = Machine::new(&remains, operations, &mut random);
        let now_ms = workers[0].now_ms();
        let end;
        (remains, end) = match open(&machine, now_ms) {
            Ok(broker) => live(broker, &machine, &mut workers, &mut random),
            Err(error) => {
                assert!(machine.is_off(), "it cannot be opened though there is power: {error}");
                (machine.cut(), End::NotOpened)
            }
        };
        let (found, known) = look(&remains, &workers, end);
        // After a stop that was cut short the log may be the one that another stop had left.
        let mut both = before.iter().zip(&found);
        let untouched = both.all(|(before, (found, _))| is_untouched(before, found));
        let clean = known && (end == End::Stop || end == End::CutStop && !untouched);
        before = found.iter().map(|(found, _)| found.clone()).collect();
        for (worker, (found, logs)) in workers.iter_mut().zip(found) {
            let now_ms = worker.now_ms();
            let mut wrong = worker.model.check(&found, clean, known, now_ms);
            for (log, found) in worker.logs.iter_mut().zip(logs) {
                // What the message log knows of a stop that was cut short streams need not, and a
                // disk that fails meanwhile takes what was not confirmed.
                let clean = end == End::Stop && known && !remains.has_failed();
                wrong += &log.check(found.as_ref(), clean);
                log.adopt(found);
            }
            let failed = if remains.has_failed() { " after failures" } else { "" };
            assert!(wrong.is_empty(), "seed {seed}, life {life}, {end:?}{failed}:\n{wrong}");
            worker.model.adopt(found, now_ms);
        }
    }
}

#[test]
fn what_was_promised_is_kept_whenever_the_power_is_cut() {
    seeds::try_all(seeds::wanted(), simulate);
}

/// A mark of what was handed out of a quorum queue counted for others that got the sequences of
/// messages that the power cut had taken (438 to 10160); a stop that was cut short had left the
/// log as it was found (19982); what lies behind a torn record counted again after a start that was
/// cut off while it cut that off (6048, one time in nine, and 8447, one time in ninety); that a
/// message had come back was forgotten with an acknowledgement that was lost (6377, one in forty).
#[test]
fn seeds_that_have_failed_before_hold() {
    for seed in [409, 438, 2526, 6841, 8447, 9943, 10160, 19982] {
        seeds::try_all(seed..seed + 1, simulate);
    }
    (0..20).for_each(|_| {
        [6048, 6377, 8447].iter().for_each(|&seed| seeds::try_all(seed..seed + 1, simulate))
    });
}
