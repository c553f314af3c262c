//! `leveret migrate`: topology, users and messages to a RabbitMQ cluster, or back from one, while
//! producers and consumers go on. Messages are moved by shovels of this server, so that the command
//! may end or be cut off at any time, and is resumed by calling it again.

mod args;
mod counts;
mod ends;
mod facts;
mod forwarding;
mod holding;
mod names;
mod plan;
mod rules;
mod state;
mod switching;
mod text;
mod watching;

pub(crate) use self::args::MigrateArgs;
use self::ends::Ends;
use self::facts::Facts;
use self::plan::Plan;
use self::state::State;
use crate::program::ctl::failure::Failure;
use crate::program::output::{say, say_line};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As it was asked for.
    Well,
    /// Something is in the way, which was told.
    InTheWay,
}

/// Does it, or goes on with it.
///
/// # Errors
/// What an operator is told who has to do something about it.
pub(crate) fn run(args: &MigrateArgs) -> Result<Ended, String> {
    migrate(args).map_err(Failure::into_reason)
}

fn migrate(args: &MigrateArgs) -> Result<Ended, Failure> {
    let ends = Ends::of(args)?;
    let mut state = State::load(&ends)?;
    if args.stop && !state.is_under_way {
        say_line("There is nothing to stop: no migration is under way.");
        return Ok(Ended::Well);
    }
    if args.stop {
        forwarding::stop(&ends, &state)?;
        say_line("Stopped: nothing is forwarded any more, and messages stay where they are.");
        return Ok(Ended::Well);
    }
    let facts = Facts::of(&ends.destination, ends.is_outward)?;
    let plan = Plan::make(args, &ends, &facts)?;
    say(text::plan(&plan, &ends, &facts));
    if !plan.obstacles.is_empty() && !args.leave_out {
        say_line("Nothing was changed. Change these, or go on without them: --leave-out.");
        return Ok(Ended::InTheWay);
    }
    if args.dry_run {
        say_line("Nothing was changed: this was a dry run.");
        return Ok(Ended::Well);
    }
    forwarding::begin(&ends, &plan, &facts, &mut state)?;
    if args.switch {
        let is_well = switching::switch(&ends, &plan, &mut state)?;
        return Ok(if is_well { Ended::Well } else { Ended::InTheWay });
    }
    watching::until_empty(&ends, &plan, watching::Until::Empty)?;
    say(text::caught_up(&ends));
    Ok(Ended::Well)
}
