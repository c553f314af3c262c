//! The queue as a whole against a simple model: random commands, and named invariants that hold
//! after each of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amq_protocol::protocol::BasicProperties;
use leveret_protocol::properties::encode_properties;
use proptest::prelude::*;
use proptest::sample::Index;

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

#[derive(Clone, Debug)]
enum Command {
    Enqueue {
        ttl_ms: Option<u64>,
        priority: u8,
        padding: u8,
        stored: bool,
    },
    Get {
        no_ack: bool,
    },
    AddConsumer {
        no_ack: bool,
        prefetch_count: u32,
        priority: i64,
    },
    RemoveConsumer(Index),
    SetRoom(Index, bool),
    Settle {
        which: Index,
        multiple: bool,
        settlement: Settlement,
    },
    Purge,
    Advance(u64),
    SetMaxLength(Option<u64>),
    /// Stores what could be paged out, and pages out what was written: so many at most.
    PageOut(usize),
}

fn command() -> impl Strategy<Value = Command> {
    let settlement =
        prop_oneof![Just(Settlement::Ack), Just(Settlement::Requeue), Just(Settlement::Reject)];
    let ttl_ms = prop_oneof![3 => Just(None), 1 => (0u64..50).prop_map(Some)];
    prop_oneof![
        12 => (ttl_ms, 0u8..6, 0u8..40, any::<bool>())
            .prop_map(|(ttl_ms, priority, padding, stored)| {
                Command::Enqueue { ttl_ms, priority, padding, stored }
            }),
        3 => (0usize..20).prop_map(Command::PageOut),
        4 => any::<bool>().prop_map(|no_ack| Command::Get { no_ack }),
        3 => (any::<bool>(), 0u32..4, -1i64..2).prop_map(|(no_ack, prefetch_count, priority)| {
            Command::AddConsumer { no_ack, prefetch_count, priority }
        }),
        1 => any::<Index>().prop_map(Command::RemoveConsumer),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(who, room)| Command::SetRoom(who, room)),
        9 => (any::<Index>(), any::<bool>(), settlement).prop_map(
            |(which, multiple, settlement)| Command::Settle { which, multiple, settlement }
        ),
        1 => Just(Command::Purge),
        5 => (1u64..30).prop_map(Command::Advance),
        1 => prop::option::of(0u64..6).prop_map(Command::SetMaxLength),
    ]
}

fn arguments() -> impl Strategy<Value = QueueArguments> {
    let limit = || prop::option::weighted(0.3, 0u64..8);
    let overflow = prop_oneof![
        Just(Overflow::DropHead),
        Just(Overflow::RejectPublish),
        Just(Overflow::RejectPublishDlx)
    ];
    let ttl_ms = prop::option::weighted(0.3, 0u64..60);
    let priority = prop::option::weighted(0.4, 0u8..4);
    (limit(), prop::option::weighted(0.2, 8u64..200), overflow, ttl_ms, priority, 0..10, 0..4i64)
        .prop_map(|(max_length, bytes, overflow, ttl_ms, max_priority, kind, limit)| {
            QueueArguments {
                queue_type: if kind < 3 { QueueType::Quorum } else { QueueType::Classic },
                delivery_limit: Some(limit),
                single_active_consumer: kind == 2 || kind == 9,
                message_ttl_ms: ttl_ms,
                max_length,
                max_length_bytes: bytes,
                overflow: Some(overflow),
                max_priority,
                ..QueueArguments::default()
            }
        })
}

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
    one_class: bool,
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
            one_class: arguments.queue_type == QueueType::Quorum,
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
        let priority = if self.one_class { 0 } else { priority };
        let number = self.items.len() as u64;
        let mut body = number.to_be_bytes().to_vec();
        body.resize(8 + usize::from(padding), 0);
        let properties = encode_properties(&BasicProperties::default().with_priority(priority));
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
            place: Place::Ready,
            message: message.clone(),
            stored,
        };
        let length = &self.settings.length;
        let room = length.max_length.is_none_or(|max| (self.ready().len() as u64) < max)
            && length
                .max_length_bytes
                .is_none_or(|max| self.ready_bytes() + item.body_bytes <= max);
        let refuses = length.overflow != Overflow::DropHead && !room;
        let buries = length.overflow == Overflow::RejectPublishDlx;
        self.items.insert(number, item);
        let arrival = Arrival { message, sequence: number, stored };
        let outcome = self.state.enqueue(arrival, self.now, &mut self.effects);
        prop_assert_eq!(outcome == Enqueued::Rejected, refuses, "full queues refuse");
        if refuses {
            self.bury();
            let died: Vec<_> = self.effects.deaths.drain(..).map(|d| d.reason).collect();
            let expected = if buries { vec![DeathReason::MaxLen] } else { Vec::new() };
            prop_assert_eq!(died, expected, "refused messages die only if they are to");
            self.put(number, Place::Gone(Fate::Refused));
        }
        self.absorb(Some(number))
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
        });
        self.state.resume(id);
        self.active.get_or_insert(source);
        self.consumers.push(Consumer { id, gate, no_ack, prefetch_count, priority, gone: false });
    }

    fn remove_consumer(&mut self, at: usize) -> Checked {
        self.consumers[at].gone = true;
        let last = self.consumers.iter().all(|consumer| consumer.gone);
        let told = self.state.remove_consumer(self.consumers[at].id, self.now);
        prop_assert_eq!(told, last, "the last consumer is known as such");
        if self.active == Some(at) {
            let rest = (0..self.consumers.len()).filter(|&other| !self.consumers[other].gone);
            self.active = rest.rev().max_by_key(|&other| self.consumers[other].priority);
        }
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

    fn check_entry(&self, number: u64, entry: &Entry, fresh: Option<u64>) -> Checked {
        let item = &self.items[&number];
        prop_assert_eq!(entry.redelivered, item.returns > 0, "redelivered means returned");
        prop_assert_eq!(entry.delivery_count, item.returns, "returns are counted");
        prop_assert_eq!(entry.expires_at, item.expires_at, "a return does not renew the time");
        // A time to live of 0 lets a consumer have what it can take at this instant.
        let alive = item.expires_at > self.now || fresh == Some(number);
        prop_assert!(alive, "the expired are never delivered");
        Ok(())
    }

    fn check_choice(&self, source: usize) -> Checked {
        let chosen = &self.consumers[source];
        prop_assert!(!chosen.gone, "the gone get nothing");
        prop_assert!(self.can_take(source), "credit and room are kept");
        if self.single_active {
            prop_assert_eq!(self.active, Some(source), "the single active consumer gets all");
        } else {
            let better = (0..self.consumers.len())
                .filter(|&at| self.consumers[at].priority > chosen.priority)
                .find(|&at| self.can_take(at));
            prop_assert_eq!(better, None, "higher priorities are served first");
        }
        Ok(())
    }

    /// What holds whenever no command is under way.
    fn check(&self) -> Checked {
        let counts = self.state.counts();
        let held = |item: &&Item| matches!(item.place, Place::Ready | Place::Unacked { .. });
        let ready = self.ready();
        let unacked = self.unacked(|_| true);
        prop_assert_eq!(counts.ready, ready.len(), "nothing ready is lost");
        prop_assert_eq!(counts.unacked, unacked, "nothing unacknowledged is lost");
        prop_assert_eq!(self.items.values().filter(held).count(), counts.ready + counts.unacked);
        let paged: Vec<u64> = self.state.ready.sequences_paged_below(u64::MAX).collect();
        let in_memory = self.items.iter().filter(|(number, _)| !paged.contains(number));
        let in_memory = in_memory.map(|(_, item)| item).filter(held);
        let footprint: usize = in_memory.map(|item| item.footprint).sum();
        prop_assert_eq!(counts.footprint, footprint, "the footprint is that of what is held");
        let consumers = self.consumers.iter().filter(|consumer| !consumer.gone).count();
        prop_assert_eq!(counts.consumers, consumers);
        for (at, consumer) in self.consumers.iter().enumerate() {
            let unacked = self.unacked(|owner| owner == Some(at));
            let limit = consumer.prefetch_count as usize;
            prop_assert!(limit == 0 || unacked <= limit, "prefetch is kept");
        }
        prop_assert!(!self.is_too_long() || self.settings.length.overflow != Overflow::DropHead);
        if let Some(head) = ready.first() {
            let expires_at = self.items[head].expires_at;
            prop_assert!(expires_at > self.now, "the head is alive");
            prop_assert!(self.wake_at <= expires_at, "the timer knows when the head expires");
            let idle = (0..self.consumers.len())
                .filter(|&at| !self.single_active || self.active == Some(at))
                .find(|&at| self.can_take(at));
            prop_assert_eq!(idle, None, "nobody waits beside a ready message");
        }
        Ok(())
    }

    fn put(&mut self, number: u64, place: Place) {
        self.items.get_mut(&number).unwrap().place = place;
    }

    /// Ready messages in the order in which they have to leave.
    fn ready(&self) -> Vec<u64> {
        let ready = self.items.iter().filter(|(_, item)| item.place == Place::Ready);
        let mut order: Vec<_> = ready.map(|(&number, item)| (item.level, number)).collect();
        order.sort_unstable_by_key(|&(level, number)| (std::cmp::Reverse(level), number));
        order.into_iter().map(|(_, number)| number).collect()
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
