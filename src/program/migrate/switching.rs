//! The end of a migration: nothing comes in any more, the rest is moved, and clients are sent to
//! the new address.

use std::thread::sleep;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::counts::Count;
use super::ends::Ends;
use super::facts::{delayed, number, queues, text};
use super::forwarding;
use super::names::PREFIX;
use super::plan::Plan;
use super::state::State;
use super::text::{Compared, compared};
use super::watching::{Until, until_empty};
use crate::program::ctl::failure::{self, Failure};
use crate::program::ctl::session::{part, refused};

const WATERMARKS: &str = "/api/leveret/watermarks";

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
    if ends.is_outward {
        hold_publishers(ends, state)?;
        println!("Publishers are held. Moving what is left.");
    }
    let arrived = until_empty(ends, plan, Until::Arrived)?;
    // Nobody has been sent there yet.
    let before = compare(ends, &arrived, state, COUNTS_LOOKS)?;
    let closed = close_connections(ends)?;
    println!("{closed} connections are closed. Moving what consumers had not acknowledged.");
    let counts = until_empty(ends, plan, Until::Done)?;
    let mut compared = compare(ends, &counts, state, 1)?;
    for (after, before) in compared.iter_mut().zip(before) {
        after.settle(before);
    }
    forwarding::remove(ends, state)?;
    State::forget(ends)?;
    print!("{}", super::text::report(ends, &compared));
    Ok(compared.iter().all(Compared::is_well))
}

/// Publishers wait from here on, as they do when memory is short: what they send is not read, so
/// that nothing is confirmed that is not moved.
fn hold_publishers(ends: &Ends, state: &mut State) -> Result<(), Failure> {
    if state.watermark.is_none() {
        let before = ends.here.value(WATERMARKS)?;
        state.watermark = Some(number(&before, "memory_high_watermark_bytes"));
        state.save(ends)?;
    }
    let body = json!({ "memory_high_watermark": { "absolute": 0 } });
    ends.here.put(WATERMARKS, &body).map(drop)
}

/// Closes all connections to the source but those that move messages; tells how many.
fn close_connections(ends: &Ends) -> Result<usize, Failure> {
    let because = ends.source.client.because(&format!("moved to {}", ends.new_address()));
    let mut closed = 0;
    for connection in ends.source.list("/api/connections")? {
        let given = connection.pointer("/client_properties/connection_name");
        let given = given.and_then(Value::as_str).unwrap_or_default();
        if given.starts_with(&format!("Shovel {PREFIX}")) {
            continue;
        }
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
