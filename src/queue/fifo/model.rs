//! The queue as a whole against a simple model: random commands, and named invariants that hold
//! after each of them.

mod checks;
mod commands;
mod totals;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amq_protocol::types::FieldTable;
use proptest::prelude::*;
use proptest::sample::Index;

use self::commands::{Command, arguments, command};
use crate::base::ids::ChannelId;
use crate::base::wake::Wakeups;
use crate::message::Message;
use crate::message::deaths::DeathReason;
use crate::message::stored::Gone;
use crate::message::{Body, Parts};
use crate::queue::consumers::{Delivery, Outlet};
use crate::queue::effects::Effects;
use crate::queue::fifo::overflow::Overflow;
use crate::queue::fifo::paging;
use crate::queue::*;
use crate::time::clock::Timestamp;

type Checked = Result<(), TestCaseError>;

/// So little memory that nearly everything can be paged out.
const STORAGE: QueueStorage = QueueStorage { id: 7, memory_bytes_max: 900, next_sequence: 0 };

/// Where a message is: in exactly one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ready,
    Unacked {
        delivery: u64,
        consumer: Option<usize>,
    },
    /// Settled so that it has to die in the command at hand.
    Dying,
    Gone(Fate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acked,
    Dead(DeathReason),
    Purged,
    DeliveredWithoutAck,
    Refused,
}

#[derive(Debug)]
struct Item {
    level: u8,
    expires_at: Timestamp,
    body_bytes: u64,
    footprint: usize,
    returns: u32,
    failures: u16,
    /// Its turn among those that came back to a quorum queue; 0 if it did not.
    turn: u64,
    place: Place,
    message: Message,
    /// The store has it.
    stored: bool,
}

/// A channel that takes deliveries or does not.
struct Gate(AtomicBool);

impl Outlet for Gate {
    fn acknowledgement_timed_out(&self, _: u64) {}

    fn reserve(&self, _: bool) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>, _: &mut Wakeups) {
        deliveries.clear();
    }

    fn cancelled(&self, _: u32, _: &mut Wakeups) {}

    fn forget_deliveries(&self, _: u32) {}
}

struct Consumer {
    id: ConsumerId,
    gate: Arc<Gate>,
    no_ack: bool,
    prefetch_count: u32,
    priority: i64,
    gone: bool,
}

/// The machine, and what the model knows of it.
struct World {
    state: State,
    effects: Effects,
    settings: Settings,
    top_level: u8,
    single_active: bool,
    /// A quorum queue, whose messages are all of one class here.
    quorum: bool,
    /// It refuses publishes, as a quorum queue that was too long.
    is_full: bool,
    /// How many came back.
    turns: u64,
    now: Timestamp,
    /// By number of the publish, which is also written into the body.
    items: BTreeMap<u64, Item>,
    consumers: Vec<Consumer>,
    active: Option<usize>,
    last_delivery: u64,
    settled: Vec<u64>,
    wake_at: Timestamp,
}

impl World {
    fn new(arguments: &QueueArguments) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        Self {
            state: State::new(arguments, STORAGE, now),
            effects: Effects::new(),
            settings: Settings::new(arguments, &[]),
            top_level: arguments.max_priority.unwrap_or(0),
            single_active: arguments.single_active_consumer,
            quorum: arguments.queue_type == QueueType::Quorum,
            is_full: false,
            turns: 0,
            now,
            items: BTreeMap::new(),
            consumers: Vec::new(),
            active: None,
            last_delivery: 0,
            settled: Vec::new(),
            wake_at: Timestamp::NEVER,
        }
    }

    fn run(&mut self, command: &Command) -> Checked {
        match *command {
            Command::Enqueue { ttl_ms, priority, padding, stored } => {
                self.enqueue(ttl_ms, priority, padding, stored)?;
            }
            Command::PageOut(max) => self.page_out(max)?,
            Command::Get { no_ack } if !self.single_active => self.get(no_ack)?,
            Command::Get { .. } => {}
            Command::AddConsumer { no_ack, prefetch_count, priority } => {
                self.add_consumer(no_ack, prefetch_count, priority);
            }
            Command::RemoveConsumer(who) => {
                if let Some(at) = self.pick_consumer(who) {
                    self.remove_consumer(at)?;
                }
            }
            Command::SetRoom(who, room) => {
                if let Some(at) = self.pick_consumer(who) {
                    let consumer = &self.consumers[at];
                    consumer.gate.0.store(room, Ordering::SeqCst);
                    if room {
                        self.state.resume(consumer.id);
                    }
                }
            }
            Command::Settle { which, multiple, settlement } => {
                self.settle(which, multiple, settlement)?;
            }
            Command::Purge => self.purge()?,
            Command::Advance(ms) => {
                self.now = self.now.after_ms(ms);
                if self.wake_at <= self.now {
                    self.state.wake(self.now, &mut self.effects);
                    self.wake_at = Timestamp::NEVER;
                    self.absorb(None)?;
                }
            }
            Command::SetMaxLength(max_length) => {
                self.settings.length.max_length = max_length;
                self.state.set_settings(self.settings.clone(), self.now, &mut self.effects);
                self.absorb(None)?;
            }
        }
        loop {
            while self.state.dispatch(1, self.now, &mut self.effects) {
                self.absorb(None)?;
            }
            self.absorb(None)?;
            self.state.look_at_length(self.now, &mut self.effects);
            self.absorb(None)?;
            self.look_if_full();
            if !self.page_in()? {
                break;
            }
        }
        self.forget_gone()?;
        if let Some(deadline) = self.state.new_deadline() {
            self.wake_at = deadline;
        }
        self.check()
    }

    fn page_out(&mut self, max: usize) -> Checked {
        let unstored: Vec<u64> = self.state.to_store().iter().map(|found| found.0).collect();
        for sequence in &unstored {
            let item = self.items.get_mut(sequence);
            item.expect("it was published").stored = true;
        }
        self.state.note_stored(unstored, &mut self.effects);
        let from = self.state.first_to_page_out().unwrap_or(u64::MAX);
        let written = self.items.range(from..).filter(|(_, item)| item.stored);
        let written: Vec<u64> = written.map(|(number, _)| *number).take(max).collect();
        self.state.page_out(&written, |_| {});
        Ok(())
    }

    /// Brings messages back; tells whether there were any.
    fn page_in(&mut self) -> Result<bool, TestCaseError> {
        let Some(wanted) = self.state.wanted() else {
            prop_assert!(!self.state.head_is_paged(), "what is next is wanted");
            return Ok(false);
        };
        // Sometimes less is read than is wanted.
        let max = 1 + self.items.len() % 5;
        let messages = wanted.sequences.iter().take(max).map(|sequence| {
            let item = self.items.get(sequence)?;
            assert!(item.stored && item.place == Place::Ready, "{sequence} is in the store");
            Some(paging::PagedIn { message: item.message.clone(), expires_at: item.expires_at })
        });
        let messages = messages.collect();
        self.state.page_in(&wanted, messages, self.now, &mut self.effects);
        self.absorb(None)?;
        Ok(true)
    }

    /// What the store need not keep any more has left, and is told once.
    fn forget_gone(&mut self) -> Checked {
        for gone in std::mem::take(&mut self.effects.gone) {
            prop_assert_eq!(gone.queue, STORAGE.id);
            for number in gone.first..=gone.last {
                let item = self.items.get_mut(&number).expect("it was published");
                prop_assert!(item.stored, "{number} is gone from the store, once");
                item.stored = false;
                let left = matches!(item.place, Place::Gone(_));
                prop_assert!(left, "{number} is gone from the store and not from the queue");
            }
        }
        let kept = self.items.iter().filter(|(_, item)| item.stored);
        let mut left = kept.filter(|(_, item)| matches!(item.place, Place::Gone(_)));
        prop_assert_eq!(left.next().map(|(number, _)| number), None, "what has left is gone");
        Ok(())
    }

    fn enqueue(&mut self, ttl_ms: Option<u64>, priority: u8, padding: u8, stored: bool) -> Checked {
        // The turns that the two classes of a quorum queue take are tested with `Order`.
        let priority = if self.quorum { 0 } else { priority };
        let number = self.items.len() as u64;
        let mut body = number.to_be_bytes().to_vec();
        body.resize(8 + usize::from(padding), 0);
        let properties = totals::properties(priority, padding);
        let parts = Parts {
            exchange: b"",
            routing_key: b"q",
            properties: &properties,
            expiration_ms: ttl_ms,
            body: Body::Borrowed(&body),
        };
        let message = Message::new(parts, &mut Vec::new());
        let ttl_ms = ttl_ms.into_iter().chain(self.settings.message_ttl_ms).min();
        let item = Item {
            level: priority.min(self.top_level),
            expires_at: ttl_ms.map_or(Timestamp::NEVER, |ms| self.now.after_ms(ms)),
            body_bytes: body.len() as u64,
            footprint: message.footprint(),
            returns: 0,
            failures: 0,
            turn: 0,
            place: Place::Ready,
            message: message.clone(),
            stored,
        };
        let length = &self.settings.length;
        let room = length.max_length.is_none_or(|max| (self.ready().len() as u64) < max)
            && length
                .max_length_bytes
                .is_none_or(|max| self.ready_bytes() + item.body_bytes <= max);
        let is_full = if self.quorum { self.is_full } else { !room };
        let refuses = length.overflow != Overflow::DropHead && is_full;
        let buries = length.overflow == Overflow::RejectPublishDlx;
        self.items.insert(number, item);
        let arrival = Arrival { message, sequence: number, stored, is_forced: false };
        let outcome = self.state.enqueue(arrival, self.now, &mut self.effects);
        prop_assert_eq!(outcome == Enqueued::Rejected, refuses, "full queues refuse");
        if refuses {
            self.bury();
            let died: Vec<_> = self.effects.deaths.drain(..).map(|d| d.reason).collect();
            let expected = if buries { vec![DeathReason::MaxLen] } else { Vec::new() };
            prop_assert_eq!(died, expected, "refused messages die only if they are to");
            self.put(number, Place::Gone(Fate::Refused));
        }
        self.absorb(Some(number))?;
        self.look_if_full();
        Ok(())
    }

    fn look_if_full(&mut self) {
        let length = &self.settings.length;
        let (ready, octets) = (self.ready().len() as u64, self.ready_bytes());
        if self.is_too_long() {
            self.is_full = true;
        } else if length.is_well_below(ready, octets) {
            self.is_full = false;
        }
    }

    /// The store need not keep what has died: in the broker that is so once it is dead-lettered.
    fn bury(&mut self) {
        for death in &mut self.effects.deaths {
            if let Some(sequence) = death.stored.take() {
                self.effects.gone.push(Gone { queue: STORAGE.id, first: sequence, last: sequence });
            }
        }
    }

    fn get(&mut self, no_ack: bool) -> Checked {
        let got = self.state.get(no_ack, ChannelId::default(), self.now, &mut self.effects);
        self.bury();
        let deaths = std::mem::take(&mut self.effects.deaths);
        let order = self.ready();
        let expired = deaths.iter().map(|d| number_of(&d.message)).collect::<Vec<_>>();
        let mut left = expired.clone();
        if let Some((delivery, entry, _)) = &got {
            let number = number_of(&entry.message);
            left.push(number);
            self.check_entry(number, entry, None)?;
            self.take(number, *delivery, None)?;
        }
        left.sort_unstable_by_key(|number| order.iter().position(|other| other == number));
        prop_assert_eq!(&left, &order[..left.len()], "heads leave first");
        for number in expired {
            self.die(number, DeathReason::Expired)?;
        }
        match got {
            Some((_, _, remaining)) => prop_assert_eq!(remaining, self.ready().len()),
            None if self.state.head_is_paged() => {
                prop_assert!(self.page_in()?, "what is next can be paged in");
                return self.get(no_ack);
            }
            None => prop_assert!(self.ready().is_empty(), "a ready message can be got"),
        }
        Ok(())
    }

    fn add_consumer(&mut self, no_ack: bool, prefetch_count: u32, priority: i64) {
        let gate = Arc::new(Gate(AtomicBool::new(true)));
        let source = self.consumers.len();
        let id = self.state.add_consumer(ConsumerSpec {
            tag: format!("c{source}").into(),
            channel: ChannelId::default(),
            outlet: Arc::clone(&gate) as _,
            source: u32::try_from(source).unwrap(),
            no_ack,
            prefetch_count,
            priority,
            timeout_ms: None,
            exclusive: false,
            arguments: FieldTable::default(),
        });
        self.state.resume(id);
        self.consumers.push(Consumer { id, gate, no_ack, prefetch_count, priority, gone: false });
        self.review_active();
    }

    /// The consumer that is the single active one if nobody is.
    fn best(&self) -> Option<usize> {
        let rest = (0..self.consumers.len()).filter(|&at| !self.consumers[at].gone);
        let prefetch = |at: usize| match self.consumers[at].prefetch_count {
            _ if !self.quorum => 0,
            0 => u32::MAX,
            prefetch_count => prefetch_count,
        };
        rest.rev().max_by_key(|&at| (self.consumers[at].priority, prefetch(at)))
    }

    /// Whether the single active consumer gets nothing more, because there is a better one.
    fn makes_way(&self) -> bool {
        let priority = |at: Option<usize>| at.map(|at| self.consumers[at].priority);
        self.quorum && self.active.is_some() && priority(self.best()) > priority(self.active)
    }

    fn review_active(&mut self) {
        let has_settled =
            self.active.is_some_and(|at| self.unacked(|owner| owner == Some(at)) == 0);
        if self.active.is_none() || self.makes_way() && has_settled {
            self.active = self.best();
        }
    }

    fn remove_consumer(&mut self, at: usize) -> Checked {
        self.consumers[at].gone = true;
        let last = self.consumers.iter().all(|consumer| consumer.gone);
        let told = self.state.remove_consumer(self.consumers[at].id, self.now);
        prop_assert_eq!(told, last, "the last consumer is known as such");
        if self.active == Some(at) {
            self.active = None;
        }
        self.review_active();
        Ok(())
    }

    fn settle(&mut self, which: Index, multiple: bool, settlement: Settlement) -> Checked {
        let mut unacked: Vec<_> = self
            .items
            .iter()
            .filter_map(|(&number, item)| match item.place {
                Place::Unacked { delivery, .. } => Some((delivery, number)),
                _ => None,
            })
            .collect();
        unacked.sort_unstable();
        if unacked.is_empty() {
            return Ok(());
        }
        let at = which.index(unacked.len());
        let chosen = if multiple { &unacked[..=at] } else { &unacked[at..=at] };
        let mut dying = Vec::new();
        for &(delivery, number) in chosen {
            self.settled.push(delivery);
            let limit = self.settings.delivery_limit;
            let item = self.items.get_mut(&number).unwrap();
            item.place = match settlement {
                Settlement::Ack => Place::Gone(Fate::Acked),
                Settlement::Reject => Place::Dying,
                Settlement::Requeue | Settlement::Abandon | Settlement::RequeueLast { .. } => {
                    item.returns += 1;
                    if self.quorum {
                        item.failures += u16::from(settlement == Settlement::Abandon);
                        self.turns += 1;
                        item.turn = self.turns;
                    }
                    if limit.is_exceeded(item.returns) { Place::Dying } else { Place::Ready }
                }
            };
            if item.place == Place::Dying {
                dying.push(number);
            }
        }
        // Numbers that were settled before mean nothing.
        let stale = self.settled.iter().rev().skip(chosen.len()).take(3).copied();
        let ids = stale.chain(chosen.iter().map(|&(delivery, _)| delivery));
        self.state.settle(ids, settlement, self.now, &mut self.effects);
        self.bury();
        let reason = match settlement {
            Settlement::Reject => DeathReason::Rejected,
            _ => DeathReason::DeliveryLimit,
        };
        let dead: Vec<_> = self
            .effects
            .deaths
            .extract_if(.., |death| death.reason == reason)
            .map(|death| number_of(&death.message))
            .collect();
        prop_assert_eq!(&dead, &dying, "the dead leave in the order of their deliveries");
        for number in dead {
            self.put(number, Place::Gone(Fate::Dead(reason)));
        }
        self.review_active();
        self.absorb(None)
    }

    fn purge(&mut self) -> Checked {
        let purged = self.state.purge(self.now, &mut self.effects);
        self.absorb(None)?;
        let rest = self.ready();
        prop_assert_eq!(purged, rest.len(), "purge tells how many");
        for number in rest {
            self.put(number, Place::Gone(Fate::Purged));
        }
        Ok(())
    }

    /// Takes the effects of one step: what left the ready messages, and where it went. `fresh` is
    /// the message that this step brought.
    fn absorb(&mut self, fresh: Option<u64>) -> Checked {
        self.bury();
        let deaths = std::mem::take(&mut self.effects.deaths);
        let deliveries = std::mem::take(&mut self.effects.deliveries);
        let order = self.ready();
        let died = deaths.iter().map(|death| number_of(&death.message));
        let delivered = deliveries.iter().map(|delivery| number_of(&delivery.entry.message));
        let mut left: Vec<_> = died.chain(delivered).collect();
        left.sort_unstable_by_key(|number| order.iter().position(|other| other == number));
        prop_assert!(left.len() <= order.len(), "nothing leaves twice");
        prop_assert_eq!(&left, &order[..left.len()], "heads leave first");
        for death in deaths {
            self.die(number_of(&death.message), death.reason)?;
        }
        for delivery in deliveries {
            let number = number_of(&delivery.entry.message);
            let source = delivery.source as usize;
            self.check_choice(source)?;
            self.check_entry(number, &delivery.entry, fresh)?;
            self.take(number, delivery.id, Some(source))?;
        }
        Ok(())
    }

    fn die(&mut self, number: u64, reason: DeathReason) -> Checked {
        let item = &self.items[&number];
        prop_assert_eq!(item.place, Place::Ready, "only ready messages expire or overflow");
        match reason {
            DeathReason::Expired => {
                prop_assert!(item.expires_at <= self.now, "nothing expires too early");
            }
            DeathReason::MaxLen => {
                prop_assert!(self.settings.length.overflow == Overflow::DropHead);
                prop_assert!(self.is_too_long(), "nothing is dropped below the limit");
            }
            other => prop_assert!(false, "unexpected death: {other:?}"),
        }
        self.put(number, Place::Gone(Fate::Dead(reason)));
        Ok(())
    }

    fn take(&mut self, number: u64, delivery: u64, consumer: Option<usize>) -> Checked {
        prop_assert_eq!(self.items[&number].place, Place::Ready, "nothing is delivered twice");
        if delivery == 0 {
            prop_assert!(consumer.is_none_or(|at| self.consumers[at].no_ack));
            self.put(number, Place::Gone(Fate::DeliveredWithoutAck));
        } else {
            prop_assert!(delivery > self.last_delivery, "delivery numbers rise");
            self.last_delivery = delivery;
            self.put(number, Place::Unacked { delivery, consumer });
        }
        Ok(())
    }

    fn put(&mut self, number: u64, place: Place) {
        self.items.get_mut(&number).unwrap().place = place;
    }

    /// Ready messages in the order in which they have to leave.
    fn ready(&self) -> Vec<u64> {
        let ready = self.items.iter().filter(|(_, item)| item.place == Place::Ready);
        let turn = |item: &Item| if item.turn == 0 { u64::MAX } else { item.turn };
        let key = |item: &Item, number| (std::cmp::Reverse(item.level), turn(item), number);
        let mut order: Vec<_> = ready.map(|(&number, item)| key(item, number)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, number)| number).collect()
    }

    fn ready_bytes(&self) -> u64 {
        let ready = self.items.values().filter(|item| item.place == Place::Ready);
        ready.map(|item| item.body_bytes).sum()
    }

    fn is_too_long(&self) -> bool {
        let length = &self.settings.length;
        length.max_length.is_some_and(|max| self.ready().len() as u64 > max)
            || length.max_length_bytes.is_some_and(|max| self.ready_bytes() > max)
    }

    fn unacked(&self, of: impl Fn(Option<usize>) -> bool) -> usize {
        let by =
            |item: &Item| matches!(item.place, Place::Unacked { consumer, .. } if of(consumer));
        self.items.values().filter(|item| by(item)).count()
    }

    fn can_take(&self, at: usize) -> bool {
        let consumer = &self.consumers[at];
        let limit = consumer.prefetch_count as usize;
        !consumer.gone
            && consumer.gate.0.load(Ordering::SeqCst)
            && (consumer.no_ack || limit == 0 || self.unacked(|owner| owner == Some(at)) < limit)
    }

    fn pick_consumer(&self, who: Index) -> Option<usize> {
        let here: Vec<_> =
            (0..self.consumers.len()).filter(|&at| !self.consumers[at].gone).collect();
        (!here.is_empty()).then(|| here[who.index(here.len())])
    }

    /// Everything goes: nothing may be left behind.
    fn end(&mut self) -> Checked {
        for at in 0..self.consumers.len() {
            if !self.consumers[at].gone {
                self.remove_consumer(at)?;
            }
        }
        let all = 0..=self.last_delivery;
        self.state.settle(all, Settlement::Ack, self.now, &mut self.effects);
        self.state.purge(self.now, &mut self.effects);
        let nothing = Counts::default();
        prop_assert_eq!(self.state.counts(), nothing, "nothing is held when all is gone");
        Ok(())
    }
}

fn number_of(message: &Message) -> u64 {
    u64::from_be_bytes(message.body()[..8].try_into().unwrap())
}

fn run(arguments: &QueueArguments, commands: &[Command]) -> Checked {
    let mut world = World::new(arguments);
    for command in commands {
        world.run(command)?;
    }
    world.end()
}

proptest! {
    #[test]
    fn the_invariants_hold_after_every_command(
        arguments in arguments(),
        commands in prop::collection::vec(command(), 1..120),
    ) {
        run(&arguments, &commands)?;
    }
}

const ENQUEUE: Command = Command::Enqueue { ttl_ms: None, priority: 0, padding: 0, stored: false };

#[test]
fn messages_that_exceed_the_delivery_limit_together_die_in_their_order() {
    let arguments = QueueArguments {
        queue_type: QueueType::Quorum,
        delivery_limit: Some(0),
        ..QueueArguments::default()
    };
    let mut world = World::new(&arguments);
    for command in [ENQUEUE, ENQUEUE, ENQUEUE] {
        world.run(&command).unwrap();
    }
    world.run(&Command::AddConsumer { no_ack: false, prefetch_count: 0, priority: 0 }).unwrap();
    world.state.settle(1..=3, Settlement::Requeue, world.now, &mut world.effects);
    let dead: Vec<_> = world.effects.deaths.iter().map(|d| number_of(&d.message)).collect();
    assert_eq!(dead, [0, 1, 2]);
}
