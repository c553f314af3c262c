//! The short way of a message within the process: see `src/channel/direct.rs`.

use std::sync::atomic::Ordering;

use crate::base::lock::MutexGuard;
use crate::base::wake::Wakeups;
use crate::channel::{Acknowledged, Direct};
use crate::embedded::channel::{ChannelInner, Here, State};
use crate::error::{Error, Result};
use crate::queue::effects::Effects;
use crate::vhost::Publish;

impl ChannelInner {
    /// Publishes a message the short way, if it can go that way. Errors: 504.
    pub(super) fn publish_directly(&self, publish: &Publish<'_>) -> Result<Direct> {
        let (here, mut state) = self.lock()?;
        let mut wakeups = Wakeups::default();
        let direct = state.core.publish_directly(publish, &mut wakeups);
        drop(state);
        if matches!(direct, Direct::Done) {
            here.connection.session.virtual_host.wake(&mut wakeups);
        }
        Ok(direct)
    }

    /// Acknowledges one delivery the short way. Tells whether it could. Errors: 504.
    pub(super) fn acknowledge_directly(&self, delivery_tag: u64) -> Result<bool> {
        let (here, mut state) = self.lock()?;
        let host = &here.connection.session.virtual_host;
        let mut wakeups = Wakeups::default();
        match state.core.acknowledge_directly(delivery_tag, &mut wakeups) {
            Acknowledged::No => return Ok(false),
            Acknowledged::Done => {
                drop(state);
                host.wake(&mut wakeups);
            }
            Acknowledged::Here(queue, id) => Effects::with_spare(|effects| {
                state.core.acknowledge_at(&queue, id, effects);
                drop(state);
                host.run(effects);
            }),
        }
        Ok(true)
    }

    fn lock(&self) -> Result<(&Here, MutexGuard<'_, State>)> {
        let here = self.here().ok_or(Error::ChannelClosed)?;
        let state = here.state.lock();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::ChannelClosed);
        }
        Ok((here, state))
    }
}
