//! What every call works on, and how it works.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use leveret::Snapshot;

use super::input::{Answer, Refusal};
use crate::program::test::lives::{Life, Lives};
use crate::program::test::numbered::Numbered;

/// What the calls work on.
pub(super) struct Control {
    pub lives: Lives,
    /// Those that were taken and not forgotten. They outlive the broker.
    pub snapshots: Numbered<Snapshot>,
}

pub(super) type Shared = State<Arc<Control>>;
pub(super) type Routes = Router<Arc<Control>>;

impl Control {
    /// The broker of this time.
    pub(super) fn life(&self) -> Arc<Life> {
        self.lives.present()
    }
}

/// Does on a thread of its own what may take a while.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Answer<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| {
        let text = "the broker failed while it was at it".into();
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    })
}

/// The virtual host that is meant if none is named.
pub(super) fn default_vhost() -> String {
    "/".into()
}
