//! The queue as a whole against a simple model: random commands, and named invariants that hold
//! after each of them.

mod checks;
mod commands;
mod consumers;
mod messages;
mod paging;
mod totals;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amq_protocol::types::FieldTable;
use proptest::prelude::*;
use proptest::sample::Index;

use self::commands::{Command, arguments, command};
use crate::base::ids::ChannelId;
use crate::base::wake::Wakeups;
use crate::limits::DELIVERY_BATCH_MAX;
use crate::message::Message;
use crate::message::deaths::DeathReason;
use crate::message::stored::Gone;
use crate::message::{Body, Parts};
use crate::queue::consumers::{ConsumerId, ConsumerSpec, Delivery, Outlet, Passing, Reserved};
use crate::queue::effects::Effects;
use crate::queue::fifo::overflow::Overflow;
use crate::queue::*;
use crate::time::clock::Timestamp;

type Checked = Result<(), TestCaseError>;

/// So little memory that nearly everything can be paged out.
const STORAGE: QueueStorage =
    QueueStorage { id: 7, memory_bytes_max: 900, next_sequence: 0, consumer_timeout_ms: None };

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

    fn reserve(&self, _: bool) -> Reserved {
        if self.0.load(Ordering::SeqCst) { Reserved::Run } else { Reserved::Nothing }
    }

    fn deliver(&self, _: Passing<'_>, _: &mut Wakeups) {}

    fn deliver_one(&self, _: Delivery<Cow<'_, Entry>>, _: &mut Wakeups) {}

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
            Command::EnqueueRun { count, ttl_ms, stored } => {
                self.enqueue_run(count, ttl_ms, stored)?;
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
            // By many, as queues do, or by one.
            let max = if self.items.len().is_multiple_of(4) { 1 } else { DELIVERY_BATCH_MAX };
            while self.state.dispatch(max, self.now, &mut self.effects) {
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

    /// A message that is about to come.
    fn arrival(&mut self, ttl_ms: Option<u64>, priority: u8, padding: u8, stored: bool) -> Arrival {
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
        self.items.insert(number, item);
        Arrival { message, sequence: number, stored, room: Room::Refused }
    }

    fn enqueue(&mut self, ttl_ms: Option<u64>, priority: u8, padding: u8, stored: bool) -> Checked {
        let (ready, octets) = (self.ready().len() as u64, self.ready_bytes());
        let arrival = self.arrival(ttl_ms, priority, padding, stored);
        let (number, octets) = (arrival.sequence, octets + arrival.message.body_len() as u64);
        let length = &self.settings.length;
        let room = length.max_length.is_none_or(|max| ready < max)
            && length.max_length_bytes.is_none_or(|max| octets <= max);
        let is_full = if self.quorum { self.is_full } else { !room };
        let refuses = length.overflow != Overflow::DropHead && is_full;
        let buries = length.overflow == Overflow::RejectPublishDlx;
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

    /// Messages come together, to a queue that refuses none; every other one has a time to live.
    fn enqueue_run(&mut self, count: usize, ttl_ms: Option<u64>, stored: bool) -> Checked {
        if self.quorum || self.settings.length.overflow != Overflow::DropHead {
            return Ok(());
        }
        let ttl_ms = |at: usize| ttl_ms.filter(|_| at % 2 == 1);
        let arrivals: Vec<_> =
            (0..count).map(|at| self.arrival(ttl_ms(at), 0, 0, stored)).collect();
        let first = arrivals.first().map(|arrival| arrival.sequence);
        let (mut arrivals, mut accepted) = (arrivals.into_iter(), 0);
        while let Some(first) = arrivals.next() {
            let Self { state, effects, now, .. } = self;
            let mut note = |outcome| accepted += usize::from(outcome == Enqueued::Accepted);
            if let Err(first) = state.serve_run(first, &mut arrivals, *now, effects, &mut note) {
                note(state.enqueue(first, *now, effects));
            }
        }
        prop_assert_eq!(accepted, count, "what there is room for is accepted");
        self.absorb(first)?;
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

    /// Everything goes: nothing may be left behind.
    fn end(&mut self) -> Checked {
        for at in 0..self.consumers.len() {
            if !self.consumers[at].gone {
                self.remove_consumer(at)?;
            }
        }
        let all = 0..=self.last_delivery;
        self.state.settle(all, Settlement::Ack, self.now, &mut self.effects);
        self.purge_state();
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
