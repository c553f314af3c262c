//! `leveret top`: queues and connections while they move, in the terminal, or once as a table.

mod asking;
mod columns;
mod keys;
mod screen;
mod terminal;
mod view;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use self::asking::Query;
use self::columns::What;
use self::view::View;
use super::failure::Failure;
use super::options::Options;
use super::output::{self, Format};
use super::session::Session;

/// Rows of a table that is printed once, at most: a page of the HTTP API.
const ROWS_MAX: usize = 500;

/// Shows queues and connections of a running server, those that move most first.
///
/// Keys: Tab goes from queues to connections and back, the arrows left and right choose the column
/// to sort by, `r` turns the order round, `/` looks for a name, the other arrows and the keys for
/// pages move, `p` pauses, `q` quits. Where the standard output is no terminal, a table is printed
/// once.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TopArgs {
    /// What to begin with
    #[arg(value_enum, default_value_t = What::Queues)]
    what: What,
    /// Prints a table once
    #[arg(long)]
    once: bool,
    /// Seconds from one look to the next, 1 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Column to sort by, such as ready or in/s
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Part of the names of those to show
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    #[command(flatten)]
    options: Options,
}

/// Shows it until the user has seen enough.
pub(crate) fn run(args: &TopArgs) -> ExitCode {
    match show(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            eprintln!("{text}");
            ExitCode::from(code)
        }
    }
}

fn show(args: &TopArgs) -> Result<(), Failure> {
    let options = &args.options;
    let view = View::new(args.what, args.sort.as_deref(), &args.filter)?;
    let session = Session::new(options, true)?;
    let vhost = options.vhost.clone();
    let is_once = args.once || options.formatter != Format::Table;
    if is_once || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let query = Query { first: 0, rows: ROWS_MAX, ..view.query(vhost.as_deref(), 0) };
        let seen = query.ask(&session)?;
        let said = view::table(args.what, &seen);
        output::print(&said, options.formatter, !options.silent && !options.no_table_headers);
        return Ok(());
    }
    terminal::show(view, session, vhost, Duration::from_secs(args.interval))
}
