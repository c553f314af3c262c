//! Methods of an embedded channel: what each does, and what follows from it.

use std::sync::atomic::Ordering;

use crate::base::lock::MutexGuard;
use crate::channel::Channel as Core;
use crate::embedded::channel::{ChannelInner, Here, State};
use crate::error::{Error, Result};
use crate::queue::effects::Effects;

impl ChannelInner {
    /// Runs a method of the channel and everything that follows from it.
    pub(super) fn apply<R>(
        &self,
        method: impl FnOnce(&mut Core, &mut Effects) -> Result<R>,
    ) -> Result<R> {
        self.apply_to_all(|state, effects| method(&mut state.core, effects))
    }

    /// The same with what else a method has to itself.
    pub(super) fn apply_to_all<R>(
        &self,
        method: impl FnOnce(&mut State, &mut Effects) -> Result<R>,
    ) -> Result<R> {
        let (here, state) = self.lock()?;
        here.apply_locked(state, method)
    }

    /// For a method. Errors: 504.
    pub(super) fn lock(&self) -> Result<(&Here, MutexGuard<'_, State>)> {
        let Some(here) = self.here() else { return Err(Error::ChannelClosed) };
        let state = here.state.lock();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::ChannelClosed);
        }
        Ok((here, state))
    }
}

impl Here {
    /// Runs a method of the channel, which is locked for it, and what follows from it.
    pub(super) fn apply_locked<R>(
        &self,
        mut state: MutexGuard<'_, State>,
        method: impl FnOnce(&mut State, &mut Effects) -> Result<R>,
    ) -> Result<R> {
        Effects::with_spare(|effects| {
            let result = method(&mut state, effects);
            let result = state.core.take_afterwards().and(result);
            state.core.flush(effects);
            drop(state);
            let host = &self.connection.session.virtual_host;
            host.run(effects);
            if let Some(store) = host.persistence().filter(|_| effects.must_sync) {
                store.wait_until_durable()?;
            }
            if let Err(error) = &result {
                self.connection.meet(error);
            }
            result
        })
    }
}
