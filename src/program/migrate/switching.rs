//! The end of a migration: nothing comes in any more, the rest is moved, and clients are sent to
//! the new address.

use std::thread::sleep;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use super::counts::Count;
use super::ends::Ends;
use super::facts::{delayed, queues, text};
use super::forwarding;
use super::holding;
use super::names::PREFIX;
use super::plan::Plan;
use super::state::State;
use super::text::{Compared, compared};
use super::watching::{Until, until_empty};
use crate::program::ctl::failure::{self, Failure};
use crate::program::ctl::session::{part, refused};
use crate::program::output::{say, say_line};

/// How long counts may take to be right: RabbitMQ counts every five seconds.
const COUNTS_LOOKS: u32 = 15;
const COUNTS_LOOK: Duration = Duration::from_secs(1);

/// Ends the migration; tells whether all of it is there, as far as can be told.
pub(super) fn switch(ends: &Ends, plan: &Plan, state: &mut State) -> Result<bool, Failure> {
    let waiting = delayed(ends, &plan.delaying)?;
    if waiting > 0 {
        let text = format!(
            "{waiting} messages wait in exchanges of the type x-delayed-message until they are \
             due: go on when there are none, or send them on by POST \
             /api/leveret/exchanges/VHOST/NAME/delayed/release"
        );
        return Err(Failure::new(failure::UNAVAILABLE, text));
    }
    if holding::hold(ends, plan, state)? {
        warn_of_the_own_user(ends)?;
        close_connections(ends)?;
    }
    say_line("Publishers are held. Moving what is left.");
    let arrived = until_empty(ends, plan, Until::Arrived)?;
    // Nobody has been sent there yet.
    let before = compare(ends, &arrived, state, COUNTS_LOOKS)?;
    let closed = close_connections(ends)?;
    say_line(format_args!(
        "{closed} connections are closed. Moving what consumers had not acknowledged."
    ));
    let counts = until_empty(ends, plan, Until::Done)?;
    let mut compared = compare(ends, &counts, state, 1)?;
    for (after, before) in compared.iter_mut().zip(before) {
        after.settle(before);
    }
    forwarding::remove(ends, state)?;
    State::forget(ends)?;
    say(super::text::report(ends, &compared));
    say(holding::told(ends, state));
    Ok(compared.iter().all(Compared::is_well))
}

/// Connections of clients to the source: all but those that move messages.
fn clients(ends: &Ends) -> Result<Vec<Value>, Failure> {
    let is_client = |connection: &Value| {
        let given = connection.pointer("/client_properties/connection_name");
        let given = given.and_then(Value::as_str).unwrap_or_default();
        !given.starts_with(&format!("Shovel {PREFIX}"))
    };
    let mut connections = ends.source.list("/api/connections")?;
    connections.retain(is_client);
    Ok(connections)
}

/// Who logs in as the user that moves the messages keeps what it may do.
fn warn_of_the_own_user(ends: &Ends) -> Result<(), Failure> {
    let user = ends.user();
    let others = clients(ends)?;
    let others = others.iter().filter(|connection| text(connection, "user") == user).count();
    if others > 0 {
        say_line(format_args!(
            "note: {others} connections there are of '{user}', with whom the messages are \
             moved, and who cannot be held: what they publish when they have come back may be \
             left there. Give clients another user, or stop those that publish."
        ));
    }
    Ok(())
}

/// Closes all connections of clients to the source; tells how many.
fn close_connections(ends: &Ends) -> Result<usize, Failure> {
    let because = ends.source.client.because(&format!("moved to {}", ends.new_address()));
    let mut closed = 0;
    for connection in clients(ends)? {
        let path = format!("/api/connections/{}", part(text(&connection, "name")));
        let answer = because.ask(Method::DELETE, &path, None)?;
        match answer.status {
            404 => {}
            status if status < 300 => closed += 1,
            _ => return Err(refused(&answer)),
        }
    }
    Ok(closed)
}

/// Compares what was moved with what is there.
fn compare(
    ends: &Ends,
    counts: &[Count],
    state: &State,
    looks_max: u32,
) -> Result<Vec<Compared>, Failure> {
    let mut looks = 0;
    loop {
        let there = queues(&ends.destination)?;
        let compare = |count: &Count| {
            let before = state.before.get(&count.queue).copied().unwrap_or_default();
            compared(count, before, there.get(&count.queue))
        };
        let compared: Vec<_> = counts.iter().map(compare).collect();
        looks += 1;
        if looks >= looks_max || compared.iter().all(Compared::is_exact) {
            return Ok(compared);
        }
        sleep(COUNTS_LOOK);
    }
}
