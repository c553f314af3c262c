//! One run from the first connection to the report.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::admin::Admin;
use super::args::{BenchArgs, Span};
use super::clock::Clock;
use super::connection::{Connection, REPLY_TIMEOUT, Target};
use super::consumer::Consumer;
use super::control::{Control, Phase, Tally};
use super::error::LoadError;
use super::process::{cpu_time_us, resident_bytes};
use super::publisher::Publisher;
use super::report::{Expected, Mark, Report};
use super::stream::{StreamPublisher, StreamReader};
use super::topology::Topology;

/// How long the measuring thread sleeps before it looks whether all messages have arrived.
const POLL: Duration = Duration::from_millis(1);

type Latencies = Option<Histogram<u64>>;

/// Declares queues on the server, puts load on them, measures, and deletes them again.
///
/// # Errors
/// When options contradict each other, when the server cannot be reached, closes a connection or
/// channel or stops to answer, and when more messages come out than went in.
pub(crate) fn run(args: BenchArgs) -> Result<Report, LoadError> {
    let args = args.complete();
    args.check()?;
    let target = match args.stream_address() {
        Some(address) => Target::parse_stream(address)?,
        None => Target::parse(&args.uri)?,
    };
    let clock = Clock::start();
    let unique = getrandom::u32()
        .map_err(|error| LoadError::Arguments(format!("no random number for names: {error}")))?;
    let topology = Topology::new(&args, unique);
    let mut admin = Admin::open(&args, &target, clock)?;
    let run = Run { args: &args, target: &target, topology: &topology, clock };
    let measured =
        admin.declare(&topology).and_then(|()| open_idle(&args, &target, clock)).and_then(|idle| {
            let measured =
                if args.replay { run.replay() } else { run.measure(run.connect()?, None) };
            idle.into_iter().try_for_each(Connection::close)?;
            measured
        });
    if let Err(LoadError::ClosedByServer { scope: "connection", .. }) = measured
        && let Ok(another) = Admin::open(&args, &target, clock)
    {
        // It may be the first one that was closed.
        admin = another;
    }
    let deleted = admin.delete(&topology).and_then(|()| admin.close());
    let report = measured?;
    deleted?;
    Ok(report)
}

/// Opens the connections that do nothing.
fn open_idle(
    args: &BenchArgs,
    target: &Target,
    clock: Clock,
) -> Result<Vec<Connection>, LoadError> {
    let open = |_| {
        let mut connection = Connection::open(target, clock)?;
        connection.open_channel(1)?;
        Ok(connection)
    };
    (0..args.idle).map(open).collect()
}

/// What all of a run needs.
struct Run<'a> {
    args: &'a BenchArgs,
    target: &'a Target,
    topology: &'a Topology,
    clock: Clock,
}

/// What threads do, one for each connection.
#[derive(Default)]
struct Workers {
    consumers: Vec<Work>,
    publishers: Vec<Work>,
}

impl Run<'_> {
    /// All connections of a run, ready to start.
    fn connect(&self) -> Result<Workers, LoadError> {
        let consumers = self.consumers()?;
        Ok(Workers { consumers, publishers: self.publishers()? })
    }

    fn publishers(&self) -> Result<Vec<Work>, LoadError> {
        let Self { args, target, topology, clock } = *self;
        let publisher = |index| -> Result<Work, LoadError> {
            Ok(if args.stream_address().is_some() {
                let publisher = StreamPublisher::connect(args, target, topology, index, clock)?;
                Box::new(move |control, tally| publisher.run(control, tally).map(|()| None))
            } else {
                let publisher = Publisher::connect(args, target, topology, index, clock)?;
                Box::new(move |control, tally| publisher.run(control, tally).map(|()| None))
            })
        };
        (0..args.publishers).map(publisher).collect()
    }

    fn consumers(&self) -> Result<Vec<Work>, LoadError> {
        let Self { args, target, topology, clock } = *self;
        let consumer = |index| -> Result<Work, LoadError> {
            Ok(if args.stream_address().is_some() {
                let reader = StreamReader::connect(args, target, topology, index, clock)?;
                Box::new(move |control, tally| reader.run(control, tally))
            } else {
                let consumer = Consumer::connect(args, target, topology, index, clock)?;
                Box::new(move |control, tally| consumer.run(control, tally))
            })
        };
        (0..args.consumers).map(consumer).collect()
    }

    /// Publishes everything, and then measures how it is read.
    fn replay(&self) -> Result<Report, LoadError> {
        let filling = BenchArgs { consumers: 0, warmup: None, ..self.args.clone() };
        let fill = Run { args: &filling, ..*self };
        let workers = Workers { publishers: fill.publishers()?, ..Workers::default() };
        let published = fill.measure(workers, None)?.published;
        let consumers = self.consumers()?;
        self.measure(Workers { consumers, ..Workers::default() }, Some(published))
    }
}

type Work = Box<dyn FnOnce(&Control, &Tally) -> Result<Latencies, LoadError> + Send>;

fn start_thread(
    index: usize,
    work: Work,
    control: Arc<Control>,
) -> Result<JoinHandle<Latencies>, LoadError> {
    let body = move || {
        let tally = control.tally(index)?;
        work(&control, tally).unwrap_or_else(|error| {
            control.fail(error);
            None
        })
    };
    thread::Builder::new()
        .name(format!("load-{index}"))
        .spawn(body)
        .map_err(|error| LoadError::Thread(error.to_string()))
}

impl Workers {
    /// Starts a thread per connection.
    fn start(self, control: &Arc<Control>) -> Result<Vec<JoinHandle<Latencies>>, LoadError> {
        let all = self.consumers.into_iter().chain(self.publishers).enumerate();
        all.map(|(index, work)| start_thread(index, work, Arc::clone(control))).collect()
    }
}

impl Run<'_> {
    /// Lets workers work, and measures that. So many messages were published before.
    fn measure(&self, workers: Workers, before: Option<u64>) -> Result<Report, LoadError> {
        let Self { args, clock, .. } = *self;
        let threads = workers.publishers.len() + workers.consumers.len();
        let has_consumers = !workers.consumers.is_empty();
        let control = Arc::new(Control::new(threads, workers.publishers.len()));
        let (begin, threads) = if args.warmup().is_zero() || before.is_some() {
            let begin = mark(args, &control, clock)?;
            control.enter(Phase::Measured);
            (begin, workers.start(&control)?)
        } else {
            let threads = workers.start(&control)?;
            wait(&control, clock, args.warmup());
            let begin = mark(args, &control, clock)?;
            control.enter(Phase::Measured);
            (begin, threads)
        };
        let before = before.unwrap_or(0);
        let arrived = match args.span() {
            Span::Time(duration) => {
                wait(&control, clock, duration);
                Ok(())
            }
            Span::Messages(_) => wait_for_arrival(args, &control, clock, before),
        };
        let end = mark(args, &control, clock);
        control.enter(Phase::Over);
        let latencies = join(threads)?;
        if let Some(error) = control.take_failure() {
            return Err(error);
        }
        arrived?;
        let totals = control.totals();
        let expected = (totals.published + before).saturating_mul(args.copies());
        if totals.consumed > expected {
            return Err(LoadError::ConsumedTooMany { consumed: totals.consumed, expected });
        }
        let expected = Expected { consumers: has_consumers, copies: args.copies(), before };
        Ok(Report::new(&begin, &end?, expected, &latencies))
    }
}

/// Reads all counters at one moment.
fn mark(args: &BenchArgs, control: &Control, clock: Clock) -> Result<Mark, LoadError> {
    Ok(Mark {
        server_cpu_us: args.pid.map(|pid| cpu_time_us(Some(pid))).transpose()?,
        client_cpu_us: cpu_time_us(None).ok(),
        server_memory: args.pid.map(resident_bytes).transpose()?,
        totals: control.totals(),
        at: clock.elapsed(),
    })
}

/// Lets the load run for a while, or until something fails.
fn wait(control: &Control, clock: Clock, duration: Duration) {
    let end = clock.elapsed() + duration;
    while control.phase() != Phase::Over {
        let left = end.saturating_sub(clock.elapsed());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(Duration::from_millis(20)));
    }
}

/// Waits until all messages are published, confirmed and consumed, or something fails.
fn wait_for_arrival(
    args: &BenchArgs,
    control: &Control,
    clock: Clock,
    before: u64,
) -> Result<(), LoadError> {
    let mut last = control.totals();
    let mut last_progress = clock.elapsed();
    while control.phase() != Phase::Over {
        let totals = control.totals();
        let left = totals.on_their_way(before, args.copies());
        if control.all_published() && (args.consumers == 0 || left == 0) {
            return Ok(());
        }
        if totals != last {
            last = totals;
            last_progress = clock.elapsed();
        } else if clock.elapsed() > last_progress + REPLY_TIMEOUT {
            let seconds = REPLY_TIMEOUT.as_secs();
            return Err(LoadError::TimedOut { awaited: "the messages to arrive", seconds });
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Waits for all threads and adds up their latencies.
fn join(threads: Vec<JoinHandle<Latencies>>) -> Result<Histogram<u64>, LoadError> {
    let mut sum = Histogram::new(3).map_err(|error| LoadError::Arguments(error.to_string()))?;
    sum.auto(true);
    for thread in threads {
        let latencies =
            thread.join().map_err(|_| LoadError::Thread("a thread panicked".to_owned()))?;
        if let Some(latencies) = latencies {
            sum.add(latencies).map_err(|error| LoadError::Arguments(error.to_string()))?;
        }
    }
    Ok(sum)
}
