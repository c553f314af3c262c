//! Threads that wait although they may belong to a runtime. On the only thread of a current-thread
//! runtime nothing that is waited for can happen: that is told, and not tried.

#[cfg(feature = "gateway")]
use std::task::{Context, Waker};

#[cfg(feature = "gateway")]
use tokio::runtime::{Handle, RuntimeFlavor};
#[cfg(feature = "gateway")]
use tokio::task::coop;

use crate::limits::LONG;

/// Steps that tokio lets a task make before it has to yield. What is no task has no such bound.
#[cfg(feature = "gateway")]
const STEPS: usize = 128;

/// Waits on this thread for what others do, as [`pause_here`] does, where that can come to an end.
///
/// # Panics
/// In a task on the only thread of a tokio runtime: `what` says what was called, `instead` what to
/// write in its place.
#[track_caller]
pub(crate) fn wait_here<R>(what: &str, instead: &str, wait: impl FnOnce() -> R) -> R {
    assert_may_wait(what, instead);
    pause_here(wait)
}

/// Waits on this thread. A worker of a tokio runtime with several threads leaves its tasks to
/// another one meanwhile.
#[cfg(feature = "gateway")]
pub(crate) fn pause_here<R>(wait: impl FnOnce() -> R) -> R {
    let is_worker = Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() != RuntimeFlavor::CurrentThread);
    if is_worker { tokio::task::block_in_place(wait) } else { wait() }
}

/// Does something with so many things: as [`pause_here`] waits, if they are so many that others are
/// to have the thread meanwhile.
pub(crate) fn pause_if_long<R>(count: usize, work: impl FnOnce() -> R) -> R {
    if count > LONG { pause_here(work) } else { work() }
}

/// Waits on this thread. Without the gateway the crate knows of no runtime.
#[cfg(not(feature = "gateway"))]
pub fn pause_here<R>(wait: impl FnOnce() -> R) -> R {
    wait()
}

/// Panics where [`wait_here`] would, whether there is something to wait for or not: what fails
/// only when it has to wait fails by luck.
#[cfg(feature = "gateway")]
#[track_caller]
#[allow(clippy::panic, reason = "a mistake in the caller's program, which would hang instead")]
pub(crate) fn assert_may_wait(what: &str, instead: &str) {
    let Ok(runtime) = Handle::try_current() else { return };
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread && in_task() {
        panic!(
            "{what} would wait for ever: it blocks the only thread of this tokio runtime, which \
             runs the program that it waits for. Write {instead}, or give the runtime more \
             threads: #[tokio::test(flavor = \"multi_thread\")]"
        );
    }
}

#[cfg(not(feature = "gateway"))]
pub fn assert_may_wait(_what: &str, _instead: &str) {}

/// Whether this is within a task of the runtime, and not on a thread that only knows of it, as
/// those of `spawn_blocking` do.
#[cfg(feature = "gateway")]
fn in_task() -> bool {
    let mut context = Context::from_waker(Waker::noop());
    let mut steps = Vec::with_capacity(STEPS);
    for _ in 0..STEPS + 1 {
        match coop::poll_proceed(&mut context) {
            std::task::Poll::Pending => break,
            // It gives the step back when it is dropped.
            std::task::Poll::Ready(step) => steps.push(step),
        }
    }
    let is_bounded = steps.len() <= STEPS;
    // Each knows what was left before it: the first has to be the last to go.
    while steps.pop().is_some() {}
    is_bounded
}

#[cfg(all(test, feature = "gateway"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_task_of_a_runtime_is_one() {
        assert!(!in_task());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            assert!(in_task());
            assert!(in_task(), "looking takes no steps away");
            assert!(tokio::spawn(async { in_task() }).await.unwrap());
            assert!(!tokio::task::spawn_blocking(in_task).await.unwrap());
        });
        let _known = runtime.enter();
        assert!(!in_task());
        wait_here("this", "that", || ());
    }
}
