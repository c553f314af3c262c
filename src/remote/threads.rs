//! Threads for connections to other brokers, which are started with the first of them.

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Threads that one kind of links of a broker has.
const THREADS_MAX: usize = 2;

/// How long links may take to say farewell when the broker is closed.
const FAREWELL: Duration = Duration::from_millis(1500);

/// Threads, once there is something for them to do.
#[derive(Default)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts them, if that is yet to be done.
    ///
    /// # Errors
    /// If the system does not let them.
    pub(super) fn started(&mut self) -> io::Result<&Runtime> {
        match &mut self.0 {
            Some(threads) => Ok(threads),
            none => {
                let threads = available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
                let started = Builder::new_multi_thread()
                    .worker_threads(threads)
                    .thread_name("leveret-remote")
                    .enable_all()
                    .build()?;
                Ok(none.insert(started))
            }
        }
    }

    /// Ends them, when these tasks have ended or have had time for it.
    pub(super) fn end(&mut self, tasks: Vec<JoinHandle<()>>) {
        let Some(threads) = self.0.take() else { return };
        let (all_ended, wait) = std::sync::mpsc::channel::<()>();
        threads.spawn(async move {
            for task in tasks {
                // A task that failed has ended, too.
                let _ = task.await;
            }
            drop(all_ended);
        });
        let _ = wait.recv_timeout(FAREWELL);
        // Waiting for the threads themselves is not allowed inside of another runtime.
        threads.shutdown_background();
    }
}
