//! Commands of RabbitMQ's tools that make no sense here: they say so, and end with status 69.

use super::failure::{self, Failure};

/// What a command was given, which is no matter.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Anything {
    /// Ignored
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<String>,
}

/// Commands that are refused.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum RefusedCommand {
    /// Refused: there is one node
    JoinCluster(Anything),
    /// Refused: there is one node
    ForgetClusterNode(Anything),
    /// Refused: there is one node
    ChangeClusterNodeType(Anything),
    /// Refused: a server is stopped as a whole
    StopApp(Anything),
    /// Refused: stop the server and remove its data directory
    Reset(Anything),
    /// Refused: stop the server and remove its data directory
    ForceReset(Anything),
    /// Refused: there is no Erlang
    Eval(Anything),
}

/// Why.
pub(super) fn failure(command: &RefusedCommand) -> Failure {
    let text = match command {
        RefusedCommand::JoinCluster(_)
        | RefusedCommand::ForgetClusterNode(_)
        | RefusedCommand::ChangeClusterNodeType(_) => "leveret is one node, and no cluster",
        RefusedCommand::StopApp(_) => "leveret is stopped as a whole: use `stop` or `shutdown`",
        RefusedCommand::Reset(_) | RefusedCommand::ForceReset(_) => {
            "leveret is reset by stopping it and removing its data directory"
        }
        RefusedCommand::Eval(_) => "there is no Erlang in leveret",
    };
    Failure::new(failure::UNAVAILABLE, text)
}
