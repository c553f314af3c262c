//! One opened connection, as its channels see it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::access::{Actor, OpenChannels};
use crate::base::ids::{ChannelId, ConnectionId};
use crate::base::lock::Mutex;
use crate::base::memory_alarm::Share;
use crate::base::rank;
use crate::channel::counted::Listed;
use crate::channel::status::ChannelStatus;
use crate::error::{NotAllowed, Result};
use crate::insight::journal::EventKind;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::ChannelTotals;
use crate::limits::CONNECTION_BYTES;
use crate::time::clock::Timestamp;
use crate::vhost::VirtualHost;

/// One opened connection, of a client or of the embedding program: who acts, and where.
pub(crate) struct Session {
    /// Who acts.
    pub actor: Actor,
    /// Virtual host that was opened.
    pub virtual_host: Arc<VirtualHost>,
    /// Whether the client wants to hear when a queue cancels its consumers.
    pub consumer_cancel_notify: bool,
    channels: Mutex<Channels, rank::Channels>,
    /// Those of the user, on all its connections.
    channels_of_user: Arc<OpenChannels>,
    /// What it takes.
    _share: Share,
}

/// The channels of a connection.
#[derive(Default)]
struct Channels {
    /// Those that are open, by number.
    open: BTreeMap<u16, Arc<dyn Listed>>,
    /// The number that was given out last.
    last_number: u16,
}

impl Channels {
    /// A number that is free, after the one that was given out last: so few of those in use are
    /// passed over for each, as long as not nearly all of them are.
    fn take_number(&mut self) -> Option<u16> {
        let next = self.last_number.checked_add(1).unwrap_or(1);
        let number = self.first_free(next).or_else(|| self.first_free(1))?;
        self.last_number = number;
        Some(number)
    }

    /// The first number from there on that is not in use.
    fn first_free(&self, from: u16) -> Option<u16> {
        let mut free = Some(from);
        for &number in self.open.range(from..).map(|(number, _)| number) {
            if free != Some(number) {
                break;
            }
            free = number.checked_add(1);
        }
        free
    }
}

impl Session {
    /// Opens `virtual_host` for `actor`.
    pub(crate) fn new(
        actor: Actor,
        virtual_host: Arc<VirtualHost>,
        consumer_cancel_notify: bool,
    ) -> Arc<Self> {
        virtual_host.note(None, || EventKind::ConnectionOpened {
            connection: actor.connection,
            user: actor.user.name.clone(),
        });
        let channels = Mutex::default();
        let channels_of_user = actor.open_channels();
        Arc::new(Self {
            _share: Share::new(virtual_host.memory(), CONNECTION_BYTES),
            actor,
            virtual_host,
            consumer_cancel_notify,
            channels,
            channels_of_user,
        })
    }

    /// Number of the connection.
    pub(crate) fn id(&self) -> ConnectionId {
        self.actor.connection
    }

    /// A number for a channel of the embedding program, which has none by itself: from 1 on, as
    /// they are opened; those in use are left out. Errors: 530 when all of them are in use.
    pub(super) fn next_channel_number(&self) -> Result<u16> {
        let number = self.channels.lock().take_number();
        number.ok_or(NotAllowed::ConnectionChannels(u16::MAX).into())
    }

    /// A channel is opened. Errors: 530 when the user has as many as it may, or somebody has taken
    /// its number meanwhile.
    pub(super) fn join(&self, channel: Arc<dyn Listed>) -> Result<()> {
        let (_, limit) = self.actor.limits();
        if !self.channels_of_user.enter(limit) {
            let user = self.actor.user.name.clone();
            return Err(NotAllowed::UserChannels(user, limit.unwrap_or(u64::MAX)).into());
        }
        let id = channel.counted().id;
        match self.channels.lock().open.entry(id.number) {
            Entry::Vacant(place) => drop(place.insert(channel)),
            Entry::Occupied(_) => {
                self.channels_of_user.leave();
                return Err(NotAllowed::ConnectionChannels(u16::MAX).into());
            }
        }
        self.virtual_host.statistics.churn.channel_created.add_shared(1);
        self.tell("channel.created", id);
        Ok(())
    }

    /// A channel ends: what it has counted is not forgotten.
    pub(super) fn leave(&self, id: ChannelId) {
        let statistics = &self.virtual_host.statistics;
        let mut gone = statistics.gone.lock();
        let Some(channel) = self.channels.lock().open.remove(&id.number) else { return };
        gone.channels += channel.totals();
        drop(gone);
        self.channels_of_user.leave();
        statistics.churn.channel_closed.add_shared(1);
        self.tell("channel.closed", id);
    }

    /// Tells those who listen to events.
    fn tell(&self, key: &'static str, ChannelId { connection, number }: ChannelId) {
        self.virtual_host.tell(key, |told| {
            let user = self.actor.user.name.as_str();
            told.by(user)
                .text("user", user)
                .number("number", number)
                .of("connection", connection, None)
                .of("name", connection, Some(number))
                .of("pid", connection, Some(number))
        });
    }

    /// Its open channels, by number.
    pub(crate) fn channels(&self) -> Vec<ChannelStatus> {
        let channels: Vec<_> = self.channels.lock().open.values().cloned().collect();
        channels.iter().map(|channel| channel.status()).collect()
    }

    /// How many of its channels are open.
    pub(crate) fn channel_count(&self) -> usize {
        self.channels.lock().open.len()
    }

    /// Calls back for each open channel with what it has counted.
    pub(crate) fn each_totals(&self, mut each: impl FnMut(ChannelTotals)) {
        self.channels.lock().open.values().for_each(|channel| each(channel.totals()));
    }

    /// Remembers what was counted of the channels, for rates.
    pub(crate) fn record(&self, now: Timestamp, is_first: bool) {
        for channel in self.channels.lock().open.values() {
            channel.counted().record(now, channel.totals(), is_first);
        }
    }

    /// What the totals of a channel were; none if it is not open.
    pub(crate) fn samples(
        &self,
        number: u16,
        now: Timestamp,
        span: Span,
    ) -> Vec<Sample<ChannelTotals>> {
        let channels = self.channels.lock();
        let channel = channels.open.get(&number);
        channel.map_or(Vec::new(), |channel| channel.counted().samples(now, span))
    }

    /// Marks the connection as closed; tells whether it was open.
    pub(crate) fn close(&self) -> bool {
        let was_open = self.actor.leave();
        if was_open {
            let connection = self.id();
            self.virtual_host.note(None, || EventKind::ConnectionClosed { connection });
        }
        was_open
    }
}
