//! Clients that mean no good, each with an honest one beside it, which is served as if it were
//! alone: the slowest but one in a hundred of its rounds takes at most five times what it takes
//! when it is quiet, and memory stays within one and a half times the watermark and 64 MiB. On a
//! machine that has other things to do as well nobody is blamed for what is short by itself.

mod floods;
mod hoarders;
mod in_part;
mod strangers;
mod vanishing;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use leveret::{Broker, Timestamp};

use crate::client::Client;
use crate::frames;

/// Rounds that are measured.
const ROUNDS: usize = 100;

/// A round beside others may take this many times as long as when it is quiet.
const TIMES_MAX: u32 = 5;

/// What is shorter than that says nothing: others may have had the machine. It is less than half of
/// what a login may take, for which whoever is kept out waits.
const SHORT: Duration = Duration::from_secs(4);

/// So often it is measured until it is bearable.
const ATTEMPTS: usize = 3;

/// What memory may exceed its watermark by, besides half of it.
const SLACK: usize = 64 << 20;

/// Sockets that a stranger keeps open: files are few on some machines.
const SILENT: usize = 100;

/// Whether the hostile one is to end. It is also when a test fails.
#[derive(Default)]
struct End(AtomicBool);

impl End {
    fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends the hostile ones when the honest one has done its rounds, or has failed.
struct Ending<'a>(&'a End);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Somebody who declares, publishes, consumes and acknowledges, one after the other.
struct Honest {
    client: Client,
    clock: Broker,
}

impl Honest {
    fn new(address: SocketAddr) -> Self {
        let mut client = Client::with_channel(address);
        client.declare("honest");
        client.consume("honest", "honest", false);
        Self { client, clock: Broker::new() }
    }

    fn since(&self, begun: Timestamp) -> Duration {
        Duration::from_micros(self.clock.now().as_micros() - begun.as_micros())
    }

    /// One message there and back, behind a declaration.
    fn round(&mut self) -> Duration {
        let begun = self.clock.now();
        self.client.declare("honest");
        self.client.send(&frames::publish(1, "honest", b"round"));
        let tag = self.client.content().delivery().delivery_tag;
        self.client.send(&frames::ack(1, tag, false));
        self.since(begun)
    }

    /// A declaration: what is served even while memory is short.
    fn declare(&mut self) -> Duration {
        let begun = self.clock.now();
        self.client.declare("honest");
        self.since(begun)
    }

    /// A new login, and what it takes. Who is slow to speak may have to make room, and comes again.
    fn login(&self, address: SocketAddr) -> Duration {
        let begun = self.clock.now();
        loop {
            let mut client = Client::new(address);
            let has_spoken = client.socket.write_all(frames::HEADER).is_ok();
            if has_spoken && client.frame().is_some() {
                client.finish_handshake();
                return self.since(begun);
            }
        }
    }
}

/// The slowest but one in a hundred.
fn slow_one(mut rounds: Vec<Duration>) -> Duration {
    rounds.sort_unstable();
    rounds[rounds.len() - 1 - rounds.len() / 100]
}

/// Measures rounds while it is quiet, and again while somebody hostile works until the end comes.
fn served_beside(
    address: SocketAddr,
    mut round: impl FnMut(&mut Honest) -> Duration,
    hostile: impl FnOnce(&End) + Send,
) {
    let mut honest = Honest::new(address);
    let mut measured = || slow_one((0..ROUNDS).map(|_| round(&mut honest)).collect());
    let max = SHORT.max(measured() * TIMES_MAX);
    let end = End::default();
    let beside = thread::scope(|scope| {
        let _ending = Ending(&end);
        scope.spawn(|| hostile(&end));
        // Whatever else goes on in the machine, it does not always come at the wrong time.
        (0..ATTEMPTS).map(|_| measured()).take_while(|beside| *beside > max).collect::<Vec<_>>()
    });
    assert!(beside.len() < ATTEMPTS, "{beside:?} beside the others, where {max:?} are bearable");
}

/// Measures rounds while it is quiet, and again for as long as something large is done; tells both
/// on standard error.
fn served_while(address: SocketAddr, what: &str, large: impl FnOnce() + Send) {
    let mut honest = Honest::new(address);
    let quiet = slow_one((0..ROUNDS).map(|_| honest.round()).collect());
    let (end, mut beside) = (End::default(), Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ending = Ending(&end);
            large();
        });
        while !end.has_come() || beside.is_empty() {
            beside.push(honest.round());
        }
    });
    let (rounds, max) = (beside.len(), beside.iter().max().copied());
    let beside = slow_one(beside);
    eprintln!("{what}: {quiet:?} when it is quiet, then {beside:?} ({rounds} rounds, {max:?})");
    assert!(beside <= SHORT.max(quiet * TIMES_MAX), "{what}: {beside:?}, {quiet:?} before");
}

fn assert_bounded(broker: &Broker, watermark: usize) {
    let total = broker.memory_total();
    assert!(total <= watermark / 2 * 3 + SLACK, "{total} octets with a watermark of {watermark}");
}

/// Sends the same over and over, and reads what comes back.
fn flood(address: SocketAddr, octets: &[u8], end: &End) {
    let mut client = Client::with_channel(address);
    let mut reader = client.socket.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || drop(std::io::copy(&mut reader, &mut std::io::sink())));
        while !end.has_come() {
            client.send(octets);
        }
        client.socket.shutdown(std::net::Shutdown::Both).unwrap();
    });
}
