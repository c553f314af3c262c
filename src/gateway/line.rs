//! The line of connections that move much, which those that move little pass by.
//!
//! A thread serves its connections in the order in which they were woken, and one that moves much
//! is ready again as soon as it was served. Behind sixteen of such a small request would wait for
//! a turn of each of them, on its way to the broker and on its way back. So those that move much
//! stand in a line, and about as many of them are ready at a time as there are threads.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

use crate::limits::{READ_CHUNK_BYTES, TURN_BYTES};
use crate::time::clock::Clock;

/// The line of one gateway.
#[derive(Clone)]
pub(super) struct Line {
    /// In the order in which they are asked for.
    places: Arc<Semaphore>,
}

impl Line {
    /// For connections that so many threads serve: each has one to serve, and the next is there
    /// already if the system takes a processor from one of them.
    pub(super) fn new(threads: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(threads + 1)) }
    }
}

/// How far a connection is in the line, and what it has moved in this turn.
pub(super) struct Turns {
    /// Nobody stands in line on a manual clock: a test waits until no connection has anything left
    /// to do, and who only stands in line would seem to have nothing.
    line: Option<Line>,
    /// Octets that it has read and written in this turn.
    moved: usize,
    place: Place,
}

/// A place among those who are ready.
enum Place {
    /// It moves little, and needs none.
    Unneeded,
    /// It asks for one next time.
    Needed,
    /// It stands in line.
    Awaited(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>),
    /// It has one until its turn is over.
    Taken { _place: Option<OwnedSemaphorePermit> },
}

impl Turns {
    /// Those of a connection that has just come.
    pub(super) fn new(line: Line, clock: &Clock) -> Self {
        let line = matches!(clock, Clock::System(_)).then_some(line);
        Self { line, moved: 0, place: Place::Unneeded }
    }

    /// Whether a turn begins. If not the task is woken for it.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) -> bool {
        if let (Place::Needed, Some(line)) = (&self.place, &self.line) {
            let places = Arc::clone(&line.places);
            self.place = Place::Awaited(Box::pin(async { places.acquire_owned().await.ok() }));
        }
        if self.stand_in_line(cx).is_pending() {
            return false;
        }
        self.moved = 0;
        true
    }

    fn stand_in_line(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Place::Awaited(place) = &mut self.place else { return Poll::Ready(()) };
        self.place = Place::Taken { _place: ready!(place.as_mut().poll(cx)) };
        // Whoever is ready by now goes first, and the runtime looks at the sockets before: were it
        // not so, nothing would be wrong, but slower.
        pin!(yield_now()).poll(cx)
    }

    /// So many octets were read or written.
    pub(super) fn count(&mut self, octets: usize) {
        self.moved += octets;
    }

    /// Whether it has moved as much in this turn as is read at a time.
    pub(super) fn is_over(&self) -> bool {
        self.moved >= READ_CHUNK_BYTES
    }

    /// The turn is over. Whoever has moved much in it, or `goes_on` with more, needs a place for
    /// the next one; who goes on is woken for it.
    pub(super) fn end(&mut self, goes_on: bool, cx: &mut Context<'_>) {
        let moves_much = self.moved >= TURN_BYTES || goes_on;
        self.place = if moves_much { Place::Needed } else { Place::Unneeded };
        if goes_on && self.begin(cx) {
            cx.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use proptest::prelude::*;
    use tokio::runtime::{Builder, Runtime};
    use tokio::task::{AbortHandle, JoinSet};

    use super::*;

    /// How many are ready at a time if one thread serves them.
    const READY: usize = 2;

    /// A connection that is served so many times, and moves so much each time.
    struct Connection {
        number: usize,
        octets: usize,
        left: usize,
        turns: Turns,
        /// Told of each turn.
        served: Sender<usize>,
    }

    impl Future for Connection {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let me = &mut *self;
            if !me.turns.begin(cx) {
                return Poll::Pending;
            }
            me.served.send(me.number).unwrap();
            me.turns.count(me.octets);
            me.left -= 1;
            if me.left == 0 {
                return Poll::Ready(());
            }
            let moves_much = me.octets >= TURN_BYTES;
            me.turns.end(moves_much, cx);
            // There is something in the socket of the others when it is looked at next.
            if moves_much { Poll::Pending } else { pin!(yield_now()).poll(cx) }
        }
    }

    /// Connections that move so much and have so many turns each, on one thread, and who is told of
    /// their turns.
    struct Served {
        runtime: Runtime,
        line: Line,
        connections: JoinSet<()>,
        handles: Vec<AbortHandle>,
        turns: Receiver<usize>,
    }

    fn serve(connections: impl Iterator<Item = (usize, usize)>) -> Served {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (line, (served, turns)) = (Line::new(1), channel());
        let (mut tasks, mut handles) = (JoinSet::new(), Vec::new());
        for (number, (octets, left)) in connections.enumerate() {
            let turns = Turns::new(line.clone(), &Clock::system());
            let connection = Connection { number, octets, left, turns, served: served.clone() };
            handles.push(tasks.spawn_on(connection, runtime.handle()));
        }
        Served { runtime, line, connections: tasks, handles, turns }
    }

    #[test]
    fn who_moves_little_waits_for_few_who_move_much() {
        let busy = (0..16).map(|_| (TURN_BYTES, 100));
        let Served { runtime, connections, turns, .. } = serve(busy.chain([(1, 100)]));
        runtime.block_on(connections.join_all());
        let turns: Vec<usize> = turns.try_iter().collect();
        let begun = turns.iter().position(|&number| number == 16).unwrap();
        let waited: Vec<usize> =
            turns[begun..].split(|&number| number == 16).map(<[_]>::len).collect();
        assert_eq!(waited.len(), 1 + 100);
        // Not after it has had its turns, and at first those are ready who have just come.
        assert!(waited[..100].iter().all(|&others| others <= 2 * READY), "{waited:?}");
    }

    #[test]
    fn those_who_move_much_are_served_by_turns() {
        let Served { runtime, connections, turns, .. } = serve((0..16).map(|_| (TURN_BYTES, 50)));
        runtime.block_on(connections.join_all());
        let turns: Vec<usize> = turns.try_iter().collect();
        let all = (0..16).collect::<Vec<_>>();
        for round in turns.chunks(16) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, all);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Some are cut off wherever they are, and the others have all their turns in a bounded
        /// number of looks at the sockets.
        #[test]
        fn nobody_waits_for_those_who_have_gone(
            connections in prop::collection::vec((0..2 * TURN_BYTES, 1usize..20), 1..24),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40), 0..8),
        ) {
            let all: usize = connections.iter().map(|&(_, turns)| turns).sum();
            let served = serve(connections.iter().copied());
            let Served { runtime, line, connections: mut tasks, handles, .. } = served;
            runtime.block_on(async {
                for look in 0..all + 64 {
                    let now = cuts.iter().filter(|&&(_, at)| at == look);
                    now.for_each(|(which, _)| which.get(&handles).abort());
                    yield_now().await;
                }
            });
            while tasks.try_join_next().is_some() {}
            prop_assert!(tasks.is_empty(), "{} still wait", tasks.len());
            prop_assert_eq!(line.places.available_permits(), READY);
        }
    }
}
