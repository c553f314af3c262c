//! The short way of a message within the process: see `src/channel/direct.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::wake::Wakeups;
use crate::channel::{Acknowledged, Direct};
use crate::embedded::channel::ChannelInner;
use crate::error::{Error, Result};
use crate::queue::Queue;
use crate::vhost::Publish;

impl ChannelInner {
    /// Publishes a message, the short way if it can go that way; tells its number if it is to be
    /// confirmed. Errors: as basic.publish.
    pub(super) fn publish_encoded(
        &self,
        publish: Publish<'_>,
        mandatory: bool,
    ) -> Result<Option<u64>> {
        let (here, mut state) = self.lock()?;
        let mut wakeups = Wakeups::default();
        let direct = state.core.publish_directly(&publish, &mut wakeups);
        if matches!(direct, Direct::Done) {
            drop(state);
            here.connection.session.virtual_host.wake(&mut wakeups);
            return Ok(None);
        }
        here.apply_locked(state, |state, effects| match direct {
            Direct::No => state.publish_encoded(publish, mandatory, effects),
            Direct::Anew => {
                state.core.publish_anew(publish, mandatory, false, effects)?;
                Ok(state.numbered)
            }
            // It is enqueued after the method, whichever that is.
            Direct::Gathered | Direct::Done => Ok(state.numbered),
        })
    }

    /// Acknowledges one delivery the short way, past whoever uses the channel at this moment. What
    /// its queue is may be `known`. Tells whether it could. Errors: 504.
    pub(super) fn acknowledge_directly(
        &self,
        delivery_tag: u64,
        known: Option<&Arc<Queue>>,
    ) -> Result<bool> {
        let Some(here) = self.here() else { return Err(Error::ChannelClosed) };
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::ChannelClosed);
        }
        let host = &here.connection.session.virtual_host;
        match here.settling.acknowledge(delivery_tag, known, host) {
            Acknowledged::No => return Ok(false),
            Acknowledged::Done => {}
            Acknowledged::Starved => self.resume_starved(),
        }
        Ok(true)
    }
}
