//! Watches until the queues are empty, and shows how far they are.

use std::io::{IsTerminal as _, stdout};
use std::thread::sleep;
use std::time::Duration;

use super::counts::{self, Count};
use super::ends::Ends;
use super::plan::Plan;
use crate::program::ctl::failure::Failure;
use crate::program::output::{say, say_line};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// How often in a row the queues have to be empty. RabbitMQ counts anew every five seconds.
const LOOKS_INSIDE: u32 = 3;
const LOOKS_OUTSIDE: u32 = 8;

/// Where there is no terminal, every how many looks something is said.
const LOOKS_PER_LINE: u32 = 5;

/// How often in a row a server may fail to answer: it may be on its way back.
const FAILURES_MAX: u32 = 60;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Nothing waits; what comes may be on its way.
    Empty,
    /// Nothing is on its way any more either, but to consumers.
    Arrived,
    /// Nothing is left, nor with consumers.
    Done,
}

impl Until {
    fn is_reached(self, count: &Count) -> bool {
        match self {
            Self::Empty => count.is_empty(),
            Self::Arrived => count.is_empty() && count.under_way == 0,
            Self::Done => count.is_done(),
        }
    }
}

/// Waits, and shows how far it is; tells the last counts.
pub(super) fn until_empty(ends: &Ends, plan: &Plan, until: Until) -> Result<Vec<Count>, Failure> {
    let enough = if ends.is_outward { LOOKS_INSIDE } else { LOOKS_OUTSIDE };
    let (mut reached, mut failures, mut looks, mut before) = (0, 0, 0, None);
    loop {
        match counts::take(ends, plan) {
            Ok(counts) => {
                failures = 0;
                let is_reached = counts.iter().all(|count| until.is_reached(count));
                reached = if is_reached { reached + 1 } else { 0 };
                let moved = counts.iter().map(|count| count.moved).sum::<u64>();
                let rate = before.map_or(0, |before| moved.saturating_sub(before));
                before = Some(moved);
                show(&counts, rate, looks);
                if reached >= enough {
                    end_line();
                    return Ok(counts);
                }
            }
            Err(failure) if failures >= FAILURES_MAX => {
                end_line();
                return Err(failure);
            }
            Err(_) => (failures, reached) = (failures + 1, 0),
        }
        looks += 1;
        sleep(LOOK);
    }
}

fn show(counts: &[Count], rate: u64, looks: u32) {
    let is_terminal = stdout().is_terminal();
    if !is_terminal && !looks.is_multiple_of(LOOKS_PER_LINE) {
        return;
    }
    let sum = |number: fn(&Count) -> u64| counts.iter().map(number).sum::<u64>();
    let empty = counts.iter().filter(|count| count.is_empty()).count();
    let trouble = counts.iter().find_map(|count| {
        count.trouble.as_ref().map(|text| format!("; '{}' waits: {text}", count.queue.1))
    });
    let line = format!(
        "{empty} of {} queues empty; {} messages left, {} on their way, {} moved, {rate}/s{}",
        counts.len(),
        sum(|count| count.ready),
        sum(|count| count.under_way),
        sum(|count| count.moved),
        trouble.unwrap_or_default()
    );
    match is_terminal {
        true => say(format_args!("\r\x1b[K{line}")),
        false => say_line(line),
    };
}

fn end_line() {
    if stdout().is_terminal() {
        say_line("");
    }
}
