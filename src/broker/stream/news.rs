//! Waiting for more of a stream.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use leveret_storage::{Stream, WatchId};

use crate::base::lock::{Condvar, Mutex};
use crate::base::rank;

struct State {
    /// Something may have been committed since it was looked at.
    has_news: bool,
    waker: Option<Waker>,
}

/// What a reader waits on.
struct Signal {
    state: Mutex<State, rank::ReaderNews>,
    changed: Condvar,
}

/// Hears of what is committed to a stream, for as long as it lives.
pub(super) struct News {
    signal: Arc<Signal>,
    log: Arc<Stream>,
    watch: WatchId,
}

impl News {
    /// Of this stream.
    pub(super) fn of(log: &Arc<Stream>) -> Self {
        // Until now nobody has listened.
        let state = Mutex::new(State { has_news: true, waker: None });
        let signal = Arc::new(Signal { state, changed: Condvar::default() });
        let told = Arc::clone(&signal);
        let watch = log.watch(Arc::new(move || {
            let mut state = told.state.lock();
            state.has_news = true;
            let waker = state.waker.take();
            drop(state);
            told.changed.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }));
        Self { signal, log: Arc::clone(log), watch }
    }

    /// Waits for news since this was called last; tells whether there were any in time.
    pub(super) fn wait(&self, patience: Option<Duration>) -> bool {
        let mut state = self.signal.state.lock();
        let nothing = |state: &mut State| !state.has_news;
        match patience {
            Some(patience) => {
                self.signal.changed.wait_while_for(&mut state, nothing, patience);
            }
            None => self.signal.changed.wait_while(&mut state, nothing),
        }
        std::mem::take(&mut state.has_news)
    }

    /// The same, for a task.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.signal.state.lock();
        if std::mem::take(&mut state.has_news) {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.log.unwatch(self.watch);
    }
}
