//! The real server, killed while it starts, be it for the first time, or on what a kill has left:
//! the next start finds everything, and needs no repair. `LEVERET_KILL_ROUNDS=200` does more.
//!
//! Where there is `strace`, it is also killed at each call that changes a file; elsewhere only at
//! moments that are as they come.

use std::time::Duration;

use crate::random::Random;
use crate::server::Server;
use crate::support::{Directory, bodies, channel, confirm, durable, persistent};

const ROUNDS: usize = 10;

/// Calls that change files, made by whoever does most of a start.
const CALLS: [&str; 5] = ["mkdir", "write", "pwrite64", "rename", "unlink"];

const QUEUES: usize = 10;

/// A directory with definitions and a message, as a kill leaves it.
fn declared() -> Directory {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    for number in 0..QUEUES {
        one.queue_declare_with(&durable(&format!("q{number}"))).unwrap();
    }
    confirm(&one, persistent("q0", "message"));
    directory.crash()
}

/// Everything is there, without a repair.
fn check(directory: &Directory, is_declared: bool, what: &str) {
    if !directory.path().exists() {
        assert!(!is_declared, "{what}");
        return;
    }
    let copy = directory.crash();
    let broker = copy.open();
    let recovery = broker.recovery();
    assert!(recovery.repaired.is_empty() && recovery.left_out.is_empty(), "{what}: {recovery:?}");
    assert!(recovery.damage.is_empty(), "{what}: {recovery:?}");
    assert!(broker.access().users.get("guest").is_some(), "{what}: there is no user");
    if is_declared {
        assert_eq!(broker.queues().len(), QUEUES, "{what}");
        assert_eq!(bodies(&channel(&broker), "q0"), ["message"], "{what}");
    }
}

/// How long a server takes to be ready on a directory.
fn ready_on(directory: &Directory) -> Duration {
    let (server, ready) = Server::start_measured(&directory.crash().path());
    server.kill();
    ready
}

#[test]
fn a_server_that_is_killed_while_it_starts_starts_again_with_everything() {
    let rounds = std::env::var("LEVERET_KILL_ROUNDS").ok();
    let rounds: usize = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut random = Random::new(17);
    let mut early = 0;
    let whole = declared();
    let ready = ready_on(&whole);
    for round in 0..rounds {
        let first = Directory::new();
        for (directory, is_declared) in [(&first, false), (&whole, true)] {
            let after = ready * u32::try_from(random.below(100)).unwrap() / 100;
            early += usize::from(Server::kill_early(&directory.path(), after));
            check(directory, is_declared, &format!("round {round}, declared: {is_declared}"));
        }
    }
    println!("{early} kills before it was ready, of {}: nothing missing", 2 * rounds);
    assert!(early > 0);
}

#[test]
fn a_server_that_is_killed_at_any_call_of_its_start_starts_again_with_everything() {
    if !Server::can_be_killed_at_calls() {
        println!("there is no strace, or it may not trace: not tried");
        return;
    }
    let whole = declared();
    let mut kills = 0;
    for call in CALLS {
        for is_declared in [false, true] {
            for nth in 1.. {
                let directory = if is_declared { whole.crash() } else { Directory::new() };
                if !Server::kill_at(&directory.path(), call, nth) {
                    break;
                }
                check(&directory, is_declared, &format!("{call} {nth}, declared: {is_declared}"));
                kills += 1;
            }
        }
    }
    println!("{kills} calls at which it was killed");
    assert!(kills > 20, "{kills}");
}
