//! What people meet in their first hour: waiting in every kind of runtime, dropping in any order,
//! and assertions that would pass in vain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod dropping;
mod in_vain;
mod queues;
mod waiting;

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// What the last panic of this thread said, and where.
    static SEEN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The file, line and text of the panic that `work` ends with.
fn panic_of(work: impl FnOnce()) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>().map_or("", String::as_str);
            let text = info.payload().downcast_ref::<&str>().unwrap_or(&text);
            let place = info.location().unwrap();
            let seen = format!("{}:{}: {text}", place.file(), place.line());
            SEEN.with_borrow_mut(|last| *last = seen);
            usual(info);
        }));
    });
    catch_unwind(AssertUnwindSafe(work)).expect_err("it did not panic");
    SEEN.take()
}

/// Asserts that `work` panics in the file of the test with this text.
#[track_caller]
fn assert_panics(text: &str, work: impl FnOnce()) {
    let file = std::panic::Location::caller().file();
    let seen = panic_of(work);
    assert!(seen.starts_with(&format!("{file}:")), "it points elsewhere: {seen}");
    assert!(seen.contains(text), "{seen}");
}

/// Runs a task in a runtime with one thread.
fn on_one_thread<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}

/// Runs a task in a runtime with so many threads.
fn on_threads<T>(threads: usize, task: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(threads).enable_all().build().unwrap().block_on(task)
}
