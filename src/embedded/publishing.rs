//! Publishing from an embedded channel.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use crate::embedded::channel::{Channel, State, if_there};
use crate::embedded::confirming::Confirming;
use crate::embedded::publish::Publish;
use crate::error::{Error, Result};
use crate::limits::PUBLISH_BATCH_MAX;
use crate::queue::effects::Effects;
use crate::vhost;

impl Channel {
    /// Publishes a message `[amqp 0-9-1 basic.publish]`. When this returns it is in its queues, or
    /// delivered; or dropped, if no binding matches and it is not mandatory. Waits first while the
    /// disk does not keep up. Errors: 403, 404 for the exchange, 406.
    pub fn basic_publish(&self, mut publish: Publish) -> Result<()> {
        if_there!(self.0, there => there.publish(publish.into_outbound()));
        self.wait_for_room();
        let mandatory = publish.mandatory;
        let number = publish.encoded(|publish| self.0.publish_encoded(publish, mandatory))?;
        if let Some(number) = number {
            self.0.outcomes().forget(number);
        }
        Ok(())
    }

    /// Publishes a message on a channel that from now on confirms publishes `[rabbitmq confirms]`,
    /// and gives the confirm that is to come, to be awaited or waited for. No thread waits for a
    /// disk here; who publishes more than fits into memory has to wait for confirms now and then.
    ///
    /// Errors, which come in place of the confirm: 403, 404 for the exchange, 406 also on a
    /// transactional channel.
    pub fn publish(&self, publish: Publish) -> Confirming {
        self.publish_confirmed(publish).unwrap_or_else(Confirming::failed)
    }

    fn publish_confirmed(&self, mut publish: Publish) -> Result<Confirming> {
        self.confirm_from_here()?;
        if_there!(self.0, there => {
            let number = there.publish_numbered(publish.into_outbound())?;
            Ok(Confirming::new(&self.0, number, None))
        });
        let mailbox = &self.0.mailbox;
        let (number, returned) = self.0.apply_to_all(|state, effects| {
            let before = mailbox.returned_total();
            let number = state.publish(&mut publish, effects)?;
            Ok((number, mailbox.take_returned_since(before)))
        })?;
        Ok(Confirming::new(&self.0, number.unwrap_or_default(), returned))
    }

    fn wait_for_room(&self) {
        let host = self.0.here().map(|here| &here.connection.session.virtual_host);
        if let Some(store) = host.and_then(|host| host.persistence()) {
            store.wait_for_room();
        }
    }

    /// Confirms count from here, if they did not before.
    fn confirm_from_here(&self) -> Result<()> {
        if self.0.confirming.load(Ordering::Acquire) {
            return Ok(());
        }
        self.confirm_select()?;
        self.0.confirming.store(true, Ordering::Release);
        Ok(())
    }

    fn confirm_select(&self) -> Result<()> {
        if_there!(self.0, there => there.confirm_select());
        self.0.apply_to_all(|state, effects| {
            state.core.confirm_select(effects)?;
            state.numbered.get_or_insert(0);
            Ok(())
        })
    }

    /// Publishes messages in order, and waits once for the confirms of all of them, on a channel
    /// that from now on confirms publishes. Tells how many are where they should be: as
    /// [`Confirmed::is_ack`](crate::Confirmed::is_ack) of each. Errors: as [`Channel::publish`];
    /// those before the one that fails are published.
    ///
    /// # Panics
    /// As [`Confirming::wait`].
    #[track_caller]
    pub fn publish_all(&self, publishes: impl IntoIterator<Item = Publish>) -> Result<usize> {
        self.confirm_from_here()?;
        let publishes = publishes.into_iter();
        let (published, mut returned) = with_spare(|run| self.publish_runs(publishes, run))?;
        let mut accepted = 0;
        for numbers in published {
            let concluded = self.0.wait_concluded(numbers.clone(), "Channel::publish_all");
            accepted += concluded.ok_or(Error::ChannelClosed)?;
            returned += self.0.count_returned(numbers);
        }
        Ok(accepted.saturating_sub(usize::try_from(returned).unwrap_or(usize::MAX)))
    }

    /// Publishes messages in order; tells their numbers, and how many came back.
    fn publish_runs(
        &self,
        mut publishes: impl Iterator<Item = Publish>,
        run: &mut Vec<Publish>,
    ) -> Result<(Vec<RangeInclusive<u64>>, u64)> {
        let mut published: Vec<RangeInclusive<u64>> = Vec::new();
        let mut returned = 0;
        loop {
            run.extend(publishes.by_ref().take(PUBLISH_BATCH_MAX));
            if run.is_empty() {
                return Ok((published, returned));
            }
            self.wait_for_room();
            let (numbers, came_back) = self.publish_run(run)?;
            returned += came_back;
            match published.last_mut() {
                Some(last) if last.end() + 1 == *numbers.start() => {
                    *last = *last.start()..=*numbers.end();
                }
                _ => published.push(numbers),
            }
        }
    }

    /// Publishes messages with nobody in between; tells their numbers, and how many came back.
    fn publish_run(&self, run: &mut Vec<Publish>) -> Result<(RangeInclusive<u64>, u64)> {
        if_there!(self.0, there => {
            let mut numbers: Option<RangeInclusive<u64>> = None;
            for publish in run.drain(..) {
                let number = there.publish_numbered(publish.into_outbound())?;
                let first = numbers.map_or(number, |numbers| *numbers.start());
                numbers = Some(first..=number);
            }
            Ok((numbers.ok_or(Error::ChannelClosed)?, 0))
        });
        let mailbox = &self.0.mailbox;
        self.0.apply_to_all(|state, effects| {
            let (before, first) =
                (mailbox.returned_total(), state.numbered.unwrap_or_default() + 1);
            let published =
                run.iter_mut().try_for_each(|publish| state.publish(publish, effects).map(drop));
            run.clear();
            published?;
            let last = state.numbered.unwrap_or_default();
            Ok((first..=last, mailbox.returned_total() - before))
        })
    }
}

impl State {
    /// Publishes a message; tells its number if it is to be confirmed.
    fn publish(&mut self, publish: &mut Publish, effects: &mut Effects) -> Result<Option<u64>> {
        let mandatory = publish.mandatory;
        publish.encoded(|publish| self.publish_encoded(publish, mandatory, effects))
    }

    #[inline]
    pub(super) fn publish_encoded(
        &mut self,
        publish: vhost::Publish<'_>,
        mandatory: bool,
        effects: &mut Effects,
    ) -> Result<Option<u64>> {
        self.core.basic_publish(publish, mandatory, false, effects)?;
        if let Some(number) = &mut self.numbered {
            *number += 1;
        }
        Ok(self.numbered)
    }
}

/// Calls `work` with an empty list: that of this thread's last time, which has its room already.
fn with_spare<R>(work: impl FnOnce(&mut Vec<Publish>) -> R) -> R {
    thread_local!(static SPARE: Cell<Vec<Publish>> = const { Cell::new(Vec::new()) });
    // A thread that ends has none any more.
    let mut run = SPARE.try_with(Cell::take).unwrap_or_default();
    let result = work(&mut run);
    run.clear();
    let _ = SPARE.try_with(|spare| spare.set(run));
    result
}
