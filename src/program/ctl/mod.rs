//! `leveret ctl`: what `rabbitmqctl` and its sisters do, over the HTTP API of a running server. The
//! program may also be called by their names.

mod access;
mod admin;
pub(crate) mod client;
mod columns;
mod command;
mod connections;
mod definitions;
pub(crate) mod failure;
mod federation;
mod health;
mod lists;
mod logs;
mod memory;
mod node;
pub(crate) mod options;
mod output;
mod parameters;
mod plugins;
mod policies;
mod queues;
mod refused;
pub(crate) mod session;
mod shovels;
mod stream_lists;
mod streams;
pub(crate) mod top;
mod tuning;
mod users;
mod vhosts;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use self::command::Command;
use self::failure::Failure;
use self::options::Options;
use self::output::{Format, Said};
use self::session::Session;

/// The names of RabbitMQ's tools.
const TOOLS: [&str; 5] = [
    "rabbitmqctl",
    "rabbitmq-diagnostics",
    "rabbitmq-plugins",
    "rabbitmq-queues",
    "rabbitmq-streams",
];

/// Its script for the HTTP API.
const ADMIN: &str = "rabbitmqadmin";

/// Tells a running server what to do, as `rabbitmqctl` does.
///
/// Called as rabbitmqctl, rabbitmq-diagnostics, rabbitmq-plugins, rabbitmq-queues or
/// rabbitmq-streams, by a link for example, the program is that tool.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CtlArgs {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// The command line of RabbitMQ's tools.
#[derive(Debug, Parser)]
#[command(name = "rabbitmqctl", bin_name = "rabbitmqctl", version)]
struct Tool {
    #[command(flatten)]
    args: CtlArgs,
}

/// The same command line with `--for-user` for the `--user` of `list_user_limits`, whom rabbitmqctl
/// has no login for: who logs in is named before the command.
pub(crate) fn without_other_user(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut is_behind = false;
    let renamed = |argument: OsString| {
        is_behind |= argument == "list_user_limits";
        match argument.to_str() {
            Some("--user") if is_behind => "--for-user".into(),
            Some(text) if is_behind && text.starts_with("--user=") => {
                text.replacen("--user", "--for-user", 1).into()
            }
            _ => argument,
        }
    };
    arguments.into_iter().map(renamed).collect()
}

/// Runs the command if the program was called by the name of one of RabbitMQ's tools.
pub(crate) fn called(arguments: &[OsString]) -> Option<ExitCode> {
    let name = Path::new(arguments.first()?).file_stem()?.to_str()?;
    if name == ADMIN {
        return Some(admin::run(arguments));
    }
    if !TOOLS.contains(&name) {
        return None;
    }
    Some(match Tool::try_parse_from(arguments) {
        Ok(tool) => run(&tool.args),
        Err(answer) => {
            let printed = answer.print().is_ok();
            match answer.exit_code() {
                0 if printed => ExitCode::SUCCESS,
                _ => ExitCode::from(failure::USAGE),
            }
        }
    })
}

/// Does what was asked for, and tells what came of it.
pub(crate) fn run(args: &CtlArgs) -> ExitCode {
    let options = &args.options;
    let is_quiet = options.quiet || options.silent || options.formatter != Format::Table;
    let done =
        Session::new(options, is_quiet).and_then(|session| dispatch(&session, &args.command));
    match done {
        Ok(said) => {
            let headers = !options.silent && !options.no_table_headers;
            output::print(&said, options.formatter, headers);
            ExitCode::SUCCESS
        }
        Err(Failure { code, text }) => {
            eprintln!("{text}");
            ExitCode::from(code)
        }
    }
}

fn dispatch(session: &Session, command: &Command) -> Result<Said, Failure> {
    match command {
        Command::Users(command) => users::run(session, command),
        Command::Access(command) => access::run(session, command),
        Command::Hosts(command) => vhosts::run(session, command),
        Command::Lists(command) => lists::run(session, command),
        Command::Queues(command) => queues::run(session, command),
        Command::Connections(command) => connections::run(session, command),
        Command::Policies(command) => policies::run(session, command),
        Command::Parameters(command) => parameters::run(session, command),
        Command::Shovels(command) => shovels::run(session, command),
        Command::Federation(command) => federation::run(session, command),
        Command::Definitions(command) => definitions::run(session, command),
        Command::Node(command) => node::run(session, command),
        Command::Health(command) => health::run(session, command),
        Command::Logs(command) => logs::run(session, command),
        Command::Memory(command) => memory::run(session, command),
        Command::Plugins(command) => plugins::run(session, command),
        Command::StreamLists(command) => stream_lists::run(session, command),
        Command::Streams(command) => streams::run(session, command),
        Command::Tuning(command) => tuning::run(session, command),
        Command::Refused(command) => Err(refused::failure(command)),
    }
}
