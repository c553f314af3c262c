//! What lapin starts, on tokio.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_rs::util::{Task, TaskImpl};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// A task that lapin started.
#[cfg_attr(not(feature = "lapin"), allow(unreachable_pub))]
pub struct Spawned<T>(Option<JoinHandle<T>>);

impl<T: Send + 'static> Spawned<T> {
    /// Has it spawned, if there are threads for it.
    pub(crate) fn task(
        threads: Option<&Handle>,
        spawn: impl FnOnce(&Handle) -> JoinHandle<T>,
    ) -> Task<Self> {
        Self(threads.map(spawn)).into()
    }
}

impl<T> fmt::Debug for Spawned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spawned").finish()
    }
}

impl<T: Send + 'static> Future for Spawned<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(task) = &mut self.0 else { return Poll::Pending };
        match Pin::new(task).poll(cx) {
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            Poll::Ready(Err(error)) => {
                self.0 = None;
                match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime is gone, and so will be who waits here.
                    Err(_) => Poll::Pending,
                }
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What `async_trait` makes of the one method that can be overridden.
type Cancelled<'a, T> = Pin<Box<dyn Future<Output = Option<T>> + Send + 'a>>;

impl<T: Send + 'static> TaskImpl for Spawned<T> {
    fn cancel<'life, 'future>(&'life mut self) -> Cancelled<'future, T>
    where
        'life: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let task = self.0.take()?;
            task.abort();
            task.await.ok()
        })
    }
}
