//! Channels that end `[amqp 0-9-1 channel.close]`. Their consumers go first, those of a whole
//! connection at once; then everything that was not settled is back in its queue, in order; only
//! then does the queue serve others. So nobody is overtaken, and nothing goes to a consumer that is
//! about to end as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::blocking::pause_here;
use crate::base::names::QueueName;
use crate::channel::deliveries::Deliveries;
use crate::channel::{Channel, Mode};
use crate::queue::consumers::ConsumerId;
use crate::queue::effects::Effects;
use crate::queue::{Queue, Settlement};
use crate::time::clock::Timestamp;

/// More consumers than that take so long that others are to have the thread meanwhile.
const LONG: usize = 2048;

/// What a channel that has ended leaves to be given back.
pub(crate) struct Remains {
    deliveries: Arc<Deliveries>,
    consumers: Vec<(Arc<Queue>, ConsumerId)>,
}

impl Channel {
    /// Takes no deliveries any more: the channel is about to end. Of channels that end together
    /// this comes first.
    pub(crate) fn stop_deliveries(&self) {
        self.deliveries.close();
    }

    /// Ends the channel, but for what has to be [given back](give_back).
    pub(crate) fn end(&mut self, effects: &mut Effects) -> Remains {
        self.stop_deliveries();
        self.flush(effects);
        match &mut self.mode {
            Mode::Plain => {}
            Mode::Confirm(confirms) => confirms.close(),
            Mode::Transaction(transaction) => {
                self.deliveries.put_back(std::mem::take(transaction).roll_back(effects));
            }
        }
        self.drop_reply_consumer();
        self.session.leave(self.id());
        let consumers = std::mem::take(&mut self.consumers).into_values();
        Remains {
            deliveries: Arc::clone(&self.deliveries),
            consumers: consumers.map(|consumer| (consumer.queue, consumer.id)).collect(),
        }
    }

    /// Closes the channel: its consumers are cancelled, what was not acknowledged goes back.
    pub(crate) fn close(&mut self, effects: &mut Effects) {
        let _acting = self.virtual_host().acting(&self.session.actor);
        let remains = self.end(effects);
        give_back(&[remains], self.now(), effects);
        self.virtual_host().run_without_waking(effects);
    }
}

/// What goes back to one queue.
struct Parting {
    queue: Arc<Queue>,
    consumers: Vec<ConsumerId>,
    /// Which of the channels that have ended had to do with it, in ascending order.
    channels: Vec<usize>,
    /// Numbers of deliveries that go back to where they were.
    unsettled: Vec<u64>,
    /// Those that a fault sends elsewhere.
    astray: Vec<(Settlement, Vec<u64>)>,
}

impl Parting {
    fn new(queue: Arc<Queue>) -> Self {
        let (consumers, channels) = (Vec::new(), Vec::new());
        Self { queue, consumers, channels, unsettled: Vec::new(), astray: Vec::new() }
    }

    fn add(&mut self, settlement: Settlement, ids: Vec<u64>) {
        match settlement {
            Settlement::Abandon => self.unsettled.extend(ids),
            other => self.astray.push((other, ids)),
        }
    }
}

/// What goes back, by queue; one may have been deleted and declared again.
#[derive(Default)]
struct Partings(BTreeMap<(QueueName, usize), Parting>);

impl Partings {
    /// What goes back to a queue, to which this channel has something to give back as well.
    fn of(&mut self, queue: &Arc<Queue>, channel: usize) -> &mut Parting {
        let key = (queue.name().clone(), Arc::as_ptr(queue).addr());
        let parting = self.0.entry(key).or_insert_with(|| Parting::new(Arc::clone(queue)));
        if parting.channels.last() != Some(&channel) {
            parting.channels.push(channel);
        }
        parting
    }
}

/// Gives back what channels have left that ended together, one queue after the other.
pub(crate) fn give_back(ended: &[Remains], now: Timestamp, effects: &mut Effects) {
    let consumers: usize = ended.iter().map(|left| left.consumers.len()).sum();
    if consumers > LONG {
        pause_here(|| give_all_back(ended, now, effects));
    } else {
        give_all_back(ended, now, effects);
    }
}

fn give_all_back(ended: &[Remains], now: Timestamp, effects: &mut Effects) {
    let mut partings = Partings::default();
    for (channel, Remains { deliveries, consumers }) in ended.iter().enumerate() {
        for (queue, consumer) in consumers {
            partings.of(queue, channel).consumers.push(*consumer);
        }
        for (queue, ids) in deliveries.take_unsettled(None) {
            let settlement = deliveries.way_back(&queue, ids.len(), Settlement::Abandon);
            partings.of(&queue, channel).add(settlement, ids);
        }
    }
    for Parting { queue, consumers, channels, mut unsettled, astray } in partings.0.into_values() {
        let returned = || {
            // What was on its way when the channels ended has arrived by now.
            let left = channels.iter().filter_map(|&channel| ended.get(channel));
            let late = left.flat_map(|left| left.deliveries.take_unsettled(Some(&queue)));
            unsettled.extend(late.flat_map(|(_, ids)| ids));
            // In the order in which they were handed out, whoever had them.
            unsettled.sort_unstable();
            astray.into_iter().chain([(Settlement::Abandon, unsettled)]).collect()
        };
        queue.remove_consumers(&consumers, returned, now, effects);
    }
}
