//! The command `leveret inspect`: what is in a running server, and what about it is worth a look.

mod connection;
mod exchange;
mod found;
mod overview;
mod queue;
mod text;

use std::time::Duration;

use self::found::Found;
use crate::program::ctl::failure::Failure;
use crate::program::ctl::options::Server;
use crate::program::ctl::session::{Session, client};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells what is in a running server, and what about it is worth a look. Nothing is changed.
///
/// Messages that are shown stay where they are, and are not marked as redelivered.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct InspectArgs {
    #[command(subcommand)]
    subject: Option<Subject>,
    /// Virtual host of the queue or exchange
    #[arg(long, short = 'p', global = true, value_name = "NAME", default_value = "/")]
    vhost: String,
    /// Write all that the server says, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// What is looked at; without one, the server as a whole.
#[derive(Clone, Debug, clap::Subcommand)]
enum Subject {
    /// A queue: its settings, consumers, bindings, who has which message, and the next ones.
    Queue {
        /// Its name
        name: String,
        /// How many messages to show of those that are ready, and of those that are out
        #[arg(long, value_name = "N", default_value_t = 5,
            value_parser = clap::value_parser!(u32).range(0..=1000))]
        messages: u32,
    },
    /// An exchange: its settings, and what is bound to it.
    Exchange {
        /// Its name; empty, or amq.default, for the default exchange
        name: String,
    },
    /// A connection: who it is, and its channels.
    Connection {
        /// The name that the server gave it, or its client
        name: String,
    },
}

/// Looks, and answers with what is to be printed.
///
/// # Errors
/// If the server does not answer or refuses, or there is no such thing.
pub(crate) fn run(args: &InspectArgs) -> Result<String, String> {
    let Found { text, all } = look(args).map_err(Failure::into_reason)?;
    Ok(if args.json { format!("{all:#}\n") } else { text })
}

fn look(args: &InspectArgs) -> Result<Found, Failure> {
    let session = Session::over(client(&args.server, PATIENCE)?, args.vhost.clone());
    match &args.subject {
        None => overview::look(&session),
        Some(Subject::Queue { name, messages }) => queue::look(&session, name, *messages),
        Some(Subject::Exchange { name }) => exchange::look(&session, name),
        Some(Subject::Connection { name }) => connection::look(&session, name),
    }
}
