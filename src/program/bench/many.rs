//! The loads with many connections, channels, queues, consumers and bindings, and what a message
//! costs in each of them beside the load with one of each.
//!
//! All of them are run again and again by turns, and the medians are told: what else the machine
//! does meets all of them alike.

use std::fmt::Write;

use serde::Serialize;

use super::args::{BenchArgs, ExchangeType};
use super::error::LoadError;
use super::footprint;
use super::report::Report;
use super::run::run;

/// How often each load is run.
const ROUNDS: usize = 5;
/// Length of each measured span, in seconds, if nothing else is wanted.
const SECONDS: f64 = 2.0;

/// A load by its name, and its options.
type Load = (&'static str, fn(BenchArgs) -> BenchArgs);

/// The first one is what the others are measured by.
const LOADS: &[Load] = &[
    ("one of each", |args| args),
    ("200 channels of a connection", |args| BenchArgs { channels: 200, ..args }),
    ("1,000 consumers of a queue", |args| BenchArgs {
        channels: 1000,
        publisher_channels: Some(1),
        ..args
    }),
    ("1,000 publishers of a queue", |args| BenchArgs { publisher_channels: Some(1000), ..args }),
    ("1,000 queues with a consumer each", |args| BenchArgs {
        queues: 1000,
        channels: 1000,
        publisher_channels: Some(1),
        ..args
    }),
    ("10,000 queues with a consumer each", |args| BenchArgs {
        queues: 10_000,
        consumers: 5,
        channels: 2000,
        publisher_channels: Some(1),
        ..args
    }),
    ("10,000 queues, 2,000 publishers", |args| BenchArgs {
        queues: 10_000,
        consumers: 5,
        channels: 2000,
        ..args
    }),
    ("10,000 idle connections", |args| BenchArgs { idle: 10_000, ..args }),
    ("10,000 bindings", |args| BenchArgs {
        exchange_type: Some(ExchangeType::Topic),
        bindings: 10_000,
        ..args
    }),
    ("1,000 consuming connections", |args| BenchArgs { consumers: 1000, ..args }),
];

/// What one load measured: medians of all rounds.
#[derive(Debug, Serialize)]
struct Row {
    load: &'static str,
    /// What was published was received, each time.
    keeps_up: bool,
    consumed_per_s: f64,
    server_cpu_us_per_message: f64,
    /// The CPU time beside that of the first load.
    ratio: f64,
}

/// What one of many takes of the memory.
#[derive(Debug, Serialize)]
struct Footprint {
    each: &'static str,
    resident_bytes: f64,
}

/// Runs the loads and tells of them, as tables or as lines of JSON.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_many(
    args: &BenchArgs,
    mut tell: impl FnMut(&str) -> bool,
) -> Result<(), LoadError> {
    let Some(pid) = args.pid else {
        return Err(LoadError::Arguments("--many needs --pid".to_owned()));
    };
    if args.stream_address().is_some() {
        let text = "these loads are for AMQP: give --uri amqp://HOST";
        return Err(LoadError::Arguments(text.to_owned()));
    }
    let only = args.many.as_deref().unwrap_or_default();
    let loads: Vec<&Load> = LOADS.iter().filter(|(name, _)| name.contains(only)).collect();
    if loads.is_empty() {
        return Err(LoadError::Arguments(format!("no load has '{only}' in its name")));
    }
    if only.is_empty() {
        let each = footprint::measure(args, pid)?;
        let each =
            each.into_iter().map(|(each, resident_bytes)| Footprint { each, resident_bytes });
        if !tell(&told_footprints(&each.collect::<Vec<_>>(), args.json)) {
            return Ok(());
        }
    }
    let rows = measure(&loads, args)?;
    tell(&told_rows(&rows, args.json));
    Ok(())
}

/// Runs the loads by turns, the first of all with them.
fn measure(loads: &[&Load], args: &BenchArgs) -> Result<Vec<Row>, LoadError> {
    let base = LOADS.first().into_iter().filter(|base| !loads.iter().any(|it| it.0 == base.0));
    let loads: Vec<&Load> = base.chain(loads.iter().copied()).collect();
    let mut reports: Vec<Vec<Report>> = loads.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((_, options), reports) in loads.iter().zip(&mut reports) {
            reports.push(run(options(common(args)))?);
        }
    }
    let cpu = |report: &Report| report.server_cpu_us_per_message.unwrap_or(f64::NAN);
    let base = reports.first().map_or(f64::NAN, |reports| median(reports, cpu));
    let rows = loads.iter().zip(&reports).map(|((load, _), reports)| Row {
        load,
        keeps_up: reports.iter().all(|report| report.keeps_up(1)),
        consumed_per_s: median(reports, |report| report.consumed_per_s),
        server_cpu_us_per_message: median(reports, cpu),
        ratio: median(reports, cpu) / base,
    });
    Ok(rows.collect())
}

/// What is common to all loads: small messages with confirms, each acknowledged by itself, as must
/// be where each comes on another channel.
fn common(args: &BenchArgs) -> BenchArgs {
    BenchArgs {
        size: 16,
        confirm: 1000,
        ack: true,
        ack_every: 1,
        prefetch: 1000,
        duration: args.duration.or(Some(SECONDS)),
        ..args.clone()
    }
}

fn median(reports: &[Report], of: impl Fn(&Report) -> f64) -> f64 {
    let mut values: Vec<f64> = reports.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn as_json(lines: &[impl Serialize]) -> String {
    let lines: Vec<_> = lines.iter().filter_map(|line| serde_json::to_string(line).ok()).collect();
    lines.join("\n")
}

fn told_footprints(each: &[Footprint], json: bool) -> String {
    if json {
        return as_json(each);
    }
    let mut table = "| each | bytes resident |\n|---|---:|\n".to_owned();
    for Footprint { each, resident_bytes } in each {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {each} | {resident_bytes:.0} |");
    }
    table
}

fn told_rows(rows: &[Row], json: bool) -> String {
    if json {
        return as_json(rows);
    }
    let mut table =
        "| load | received/s | server CPU us | beside one of each |\n|---|---:|---:|---:|\n"
            .to_owned();
    for Row { load, keeps_up, consumed_per_s, server_cpu_us_per_message, ratio } in rows {
        let mark = if *keeps_up { "" } else { " (!)" };
        let _ = writeln!(
            table,
            "| {load} | {consumed_per_s:.0}{mark} | {server_cpu_us_per_message:.3} | {ratio:.2} |"
        );
    }
    table + FOOTER
}

const FOOTER: &str = "
16 B, confirms, an ack for each: CPU time of the server per message received, medians.
(!) The consumers did not keep up with what was published.";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn args(line: &str) -> BenchArgs {
        Command::parse_from(line.split_whitespace()).bench
    }

    #[test]
    fn every_load_is_one_that_can_be_run() {
        for (name, options) in LOADS {
            let args = options(common(&args("bench --many --pid 1"))).complete();
            args.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn a_name_that_no_load_has_is_refused() {
        let error = run_many(&args("bench --many=17 --pid 1"), |_| true).unwrap_err();
        assert_eq!(error.to_string(), "no load has '17' in its name");
    }

    #[test]
    fn a_process_must_be_named() {
        assert!(Command::try_parse_from(["bench", "--many"]).is_err());
    }

    #[test]
    fn the_table_shows_what_a_load_costs_beside_the_first() {
        let row = |load, keeps_up, ratio| Row {
            load,
            keeps_up,
            consumed_per_s: 2e6,
            server_cpu_us_per_message: 0.2 * ratio,
            ratio,
        };
        let table = told_rows(&[row("one", true, 1.0), row("two", false, 1.5)], false);
        assert!(table.contains("| one | 2000000 | 0.200 | 1.00 |\n"), "{table}");
        assert!(table.contains("| two | 2000000 (!) | 0.300 | 1.50 |\n"), "{table}");
        let each = [Footprint { each: "queue", resident_bytes: 1024.4 }];
        assert!(told_footprints(&each, false).ends_with("| queue | 1024 |\n"));
        assert_eq!(told_footprints(&each, true), r#"{"each":"queue","resident_bytes":1024.4}"#);
    }
}
