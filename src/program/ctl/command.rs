//! All commands, by what they are about.

use super::access::AccessCommand;
use super::connections::ConnectionsCommand;
use super::definitions::DefinitionsCommand;
use super::federation::FederationCommand;
use super::health::HealthCommand;
use super::lists::ListsCommand;
use super::logs::LogsCommand;
use super::memory::MemoryCommand;
use super::node::NodeCommand;
use super::parameters::ParametersCommand;
use super::plugins::PluginsCommand;
use super::policies::PoliciesCommand;
use super::queues::QueuesCommand;
use super::refused::RefusedCommand;
use super::shovels::ShovelsCommand;
use super::stream_lists::StreamListsCommand;
use super::streams::StreamsCommand;
use super::tuning::TuningCommand;
use super::users::UsersCommand;
use super::vhosts::HostsCommand;

/// A command.
#[derive(Clone, Debug, clap::Parser)]
pub(super) enum Command {
    #[command(flatten)]
    Node(NodeCommand),
    #[command(flatten)]
    Health(HealthCommand),
    #[command(flatten)]
    Logs(LogsCommand),
    #[command(flatten)]
    Memory(MemoryCommand),
    #[command(flatten)]
    Users(UsersCommand),
    #[command(flatten)]
    Access(AccessCommand),
    #[command(flatten)]
    Hosts(HostsCommand),
    #[command(flatten)]
    Lists(ListsCommand),
    #[command(flatten)]
    Queues(QueuesCommand),
    #[command(flatten)]
    Connections(ConnectionsCommand),
    #[command(flatten)]
    Policies(PoliciesCommand),
    #[command(flatten)]
    Parameters(ParametersCommand),
    #[command(flatten)]
    Shovels(ShovelsCommand),
    #[command(flatten)]
    Federation(FederationCommand),
    #[command(flatten)]
    Definitions(DefinitionsCommand),
    #[command(flatten)]
    Plugins(PluginsCommand),
    #[command(flatten)]
    StreamLists(StreamListsCommand),
    #[command(flatten)]
    Streams(StreamsCommand),
    #[command(flatten)]
    Tuning(TuningCommand),
    #[command(flatten)]
    Refused(RefusedCommand),
}
