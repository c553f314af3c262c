//! A channel for the messages of one request: publishing and getting are what they are for other
//! clients.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::lock::{Condvar, Mutex};
use crate::base::names::ConsumerTag;
use crate::base::rank;
use crate::base::wake::Wakeups;
use crate::channel::Channel;
use crate::channel::output::{ChannelOutput, Outgoing};
use crate::channel::session::Session;
use crate::error::{Error, Result};
use crate::management::answer::{Outcome, Refusal};
use crate::management::call::Call;
use crate::message::Message;
use crate::queue::effects::Effects;
use crate::vhost::VirtualHost;

/// How long a confirm is waited for: the disk may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Some queue has it.
    Routed,
    /// No queue has it.
    Unroutable,
    /// A queue refused it.
    Rejected,
}

#[derive(Default)]
struct Outcomes {
    is_returned: bool,
    acks: Vec<bool>,
    failure: Option<Error>,
}

/// What the channel tells.
#[derive(Default)]
struct Listener {
    outcomes: Mutex<Outcomes, rank::HttpClient>,
    told: Condvar,
}

impl ChannelOutput for Listener {
    fn has_room(&self) -> bool {
        false // there are no consumers
    }

    fn has_room_for_reply(&self) -> bool {
        false
    }

    fn deliver_one(&self, _: Outgoing<'_, Cow<'_, Message>>, _: &mut Wakeups) {}

    fn basic_return(&self, _: &Message, _: &mut Wakeups) {
        self.outcomes.lock().is_returned = true;
    }

    fn confirm(&self, _: u64, _: bool, ack: bool, _: &mut Wakeups) {
        self.outcomes.lock().acks.push(ack);
        self.told.notify_all();
    }

    fn acknowledgement_timed_out(&self, _: u64) {}

    fn fail(&self, error: Error, _: &mut Wakeups) {
        self.outcomes.lock().failure = Some(error);
        self.told.notify_all();
    }

    fn cancel(&self, _: &ConsumerTag, _: &mut Wakeups) {}
}

/// The channel, open for one request.
pub(super) struct Client {
    channel: Channel,
    session: Arc<Session>,
    listener: Arc<Listener>,
    effects: Effects,
}

impl Client {
    /// Opens a channel in a virtual host for the user of the request, who has to have permissions
    /// there.
    pub(super) fn open(call: &Call, host: &VirtualHost) -> Outcome<Self> {
        let refused = || Refusal::not_authorised("Access refused.");
        let user = call.user.as_ref().ok_or_else(refused)?;
        let id = call.node().connections.next_id();
        let name = host.name().as_str();
        let session = call.node().open(id, user, name, false).map_err(|_| refused())?;
        let listener = Arc::<Listener>::default();
        let channel = Channel::open(Arc::clone(&session), Arc::clone(&listener) as _)
            .map_err(|error| Refusal::not_authorised(error.reply_text()))?;
        Ok(Self { channel, session, listener, effects: Effects::new() })
    }

    /// Does a method, and all that follows from it.
    pub(super) fn apply<T>(
        &mut self,
        method: impl FnOnce(&mut Channel, &mut Effects) -> Result<T>,
    ) -> Result<T> {
        let result = method(&mut self.channel, &mut self.effects);
        let result = self.channel.take_afterwards().and(result);
        self.channel.flush(&mut self.effects);
        self.session.virtual_host.run(&mut self.effects);
        result
    }

    /// Waits until the message that was published is confirmed.
    pub(super) fn fate(&self) -> Result<Fate> {
        let mut outcomes = self.listener.outcomes.lock();
        let is_open =
            |outcomes: &mut Outcomes| outcomes.acks.is_empty() && outcomes.failure.is_none();
        self.listener.told.wait_while_for(&mut outcomes, is_open, PATIENCE);
        match (outcomes.failure.take(), outcomes.acks.first()) {
            (Some(error), _) => Err(error),
            (None, Some(false)) => Ok(Fate::Rejected),
            (None, Some(true)) if outcomes.is_returned => Ok(Fate::Unroutable),
            (None, Some(true)) => Ok(Fate::Routed),
            (None, None) => Err(Error::Storage("no confirm came in time".into())),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.channel.close(&mut self.effects);
        self.session.virtual_host.run(&mut self.effects);
        self.session.close();
    }
}
