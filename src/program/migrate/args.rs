//! What `leveret migrate` is told.

use crate::program::ctl::options::Server;

/// Moves topology, users and messages to a RabbitMQ cluster, or from one, while clients go on.
///
/// The first run checks, imports the definitions, and sets a shovel for each queue; it shows how
/// far they are until all queues are empty. They go on when it ends. Clients may be moved then, and
/// --switch ends it. Status 0 if all went well, 1 if something is in the way.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub server: Server,
    /// Where to: amqp://user:password@host:port or amqps://...; repeat it for other nodes of the
    /// cluster, which are tried in turn
    #[arg(long, value_name = "URI", required_unless_present = "from", conflicts_with = "from")]
    pub to: Vec<String>,
    /// The way back: where from
    #[arg(long, value_name = "URI")]
    pub from: Vec<String>,
    /// HTTP API of the cluster, with http or https. Default: port 15672, or 15671 with TLS, of the
    /// first URI, whose user and password are used there too
    #[arg(long, value_name = "URL")]
    pub management: Option<String>,
    /// Only this virtual host; repeat it for more
    #[arg(long = "vhost", value_name = "NAME")]
    pub vhosts: Vec<String>,
    /// Make durable classic queues quorum queues there
    #[arg(long)]
    pub quorum: bool,
    /// Go on without what cannot be had there
    #[arg(long)]
    pub leave_out: bool,
    /// Check and tell, and change nothing
    #[arg(long, conflicts_with_all = ["switch", "stop"])]
    pub dry_run: bool,
    /// End it: hold publishers, move the rest, compare counts, and close connections, telling them
    /// the new address
    #[arg(long, conflicts_with = "stop")]
    pub switch: bool,
    /// Give it up: remove the shovels and what else was set for it; messages stay where they are
    #[arg(long)]
    pub stop: bool,
}
