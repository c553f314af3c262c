//! Faults that tests declare, where the methods of a channel meet them.

use crate::channel::confirms::Fate;
use crate::channel::output::ChannelOutput;
use crate::channel::{Channel, Mode};
use crate::error::{Error, Result};
use crate::faults::{Action, Hit, Message, Method, Phase, Subject, Trigger};
use crate::queue::effects::Effects;
use crate::vhost::Publish;

/// Stops reading the client, if that is what the rule wants.
pub(crate) fn stop_reading(hit: &Hit, output: &dyn ChannelOutput) {
    if let Action::StopReading = hit.action()
        && let Some(held) = output.stop_reading()
        && let Err(go_on) = hit.hold(held)
    {
        go_on();
    }
}

impl Channel {
    /// A method is called. Errors: as a fault has it.
    #[inline]
    pub(super) fn meet(
        &mut self,
        method: Method,
        subject: Subject<'_>,
        effects: &mut Effects,
    ) -> Result<()> {
        if !self.watch.watches(Trigger::METHODS) {
            return Ok(());
        }
        let Some(hit) = self.watch.meet(Trigger::Method(method), subject) else { return Ok(()) };
        stop_reading(&hit, self.deliveries.output());
        match hit.action().error() {
            Some(error) if hit.phase() == Phase::Before => Err(error),
            Some(error) => {
                self.prepare(&error, effects);
                self.afterwards = Some(error);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What a fault has in store for the method that was called last, now that it was done.
    #[inline]
    pub(crate) fn take_afterwards(&mut self) -> Result<()> {
        self.afterwards.take().map_or(Ok(()), Err)
    }

    /// After the method that comes the channel will end. A client that loses its connection hears
    /// of everything before, and of nothing else.
    fn prepare(&mut self, error: &Error, effects: &mut Effects) {
        self.flush(effects);
        if error.is_loss() {
            self.deliveries.output().seal();
        }
    }

    /// A publish while there are rules about publishes or confirms, or some are traced. It is
    /// enqueued at once.
    pub(super) fn publish_watched(
        &mut self,
        publish: Publish<'_>,
        mandatory: bool,
        immediate: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        if self.virtual_host().is_traced() {
            // Each is looked at, also one that goes the way of the last.
            self.publisher.routes.forget();
        }
        let subject = Subject::message(Message {
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            properties: publish.properties,
            body: publish.body.as_slice(),
        });
        let mut afterwards = None;
        let mut unroutable = false;
        if let Some(hit) = self.watch.meet(Trigger::Method(Method::BasicPublish), subject) {
            stop_reading(&hit, self.deliveries.output());
            unroutable = matches!(hit.action(), Action::Unroutable);
            afterwards = hit.action().error();
            if let Some(error) = &afterwards {
                if hit.phase() == Phase::Before {
                    return Err(error.clone());
                }
                self.prepare(error, effects);
            }
        }
        let mut dropped = false;
        if let Mode::Confirm(confirms) = &mut self.mode {
            let hit = self.watch.meet(Trigger::Confirm, subject);
            dropped = hit.as_ref().is_some_and(|hit| matches!(hit.action(), Action::NackAndDrop));
            confirms.set_fate(hit.and_then(|hit| Fate::of(&hit)));
        }
        let result = if dropped {
            self.refuse_publish(publish)
        } else if unroutable {
            self.publish_nowhere(publish, mandatory, immediate, effects)
        } else {
            self.publish_as_usual(publish, mandatory, immediate, effects)
        };
        self.enqueue_pending(effects);
        if let Mode::Confirm(confirms) = &mut self.mode {
            confirms.set_fate(None);
        }
        afterwards.map_or(result, Err)
    }
}
