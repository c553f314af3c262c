//! Moves the messages of one link while both of its ends are connected.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::{Consumer, Event};

use super::way::Way;
use crate::link::federation::Link;
use crate::link::shovel::definition::DeleteAfter;
use crate::link::shovel::machine::{Machine, Settle};
use crate::remote::connect::said;
use crate::remote::end::End;
use crate::remote::under_way::UnderWay;

/// Messages that may be under way if the upstream does not say how many.
const UNDER_WAY_MAX: usize = 1000;

/// What happens while it is connected.
pub(super) enum Happening {
    Taken(Box<Delivery>),
    /// The oldest message that is under way has arrived, or was refused.
    Concluded {
        is_refused: bool,
    },
    /// What was to come from a consumer that was cancelled has come.
    Drained,
    /// The link is to end.
    Stopped,
    Lost(String),
    /// Nothing, for now.
    Rest,
}

/// What moves messages while both ends are there.
pub(super) struct Line<'a> {
    link: Arc<Link>,
    pub(super) upstream: &'a mut End,
    downstream: &'a mut End,
    way: Way,
    /// Who takes messages upstream, if anybody does.
    pub(super) consumer: Option<Consumer>,
    /// It is cancelled, and what it had been sent still comes.
    pub(super) is_cancelled: bool,
    machine: Machine,
    under_way: UnderWay,
    /// An acknowledgement that may yet be part of a later one.
    owed: Option<Settle>,
    is_ending: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(
        link: Arc<Link>,
        (upstream, downstream): (&'a mut End, &'a mut End),
        way: Way,
    ) -> Self {
        Self {
            machine: Machine::new(link.upstream.ack_mode, DeleteAfter::Never),
            link,
            upstream,
            downstream,
            way,
            consumer: None,
            is_cancelled: false,
            under_way: UnderWay::default(),
            owed: None,
            is_ending: false,
        }
    }

    /// What happens next. What became of messages comes first, so that there is room for others.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Happening> {
        for (end, name) in [(&mut *self.upstream, "upstream"), (&mut *self.downstream, "here")] {
            while let Poll::Ready(event) = end.poll_event(cx) {
                if let Event::Error(error) = event {
                    return Poll::Ready(Happening::Lost(format!("{name}: {}", said(error))));
                }
            }
        }
        if let Poll::Ready(outcome) = self.under_way.poll_oldest(cx) {
            return Poll::Ready(match outcome {
                Ok(outcome) => Happening::Concluded { is_refused: outcome.is_nack() },
                Err(error) => Happening::Lost(format!("here: {}", said(error))),
            });
        }
        if self.has_room()
            && let Some(consumer) = &mut self.consumer
            && let Poll::Ready(taken) = Pin::new(consumer).poll_next(cx)
        {
            return Poll::Ready(match taken {
                Some(Ok(delivery)) => Happening::Taken(Box::new(delivery)),
                Some(Err(error)) => Happening::Lost(format!("upstream: {}", said(error))),
                None if self.is_cancelled => Happening::Drained,
                None => Happening::Lost("upstream: the consumer was cancelled".to_owned()),
            });
        }
        if self.owed.is_some() {
            return Poll::Ready(Happening::Rest);
        }
        Poll::Pending
    }

    fn has_room(&self) -> bool {
        let prefetch = usize::from(self.link.upstream.prefetch);
        let most = if prefetch == 0 { UNDER_WAY_MAX } else { prefetch };
        !self.is_ending && self.under_way.len() < most
    }

    /// Does what has happened.
    pub(super) async fn go_on(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Taken(delivery) => self.pass_on(*delivery).await,
            Happening::Concluded { is_refused } => self.conclude(is_refused).await,
            Happening::Drained => {
                (self.consumer, self.is_cancelled) = (None, false);
                Ok(())
            }
            Happening::Lost(reason) => Err(reason),
            Happening::Rest | Happening::Stopped => self.settle_up().await,
        }
    }

    /// Takes no more, and waits for what is under way.
    pub(super) async fn finish(&mut self) {
        self.is_ending = true;
        while self.under_way.len() > 0 {
            let happening = poll_fn(|cx| self.poll_next(cx)).await;
            if self.go_on(happening).await.is_err() {
                return;
            }
        }
        // Fails if the upstream is gone, which gives all of it out again.
        let _ = self.settle_up().await;
    }

    async fn pass_on(&mut self, delivery: Delivery) -> Result<(), String> {
        let tag = delivery.delivery_tag;
        let Some((exchange, key, properties)) = self.way.onwards(&delivery) else {
            // It was here before, or has come far enough.
            return self.settle(Settle::Ack { delivery_tag: tag, multiple: false }).await;
        };
        if let Some(settle) = self.machine.publishing(tag) {
            self.settle(settle).await?;
        }
        self.link.count(1);
        let channel = &self.downstream.channel;
        self.under_way.publish(channel, (exchange, key), properties, delivery.data).await;
        Ok(())
    }

    async fn conclude(&mut self, is_refused: bool) -> Result<(), String> {
        if is_refused {
            let refused = self.machine.refused();
            self.settle_up().await?;
            return match refused {
                Some(settle) => self.settle(settle).await,
                None => Ok(()),
            };
        }
        if let Some(settle) = self.machine.concluded() {
            self.owed = Some(settle);
        }
        Ok(())
    }

    /// Acknowledges all that is owed.
    async fn settle_up(&mut self) -> Result<(), String> {
        match self.owed.take() {
            Some(settle) => self.settle(settle).await,
            None => Ok(()),
        }
    }

    async fn settle(&mut self, settle: Settle) -> Result<(), String> {
        let settled = self.upstream.settle(settle).await;
        settled.map_err(|error| format!("upstream: {error}"))
    }
}
