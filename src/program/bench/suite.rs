//! The standard loads, one after the other, and the table of what they measured.
//!
//! Each is run as fast as the server goes, which gives rates, CPU time, memory and what waits; and
//! then at half of the rate at which messages were received. The latencies are those of the second
//! run, counted from when each message was due: a server that keeps its publishers waiting does not
//! look better for it.

use std::fmt::{self, Display};

use serde::Serialize;

use super::args::{BenchArgs, ExchangeType};
use super::error::LoadError;
use super::report::{Latency, MIB, Report};
use super::run::run;

/// Length of each measured span, in seconds, if nothing else is wanted.
const SECONDS: f64 = 5.0;
/// Fewer messages a second than this are not halved: latency is measured by enough of them.
const RATE_MIN: f64 = 200.0;

/// A load by its name, and its options.
type Load = (&'static str, fn(BenchArgs) -> BenchArgs);

const LOADS: &[Load] = &[
    ("16 B, auto-ack", |args| BenchArgs { size: 16, ..args }),
    ("1 KiB, auto-ack", |args| BenchArgs { size: 1024, ..args }),
    ("16 B, confirms, acks", |args| BenchArgs { size: 16, ..careful(args) }),
    ("1 KiB, confirms, acks", |args| BenchArgs { size: 1024, ..careful(args) }),
    ("1 KiB, confirms, acks, 4 publishers, 4 consumers, 4 queues", |args| BenchArgs {
        size: 1024,
        publishers: 4,
        consumers: 4,
        queues: 4,
        ..careful(args)
    }),
    ("1 KiB, confirms, acks, 16 publishers, 16 consumers, 1 queue", |args| BenchArgs {
        size: 1024,
        publishers: 16,
        consumers: 16,
        ..careful(args)
    }),
    ("1 KiB, confirms, acks, durable, persistent", |args| BenchArgs {
        size: 1024,
        durable: true,
        persistent: true,
        ..careful(args)
    }),
    ("100 B, fanout to 10 queues, auto-ack", |args| BenchArgs {
        size: 100,
        queues: 10,
        channels: 10,
        exchange_type: Some(ExchangeType::Fanout),
        ..args
    }),
    ("100 B, topic with 1,000 bindings, auto-ack", |args| BenchArgs {
        size: 100,
        bindings: 1000,
        exchange_type: Some(ExchangeType::Topic),
        ..args
    }),
];

/// With confirms and acknowledgements.
fn careful(args: BenchArgs) -> BenchArgs {
    BenchArgs { confirm: 1000, ack: true, prefetch: 1000, ..args }
}

/// What one load measured.
#[derive(Debug, Serialize)]
struct Row {
    load: &'static str,
    /// What was published was received.
    keeps_up: bool,
    #[serde(flatten)]
    full: Report,
    /// The rate at which latency was measured, in messages per second.
    latency_rate: u64,
}

/// Runs the standard loads and hands on each row of the table as soon as it is known, or each as a
/// line of JSON.
///
/// # Errors
/// As [`run`]; the rows before are handed on by then.
pub(crate) fn run_suite(
    args: &BenchArgs,
    mut tell: impl FnMut(&str) -> bool,
) -> Result<(), LoadError> {
    let only = args.suite.as_deref().unwrap_or_default();
    if args.stream_address().is_some() {
        let text = "the standard loads are for AMQP: give --uri amqp://HOST";
        return Err(LoadError::Arguments(text.to_owned()));
    }
    let loads: Vec<_> = LOADS.iter().filter(|(name, _)| name.contains(only)).collect();
    if loads.is_empty() {
        return Err(LoadError::Arguments(format!("no standard load has '{only}' in its name")));
    }
    if !args.json {
        tell(HEADER);
    }
    for &&(load, options) in &loads {
        let args = options(BenchArgs { duration: args.duration.or(Some(SECONDS)), ..args.clone() });
        let row = measure(load, &args)?;
        let is_heard = match serde_json::to_string(&row) {
            Ok(line) if args.json => tell(&line),
            _ => tell(&row.to_string()),
        };
        if !is_heard {
            return Ok(());
        }
    }
    if !args.json {
        tell(FOOTER);
    }
    Ok(())
}

fn measure(load: &'static str, args: &BenchArgs) -> Result<Row, LoadError> {
    let mut full = run(args.clone())?;
    let copies = args.copies() as f64;
    let rate = (full.consumed_per_s / copies / 2.0).max(RATE_MIN) as u64;
    let paced = run(BenchArgs { rate, ..args.clone() })?;
    full.latency = paced.latency;
    Ok(Row { load, keeps_up: full.keeps_up(args.copies()), full, latency_rate: rate })
}

const HEADER: &str = "\
| load | published/s | received/s | waiting | server CPU us | MiB | p50 us | p99 us | p99.9 us |
|---|---:|---:|---:|---:|---:|---:|---:|---:|";

const FOOTER: &str = "
Rates, messages that wait at the end, CPU time of the server per message received and its resident
memory: as fast as it goes. Latencies: at half the rate received, from when a message was due.
(!) The consumers did not keep up with what was published.";

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = &self.full;
        let mark = if self.keeps_up { "" } else { " (!)" };
        write!(
            f,
            "| {} | {:.0} | {:.0}{mark} |",
            self.load, full.published_per_s, full.consumed_per_s
        )?;
        let mut cell = |value: Option<f64>, digits: usize| match value {
            Some(value) => write!(f, " {value:.digits$} |"),
            None => f.write_str(" - |"),
        };
        cell(full.backlog.map(|backlog| backlog as f64), 0)?;
        cell(full.server_cpu_us_per_message, 2)?;
        cell(full.server_memory_bytes.map(|bytes| bytes as f64 / MIB), 0)?;
        let latency = |of: fn(&Latency) -> f64| full.latency.as_ref().map(of);
        cell(latency(|latency| latency.p50), 0)?;
        cell(latency(|latency| latency.p99), 0)?;
        cell(latency(|latency| latency.p999), 0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn args() -> BenchArgs {
        Command::parse_from(["bench", "--suite"]).bench
    }

    #[test]
    fn every_standard_load_is_one_that_can_be_run() {
        for (name, options) in LOADS {
            let args = options(args()).complete();
            args.check().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(args.measures_latency(), "{name}");
        }
    }

    #[test]
    fn a_name_that_no_load_has_is_refused() {
        let args = BenchArgs { suite: Some("17 B".into()), ..args() };
        let error = run_suite(&args, |_| true).unwrap_err().to_string();
        assert_eq!(error, "no standard load has '17 B' in its name");
    }
}
