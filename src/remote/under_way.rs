//! Messages that have been published: what becomes of each, in their order.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::ShortString;
use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation, Result};

type Outcome = Pin<Box<dyn Future<Output = Result<Confirmation>> + Send>>;

/// Publishes whose outcome is not known, the oldest first.
#[derive(Default)]
pub(super) struct UnderWay(VecDeque<Outcome>);

impl UnderWay {
    /// Publishes a message to an exchange with a key: its frames are handed over at once, and
    /// nobody waits until they are written.
    pub(super) async fn publish(
        &mut self,
        channel: &Channel,
        (exchange, key): (ShortString, ShortString),
        properties: BasicProperties,
        body: Vec<u8>,
    ) {
        let channel = channel.clone();
        let mut outcome: Outcome = Box::pin(async move {
            let options = BasicPublishOptions::default();
            channel.basic_publish(exchange, key, options, &body, properties).await?.await
        });
        let begun = poll_fn(|cx| Poll::Ready(outcome.as_mut().poll(cx))).await;
        self.0.push_back(match begun {
            Poll::Ready(known) => Box::pin(std::future::ready(known)),
            Poll::Pending => outcome,
        });
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
