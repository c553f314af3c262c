//! Moves the messages of one shovel while both of its ends are connected.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::{Consumer, Event};
use tokio::sync::watch;

use super::carrying::{Carrying, Ending, FAREWELL};
use crate::base::argument::STREAM_OFFSET;
use crate::base::field_value;
use crate::link::shovel::definition::Destination;
use crate::link::shovel::forward::Stamp;
use crate::link::shovel::machine::Settle;
use crate::remote::connect::said;
use crate::remote::end::End;
use crate::remote::under_way::UnderWay;

/// Messages that may be on their way to the destination if the prefetch does not say so.
const UNDER_WAY_MAX: usize = 1000;

/// What happens while it is connected.
enum Happening {
    Taken(Box<Delivery>),
    /// The oldest message that is under way has arrived, or was refused.
    Concluded {
        is_refused: bool,
    },
    Blocked(Option<String>),
    Lost(String),
    /// Nothing, for now.
    Rest,
    /// The shovel is to end.
    Stopped,
}

/// What moves messages while both ends are there.
pub(super) struct Belt<'a> {
    carrying: &'a mut Carrying,
    source: &'a mut End,
    destination: &'a mut End,
    consumer: Consumer,
    stamp: Stamp,
    under_way: UnderWay,
    /// Of what is under way, where in a stream it was.
    offsets: VecDeque<Option<u64>>,
    /// An acknowledgement that may yet be part of a later one.
    owed: Option<Settle>,
    is_ending: bool,
}

impl<'a> Belt<'a> {
    pub(super) fn new(
        carrying: &'a mut Carrying,
        (source, destination): (&'a mut End, &'a mut End),
        consumer: Consumer,
        stamp: Stamp,
    ) -> Self {
        Self {
            carrying,
            source,
            destination,
            consumer,
            stamp,
            under_way: UnderWay::default(),
            offsets: VecDeque::new(),
            owed: None,
            is_ending: false,
        }
    }

    /// Until it has done what it is for, or something goes wrong.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) -> Ending {
        loop {
            let happening = tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => Happening::Stopped,
                happening = poll_fn(|cx| self.poll_next(cx)) => happening,
            };
            let happened = match happening {
                Happening::Stopped => {
                    // Who does not answer is left.
                    let _ = tokio::time::timeout(FAREWELL, self.finish()).await;
                    return Ending::Stopped;
                }
                Happening::Taken(delivery) => self.forward(*delivery).await,
                Happening::Concluded { is_refused } => self.conclude(is_refused).await,
                Happening::Blocked(reason) => {
                    self.carrying.shovel.count(|status| status.blocked = reason);
                    Ok(())
                }
                Happening::Lost(reason) => Err(reason),
                Happening::Rest => self.settle_up().await,
            };
            if let Err(reason) = happened {
                self.carrying.shovel.count(|status| status.blocked = None);
                return Ending::Lost(reason);
            }
            if self.carrying.machine.is_complete() {
                return match self.settle_up().await {
                    Ok(()) => Ending::Complete,
                    Err(reason) => Ending::Lost(reason),
                };
            }
        }
    }

    /// Takes no more, and waits for what is under way.
    async fn finish(&mut self) {
        self.is_ending = true;
        while self.under_way.len() > 0 {
            let done = match poll_fn(|cx| self.poll_next(cx)).await {
                Happening::Concluded { is_refused } => self.conclude(is_refused).await,
                Happening::Lost(_) => return,
                _ => self.settle_up().await,
            };
            if done.is_err() {
                return;
            }
        }
        // Fails if the source is gone, which gives all of it out again.
        let _ = self.settle_up().await;
    }

    /// What became of messages comes first, so that there is room for others.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Happening> {
        while let Poll::Ready(event) = self.source.poll_event(cx) {
            if let Event::Error(error) = event {
                return Poll::Ready(Happening::Lost(format!("source: {}", said(error))));
            }
        }
        while let Poll::Ready(event) = self.destination.poll_event(cx) {
            return Poll::Ready(match event {
                Event::Error(error) => Happening::Lost(format!("destination: {}", said(error))),
                Event::ConnectionBlocked(reason) => Happening::Blocked(Some(reason)),
                Event::ConnectionUnblocked => Happening::Blocked(None),
                _ => continue,
            });
        }
        if let Poll::Ready(outcome) = self.under_way.poll_oldest(cx) {
            return Poll::Ready(match outcome {
                Ok(outcome) => Happening::Concluded { is_refused: outcome.is_nack() },
                Err(error) => Happening::Lost(format!("destination: {}", said(error))),
            });
        }
        if self.has_room()
            && self.carrying.machine.takes()
            && let Poll::Ready(taken) = Pin::new(&mut self.consumer).poll_next(cx)
        {
            return Poll::Ready(match taken {
                Some(Ok(delivery)) => Happening::Taken(Box::new(delivery)),
                Some(Err(error)) => Happening::Lost(format!("source: {}", said(error))),
                None => Happening::Lost("source: the consumer was cancelled".to_owned()),
            });
        }
        if self.owed.is_some() {
            return Poll::Ready(Happening::Rest);
        }
        Poll::Pending
    }

    fn has_room(&self) -> bool {
        let prefetch = usize::from(self.carrying.shovel.definition.prefetch);
        let most = if prefetch == 0 { UNDER_WAY_MAX } else { prefetch };
        !self.is_ending && self.under_way.len() < most
    }

    async fn forward(&mut self, delivery: Delivery) -> Result<(), String> {
        let Delivery { delivery_tag, exchange, routing_key, redelivered, .. } = delivery;
        let Delivery { properties, data, .. } = delivery;
        if let Some(settle) = self.carrying.machine.publishing(delivery_tag) {
            self.settle(settle).await?;
        }
        let headers = properties.headers().as_ref();
        let offset = headers.and_then(|headers| field_value::get(headers, STREAM_OFFSET));
        let offset = offset.and_then(field_value::integer).and_then(|n| u64::try_from(n).ok());
        self.offsets.push_back(offset);
        let (exchange, key) = match &self.carrying.shovel.definition.destination {
            Destination::Queue { name, .. } => ("".into(), name.as_str().into()),
            Destination::Exchange { name, key } => (
                name.as_deref().map_or(exchange, Into::into),
                key.as_deref().map_or(routing_key, Into::into),
            ),
        };
        let properties = self.stamp.apply(properties, redelivered, self.carrying.clock.now());
        let channel = &self.destination.channel;
        self.under_way.publish(channel, (exchange, key), properties, data).await;
        Ok(())
    }

    async fn conclude(&mut self, is_refused: bool) -> Result<(), String> {
        let offset = self.offsets.pop_front().flatten();
        let machine = &mut self.carrying.machine;
        if is_refused {
            let refused = machine.refused();
            self.settle_up().await?;
            return match refused {
                Some(settle) => self.settle(settle).await,
                None => Ok(()),
            };
        }
        if let Some(settle) = machine.concluded() {
            self.owed = Some(settle);
        }
        self.carrying.read_up_to = offset.or(self.carrying.read_up_to);
        if self.under_way.len() == 0 {
            let machine = &self.carrying.machine;
            self.carrying.shovel.count(|status| status.follow(machine));
        }
        Ok(())
    }

    /// Acknowledges all that is owed.
    async fn settle_up(&mut self) -> Result<(), String> {
        let machine = &self.carrying.machine;
        self.carrying.shovel.count(|status| status.follow(machine));
        match self.owed.take() {
            Some(settle) => self.settle(settle).await,
            None => Ok(()),
        }
    }

    async fn settle(&mut self, settle: Settle) -> Result<(), String> {
        let settled = self.source.settle(settle).await;
        settled.map_err(|error| format!("source: {error}"))
    }
}
