//! Messages that have been published: what becomes of each, in their order.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lapin::{Confirmation, Result};

type Outcome = Pin<Box<dyn Future<Output = Result<Confirmation>> + Send>>;

/// Publishes whose outcome is not known, the oldest first.
#[derive(Default)]
pub(super) struct UnderWay(VecDeque<Outcome>);

impl UnderWay {
    /// Begins with a publish: its frames are handed over at once, and nobody waits until they are
    /// written.
    pub(super) fn begin(
        &mut self,
        cx: &mut Context<'_>,
        publish: impl Future<Output = Result<Confirmation>> + Send + 'static,
    ) {
        let mut outcome: Outcome = Box::pin(publish);
        match outcome.as_mut().poll(cx) {
            Poll::Ready(known) => self.0.push_back(Box::pin(std::future::ready(known))),
            Poll::Pending => self.0.push_back(outcome),
        }
    }

    /// What became of the oldest.
    pub(super) fn poll_oldest(&mut self, cx: &mut Context<'_>) -> Poll<Result<Confirmation>> {
        let Some(oldest) = self.0.front_mut() else { return Poll::Pending };
        let known = oldest.as_mut().poll(cx);
        if known.is_ready() {
            self.0.pop_front();
        }
        known
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
