//! The threads that serve the in-memory streams of all brokers of this process.
//!
//! They are shared because a test suite makes a broker for every test: threads of its own would
//! cost each of them more than all that it does. They are not the caller's, although it may well
//! have a runtime: a test that blocks its only thread, in `Broker::advance` or in a consumer of
//! the embedded API, would wait for itself.

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::limits::SHARED_THREADS_MAX;

/// Lives until the process ends: threads that wait cost less than starting them again.
static RUNTIME: Mutex<Option<Runtime>, rank::StreamThreads> = Mutex::new(None);

/// The runtime, which the first call starts.
///
/// # Errors
/// If its threads cannot be started.
pub(crate) fn runtime() -> io::Result<Handle> {
    let mut runtime = RUNTIME.lock();
    if let Some(runtime) = &*runtime {
        return Ok(runtime.handle().clone());
    }
    let threads = available_parallelism().map_or(1, NonZero::get).min(SHARED_THREADS_MAX);
    let started = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("leveret-stream")
        .enable_time()
        .build()?;
    let handle = started.handle().clone();
    *runtime = Some(started);
    Ok(handle)
}
