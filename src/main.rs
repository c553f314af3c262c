//! The `leveret` program.

// A program is not named by anybody.
#![allow(unnameable_types)]

mod program;

use std::fmt::Display;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use crate::program::bench::{self, BenchArgs};
use crate::program::check::{self, Checked};
use crate::program::config::{self, ConfigError, Invocation};
use crate::program::data::{self, DataCommand, Outcome};
use crate::program::explain;
use crate::program::migrate::{self, Ended, MigrateArgs};
use crate::program::output::{say, say_line};
use crate::program::{ctl, help, inspect, ping, reload, serve, test};

/// What was freed goes back to the system within seconds, by threads of its own: messages are freed
/// by other threads than those that made them, which may have nothing to do for hours.
#[cfg(not(windows))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Status for a command line or configuration that cannot be used, as other programs have it.
const BAD_CONFIGURATION: u8 = 2;

/// Status for a data directory in which something is damaged, or definitions that cannot all be
/// had, and for what cannot be read.
const DAMAGED: u8 = 1;
const UNREADABLE: u8 = 2;

fn main() -> ExitCode {
    keep_pages_small();
    let arguments = ctl::without_other_user(std::env::args_os().collect());
    if let Some(status) = ctl::called(&arguments) {
        return status;
    }
    let invocation = match config::parse(arguments, &|name| std::env::var_os(name)) {
        Ok(invocation) => invocation,
        Err(ConfigError::Arguments(answer)) => return print(&answer),
        Err(error) => return fail(&error, ExitCode::from(BAD_CONFIGURATION)),
    };
    match invocation {
        Invocation::Serve(config) => {
            let (level, lines) = match reload::log(&config) {
                Ok((level, lines)) => (Arc::new(level), lines),
                Err(reason) => return fail(&reason, ExitCode::from(BAD_CONFIGURATION)),
            };
            let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            let unread = config::unread_variables(names);
            if !unread.misspelt.is_empty() {
                return fail(
                    &unread.misspelt.join("\nleveret: "),
                    ExitCode::from(BAD_CONFIGURATION),
                );
            }
            let foreign = unread.foreign.iter().chain(&config.unread);
            foreign.for_each(|text| tracing::warn!("{text}"));
            let mut current = (*config).clone();
            let helm = reload::Helm { level: Arc::clone(&level), lines, config: current.clone() };
            match serve::run(*config, helm, move |broker| {
                reload::reload(&mut current, &level, broker);
            }) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error, ExitCode::FAILURE),
            }
        }
        Invocation::Bench(args) => put_load(*args),
        Invocation::Test(args) => match test::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Invocation::Explain(args) => tell(explain::run(&args)),
        Invocation::Inspect(args) => tell(inspect::run(&args)),
        Invocation::Ping(args) => tell(ping::run(&args)),
        Invocation::Definitions(command) => match check::run(&command) {
            Ok(Checked { text, is_complete }) => {
                say(text);
                if is_complete { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) }
            }
            Err(error) => fail(&error, ExitCode::from(UNREADABLE)),
        },
        Invocation::Migrate(args) => move_elsewhere(&args),
        Invocation::Ctl(args) => ctl::run(&args),
        Invocation::Top(args) => ctl::top::run(&args),
        Invocation::Completions(shell) => {
            help::complete(shell, &mut io::stdout());
            ExitCode::SUCCESS
        }
        Invocation::Man(directory) => match help::write_manual(&directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Invocation::Data(command) => look_into(&command),
    }
}

/// Huge pages would round every thread's first allocation up to 2 MiB; an idle server is to be
/// small. Where the kernel does not know the request nothing is lost.
#[cfg(target_os = "linux")]
fn keep_pages_small() {
    let _ = nix::sys::prctl::set_thp_disable(true);
}

#[cfg(not(target_os = "linux"))]
fn keep_pages_small() {}

fn put_load(args: BenchArgs) -> ExitCode {
    let json = args.json;
    let tables = match (&args.suite, &args.many) {
        (Some(_), _) => Some(bench::run_suite(&args, |lines| say_line(lines))),
        (None, Some(_)) => Some(bench::run_many(&args, |lines| say_line(lines))),
        (None, None) => None,
    };
    if let Some(told) = tables {
        return match told {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, ExitCode::FAILURE),
        };
    }
    match bench::run(args) {
        Ok(report) => {
            match report.to_json() {
                Ok(line) if json => say_line(line),
                _ => say(report),
            };
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

fn move_elsewhere(args: &MigrateArgs) -> ExitCode {
    match migrate::run(args) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::InTheWay) => ExitCode::FAILURE,
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

/// Prints the answer of a command.
fn tell<E: Display>(answer: Result<String, E>) -> ExitCode {
    match answer {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

fn look_into(command: &DataCommand) -> ExitCode {
    match data::run(command) {
        Ok(Outcome { text, is_damaged }) => {
            say(text);
            if is_damaged { ExitCode::from(DAMAGED) } else { ExitCode::SUCCESS }
        }
        Err(error) => fail(&error, ExitCode::from(UNREADABLE)),
    }
}

/// Prints help and version on standard output, errors on standard error.
fn print(answer: &clap::Error) -> ExitCode {
    let printed = answer.print().is_ok();
    match u8::try_from(answer.exit_code()) {
        Ok(status) if printed => ExitCode::from(status),
        _ => ExitCode::FAILURE,
    }
}

fn fail(error: &dyn Display, status: ExitCode) -> ExitCode {
    eprintln!("leveret: {error}");
    status
}
