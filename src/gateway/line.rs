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

    /// A place, or who waits for one. Where so few move much that nobody waits, they are not for
    /// long in the way of others, and do not let them go first.
    fn place(&self) -> Place {
        let places = Arc::clone(&self.places);
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => Place::Taken { _place: Some(place), is_behind: true },
            Err(_) => Place::Awaited(Box::pin(async { places.acquire_owned().await.ok() })),
        }
    }
}

/// How far a connection is in the line, and what it has moved in this turn.
pub(super) struct Turns {
    /// Nobody stands in line on a manual clock: a test waits until no connection has anything left
    /// to do, and who only stands in line would seem to have nothing.
    line: Option<Line>,
    /// Octets that it has read and written in this turn.
    moved: usize,
    /// The mean of that and its turns before, each of which counts half of the next.
    moved_lately: usize,
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
    /// It has one until its turn is over, and is behind those who were ready by then.
    Taken { _place: Option<OwnedSemaphorePermit>, is_behind: bool },
}

impl Turns {
    /// Those of a connection that has just come.
    pub(super) fn new(line: Line, clock: &Clock) -> Self {
        let line = matches!(clock, Clock::System(_)).then_some(line);
        Self { line, moved: 0, moved_lately: 0, place: Place::Unneeded }
    }

    /// Whether a turn begins. If not the task is woken for it.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) -> bool {
        if let (Place::Needed, Some(line)) = (&self.place, &self.line) {
            self.place = line.place();
        }
        if self.stand_in_line(cx).is_pending() {
            return false;
        }
        self.moved = 0;
        true
    }

    fn stand_in_line(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // How the runtime orders its tasks is nothing to rely on: were it otherwise, nothing would
        // be wrong, but slower.
        match &mut self.place {
            Place::Awaited(place) => {
                let place = ready!(place.as_mut().poll(cx));
                self.place = Place::Taken { _place: place, is_behind: false };
                // It is woken when nobody else is ready, and sockets have been looked at.
                pin!(yield_now()).poll(cx)
            }
            Place::Taken { is_behind: is_behind @ false, .. } => {
                // Those whose sockets had something are ready now, and it comes behind them.
                *is_behind = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// So many octets were read or written.
    pub(super) fn count(&mut self, octets: usize) {
        self.moved += octets;
    }

    /// Whether it has moved as much in this turn as is read at a time.
    pub(super) fn is_over(&self) -> bool {
        self.moved >= READ_CHUNK_BYTES
    }

    /// The turn is over. Whoever has moved much lately, or `goes_on` with more, needs a place for
    /// the next one; who goes on is woken for it.
    pub(super) fn end(&mut self, goes_on: bool, cx: &mut Context<'_>) {
        self.moved_lately = usize::midpoint(self.moved_lately, self.moved);
        let moves_much = self.moved_lately >= TURN_BYTES || goes_on;
        self.place = if moves_much { Place::Needed } else { Place::Unneeded };
        if goes_on && self.begin(cx) {
            cx.waker().wake_by_ref();
        }
    }

    /// There are no more turns: others need not wait until the connection has come to its end.
    pub(super) fn leave(&mut self) {
        self.place = Place::Unneeded;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::{Wake, Waker};

    use proptest::prelude::*;
    use tokio::runtime::{Builder, Runtime};
    use tokio::task::{AbortHandle, JoinSet};

    use super::*;
    use crate::time::clock::ManualClock;

    /// How many are ready at a time if one thread serves them.
    const READY: usize = 2;

    /// What a connection does.
    #[derive(Clone, Copy, Debug)]
    struct Deeds {
        /// Octets that it moves in each turn.
        octets: usize,
        /// How many turns it has.
        turns: usize,
        /// How often sockets are looked at until there is something in its own; `None` if it has
        /// more to do at the end of a turn already.
        sleeps: Option<usize>,
    }

    fn busy(turns: usize) -> Deeds {
        Deeds { octets: 2 * TURN_BYTES, turns, sleeps: None }
    }

    struct Connection {
        number: usize,
        deeds: Deeds,
        asleep: usize,
        turns: Turns,
        /// Told of each turn.
        served: Sender<usize>,
    }

    impl Future for Connection {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let me = &mut *self;
            if me.asleep > 0 {
                me.asleep -= 1;
                return pin!(yield_now()).poll(cx);
            }
            if !me.turns.begin(cx) {
                return Poll::Pending;
            }
            me.served.send(me.number).unwrap();
            me.turns.count(me.deeds.octets);
            me.deeds.turns -= 1;
            if me.deeds.turns == 0 {
                return Poll::Ready(());
            }
            me.turns.end(me.deeds.sleeps.is_none(), cx);
            let Some(sleeps) = me.deeds.sleeps else { return Poll::Pending };
            me.asleep = sleeps;
            pin!(yield_now()).poll(cx)
        }
    }

    /// Connections on one thread.
    struct Served {
        runtime: Runtime,
        line: Line,
        connections: JoinSet<()>,
        handles: Vec<AbortHandle>,
        turns: Receiver<usize>,
    }

    impl Served {
        fn new(connections: impl IntoIterator<Item = Deeds>) -> Self {
            let runtime = Builder::new_current_thread().build().unwrap();
            let (line, (served, turns)) = (Line::new(1), channel());
            let (mut tasks, mut handles) = (JoinSet::new(), Vec::new());
            for (number, deeds) in connections.into_iter().enumerate() {
                let (turns, served) = (Turns::new(line.clone(), &Clock::system()), served.clone());
                let connection = Connection { number, deeds, asleep: 0, turns, served };
                handles.push(tasks.spawn_on(connection, runtime.handle()));
            }
            Self { runtime, line, connections: tasks, handles, turns }
        }

        /// Serves them while sockets are looked at so often; before each look `meddle` is called.
        fn run(&self, looks: usize, mut meddle: impl FnMut(usize)) {
            self.runtime.block_on(async {
                for look in 0..looks {
                    meddle(look);
                    yield_now().await;
                }
            });
        }

        /// Whose turns there were.
        fn turns(&self) -> Vec<usize> {
            self.turns.try_iter().collect()
        }
    }

    #[test]
    fn who_moves_little_waits_for_few_who_move_much() {
        let little = Deeds { octets: 1, turns: 100, sleeps: Some(0) };
        let served = Served::new([busy(1000); 16].into_iter().chain([little]));
        served.run(200, |_| ());
        let turns = served.turns();
        let begun = turns.iter().position(|&number| number == 16).unwrap();
        let waited = turns[begun..].split(|&number| number == 16).map(<[_]>::len);
        let waited: Vec<usize> = waited.collect();
        assert_eq!(waited.len(), 1 + 100);
        // Not after it has had its turns, and at first those are ready who have just come.
        assert!(waited[..100].iter().all(|&others| others <= 2 * READY), "{waited:?}");
    }

    #[test]
    fn those_who_move_much_are_served_by_turns() {
        let served = Served::new([busy(200); 15]);
        served.run(15 * 200, |_| ());
        let turns = served.turns();
        assert_eq!(turns.len(), 15 * 200);
        let mut counts = [0_usize; 15];
        // The first half of them: in the last rounds some have had all.
        let mut turns = turns.into_iter().take(15 * 100);
        while counts.contains(&0) {
            counts[turns.next().unwrap()] += 1;
        }
        counts.fill(0); // all have come
        for number in turns {
            counts[number] += 1;
            let least = counts.iter().min().unwrap();
            // One that is let out with another may be served before or after it each time.
            assert!(counts[number] * 3 <= least * 4 + 8, "{counts:?}");
        }
    }

    #[test]
    fn who_sleeps_keeps_nobody_from_anything() {
        let sleeper = Deeds { sleeps: Some(1000), ..busy(3) };
        let served = Served::new([sleeper, sleeper, sleeper, busy(100)]);
        served.run(300, |_| ());
        assert_eq!(served.turns().iter().filter(|&&number| number == 3).count(), 100);
        served.run(1000, |_| ());
        assert_eq!(served.turns().len(), 3, "their second turns");
        assert_eq!(served.line.places.available_permits(), READY);
    }

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_has_moved_much_passes_by_again_when_it_moves_little() {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let cx = &mut Context::from_waker(&waker);
        let line = Line::new(1);
        let others: Vec<Place> = (0..READY).map(|_| line.place()).collect();
        let mut turns = Turns::new(line.clone(), &Clock::system());
        assert!(turns.begin(cx));
        turns.count(2 * TURN_BYTES);
        turns.end(false, cx);
        assert!(!turns.begin(cx));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        drop(others);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        // It takes its place, lets others go first twice, and has its turn.
        assert!(!turns.begin(cx) && !turns.begin(cx) && turns.begin(cx));
        assert_eq!(woken.0.load(Ordering::Relaxed), 3);
        assert_eq!(line.places.available_permits(), READY - 1);
        turns.count(TURN_BYTES - 1);
        turns.end(false, cx);
        assert_eq!(line.places.available_permits(), READY);
        assert!(turns.begin(cx), "that was little");
    }

    #[test]
    fn where_few_move_much_nobody_waits() {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let cx = &mut Context::from_waker(&waker);
        let line = Line::new(1);
        let mut turns = Turns::new(line.clone(), &Clock::system());
        for turn in 1..4 {
            assert!(turns.begin(cx));
            turns.count(2 * TURN_BYTES);
            turns.end(true, cx);
            assert_eq!(woken.0.load(Ordering::Relaxed), turn, "it goes on");
            assert_eq!(line.places.available_permits(), READY - 1);
        }
        turns.leave();
        assert_eq!(line.places.available_permits(), READY);
    }

    #[test]
    fn nobody_stands_in_line_on_a_manual_clock() {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let cx = &mut Context::from_waker(&waker);
        let line = Line::new(1);
        let mut turns = Turns::new(line.clone(), &Clock::Manual(ManualClock::default()));
        for turn in 1..4 {
            assert!(turns.begin(cx));
            turns.count(2 * TURN_BYTES);
            turns.end(true, cx);
            assert_eq!(woken.0.load(Ordering::Relaxed), turn);
        }
        assert_eq!(line.places.available_permits(), READY);
    }

    fn deeds() -> impl Strategy<Value = Deeds> {
        let sleeps = prop::option::of(0..5_usize);
        (0..4 * TURN_BYTES, 1..20_usize, sleeps).prop_map(|(octets, turns, sleeps)| Deeds {
            octets,
            turns,
            sleeps,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Some are cut off wherever they are. The others have all their turns while sockets are
        /// looked at a bounded number of times.
        #[test]
        fn nobody_waits_for_those_who_have_gone(
            connections in prop::collection::vec(deeds(), 1..24),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize), 0..8),
        ) {
            let bound: usize =
                connections.iter().map(|it| it.turns * (2 + it.sleeps.unwrap_or(0))).sum();
            let mut served = Served::new(connections);
            served.run(bound + 64, |look| {
                let now = cuts.iter().filter(|&&(_, at)| at == look);
                now.for_each(|(which, _)| which.get(&served.handles).abort());
            });
            while served.connections.try_join_next().is_some() {}
            prop_assert!(served.connections.is_empty(), "{} still wait", served.connections.len());
            prop_assert_eq!(served.line.places.available_permits(), READY);
        }
    }
}
