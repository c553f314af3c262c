//! The `leveret` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use leveret::load::{self, BenchArgs};

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(BenchArgs),
}

fn main() -> ExitCode {
    let Arguments { command: Command::Bench(args) } = Arguments::parse();
    bench(args)
}

fn bench(args: BenchArgs) -> ExitCode {
    let json = args.json;
    match load::run(args) {
        Ok(report) => {
            match report.to_json() {
                Ok(line) if json => println!("{line}"),
                _ => print!("{report}"),
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
