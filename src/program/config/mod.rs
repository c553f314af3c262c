//! The server's configuration: defaults, below a TOML file, below `LEVERET_*` environment
//! variables, below flags.

mod address;
mod error;
mod layers;
mod management;
mod memory;
mod metrics;
mod rabbitmq_conf;
mod server_config;
mod settings;
mod shovels;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod uplink;
mod values;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

pub(crate) use address::{AddressOrNone, listen_address};
pub(crate) use error::ConfigError;
pub(crate) use layers::Environment;
pub(crate) use management::ManagementConfig;
pub(crate) use metrics::MetricsConfig;
pub(crate) use server_config::{CTL_SOCKET, ServerConfig};
pub(crate) use stream::StreamConfig;
pub(crate) use tls::TlsConfig;
pub(crate) use values::{ByteSize, LogFormat, LogLevel, LogRotation};
pub(crate) use variables::unread as unread_variables;

use settings::Settings;

use crate::program::bench::BenchArgs;
use crate::program::check::DefinitionsCommand;
use crate::program::ctl::CtlArgs;
use crate::program::ctl::top::TopArgs;
use crate::program::data::DataCommand;
use crate::program::explain::ExplainArgs;
use crate::program::inspect::InspectArgs;
use crate::program::migrate::MigrateArgs;
use crate::program::ping::PingArgs;
use crate::program::test::TestArgs;

/// A message broker that speaks AMQP 0-9-1, so RabbitMQ clients connect unchanged.
///
/// Without a command it serves: `leveret` is `leveret serve`.
#[derive(Debug, Parser)]
#[command(
    name = "leveret",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Every option can be given in the environment too: --frame-max as \
                  LEVERET_FRAME_MAX.\nFlags go before the environment, the environment before \
                  the configuration file.\nSizes take suffixes: 64KiB, 16MiB, 1GiB."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<CliCommand>,
    #[command(flatten)]
    serve: Settings,
}

#[derive(Debug, clap::Subcommand)]
enum CliCommand {
    /// Serves AMQP 0-9-1 until it is told to stop by SIGINT or SIGTERM.
    Serve(Box<Settings>),
    /// Measures a broker: rates, latencies and, given its process id, CPU time per message.
    Bench(Box<BenchArgs>),
    /// Serves for a test, in memory and on free ports: prints where, as one line of JSON, and ends
    /// when its standard input does.
    Test(Box<TestArgs>),
    Explain(Box<ExplainArgs>),
    Inspect(Box<InspectArgs>),
    /// Asks whether a server answers, for health checks.
    Ping(PingArgs),
    Migrate(Box<MigrateArgs>),
    /// Looks at definitions, or writes those of a running server.
    #[command(subcommand)]
    Definitions(DefinitionsCommand),
    /// Tells a running server what to do, as rabbitmqctl does.
    Ctl(Box<CtlArgs>),
    Top(Box<TopArgs>),
    /// Writes completions for a shell on the standard output.
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// Writes manual pages into a directory.
    Man {
        /// The directory, which has to be there
        directory: PathBuf,
    },
    /// Looks into a data directory that no server has open, and changes nothing.
    #[command(subcommand)]
    Data(DataCommand),
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub(crate) enum Invocation {
    /// Run the server.
    Serve(Box<ServerConfig>),
    /// Run the load command.
    Bench(Box<BenchArgs>),
    /// Run a broker for tests.
    Test(Box<TestArgs>),
    /// Explain where a message would go.
    Explain(Box<ExplainArgs>),
    /// Tell what is in a running server.
    Inspect(Box<InspectArgs>),
    /// Ask whether a server answers.
    Ping(PingArgs),
    /// Move to a cluster, or back from one.
    Migrate(Box<MigrateArgs>),
    /// Look at definitions.
    Definitions(DefinitionsCommand),
    /// Tell a running server what to do.
    Ctl(Box<CtlArgs>),
    /// Show queues and connections while they move.
    Top(Box<TopArgs>),
    /// Write completions for a shell.
    Completions(clap_complete::Shell),
    /// Write manual pages into a directory.
    Man(PathBuf),
    /// Run the data command.
    Data(DataCommand),
}

/// All that can be asked for, for completions and manual pages.
pub(crate) fn command_line() -> clap::Command {
    Cli::command()
}

/// Reads the command line (the program's name first), the environment and the configuration file
/// that one of them names.
///
/// # Errors
/// When a flag, a variable, the file or a value is bad; also when help or the version is asked
/// for, as [`ConfigError::Arguments`].
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    env: Environment<'_>,
) -> Result<Invocation, ConfigError> {
    let cli = Cli::try_parse_from(arguments)?;
    let flags = match cli.command {
        Some(CliCommand::Serve(flags)) => *flags,
        Some(CliCommand::Bench(args)) => return Ok(Invocation::Bench(args)),
        Some(CliCommand::Test(args)) => return Ok(Invocation::Test(args)),
        Some(CliCommand::Explain(args)) => return Ok(Invocation::Explain(args)),
        Some(CliCommand::Inspect(args)) => return Ok(Invocation::Inspect(args)),
        Some(CliCommand::Ping(args)) => return Ok(Invocation::Ping(args)),
        Some(CliCommand::Migrate(args)) => return Ok(Invocation::Migrate(args)),
        Some(CliCommand::Definitions(command)) => return Ok(Invocation::Definitions(command)),
        Some(CliCommand::Ctl(args)) => return Ok(Invocation::Ctl(args)),
        Some(CliCommand::Top(args)) => return Ok(Invocation::Top(args)),
        Some(CliCommand::Completions { shell }) => return Ok(Invocation::Completions(shell)),
        Some(CliCommand::Man { directory }) => return Ok(Invocation::Man(directory)),
        Some(CliCommand::Data(command)) => return Ok(Invocation::Data(command)),
        None => cli.serve,
    };
    let settings = rabbitmq_conf::below(layers::layered(flags, env)?)?;
    Ok(Invocation::Serve(Box::new(ServerConfig::from_settings(settings)?)))
}
