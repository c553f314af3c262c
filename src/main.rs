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
    Serve { #[arg(long, default_value = "127.0.0.1:5672")] amqp: String },
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Bench(args) => bench(args),
        Command::Serve { amqp } => {
            let broker = leveret::Broker::new();
            let address = broker.listen(amqp).unwrap();
            println!("Server startup complete; AMQP on {address}");
            loop { std::thread::park(); }
        }
    }
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
