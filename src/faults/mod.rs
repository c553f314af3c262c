//! Faults, declared as rules: what goes wrong rarely in production goes wrong in a test when the
//! test says so.
//!
//! A rule says on what occasion it acts, which of these occasions it means, and what then happens.
//! It is in force from the moment at which it has an action until it is [removed](Rule::remove).
//!
//! ```
//! use leveret::faults::Method;
//! use leveret::{Broker, Publish};
//!
//! let broker = Broker::new();
//! let faults = broker.faults();
//! let nacked = faults.confirms().for_exchange("orders").times(2).nack();
//! let refused = faults.on(Method::QueueDeclare).for_queue("jobs").nth(1).refuse(406, "not so");
//!
//! let channel = broker.connect()?.open_channel()?;
//! assert_eq!(channel.queue_declare("jobs").unwrap_err().reply_code(), 406);
//! channel.exchange_declare("orders", "fanout")?;
//! for _ in 0..3 {
//!     let _ = channel.publish(Publish::to_exchange("orders", "")).wait()?;
//! }
//! assert_eq!((nacked.fired(), refused.fired()), (2, 1));
//! faults.assert_all_fired();
//! # Ok::<(), leveret::Error>(())
//! ```
//!
//! # Which occasions a rule means
//!
//! All of them, unless it is told otherwise by its filters (`for_…`, `on_…`, `matching`), which all
//! have to hold, and by its count: [`nth`](When::nth), [`times`](When::times),
//! [`after`](When::after). What its filters let pass, it counts. A filter for something that an
//! occasion does not have, such as the queue of a publish, holds for none.
//!
//! Every rule counts for itself. If several would act on one occasion, the one that was declared
//! first does.
//!
//! # Embedded channels
//!
//! An embedded channel meets the same faults: what closes a channel is an error there, as always,
//! and what ends a connection closes it. Nobody reads an embedded connection, and it has no
//! frames, no name and no channel numbers: all its channels are number 0.
//!
//! # Streams
//!
//! Over AMQP a stream is a queue. A client of the stream protocol meets rules for publishes,
//! confirms and deliveries, and those for connection.open, queue.declare, queue.delete,
//! exchange.declare and exchange.delete (of super streams), basic.consume, basic.cancel and
//! basic.ack (the offset that it stores). What it publishes has the stream's name as queue and
//! routing key. It has no channels: what would close one is the answer to what was asked for. A
//! chunk is delivered whole, and what is behind one that is delayed waits, too; a batch is one
//! publish, of which the first message is looked at.
//!
//! What a [`StreamHandle`](crate::StreamHandle) appends is published, and confirmed when the call
//! returns: all that is appended at once meets the fault of one.

mod actions;
mod confirms;
mod deliveries;
mod frames;
mod methods;
mod registry;
mod requeues;
mod rule;
mod subject;
mod when;

use std::fmt;
use std::sync::{Arc, Weak};

use crate::error::{Error, Scope};

pub use self::actions::{Action, Phase};
pub use self::confirms::Confirms;
pub use self::deliveries::Deliveries;
pub use self::frames::Frames;
#[cfg(feature = "gateway")]
pub(crate) use self::frames::spoil;
pub use self::methods::{Method, Methods, Publishes};
pub(crate) use self::registry::{Hit, Registry, Trigger};
pub use self::requeues::Requeues;
pub use self::rule::Rule;
pub(crate) use self::rule::{Held, RuleState};
pub use self::subject::Message;
pub(crate) use self::subject::Subject;
pub use self::when::When;

/// The open connections of a broker, which faults end.
pub(crate) trait Connections: Send + Sync {
    /// Ends all for this error; tells how many there were.
    fn end_all(&self, error: &Error) -> usize;
}

/// The faults of a broker: [`Broker::faults`](crate::Broker::faults).
#[derive(Clone)]
pub struct Faults {
    registry: Arc<Registry>,
    connections: Weak<dyn Connections>,
}

impl Faults {
    pub(crate) fn new<C: Connections + 'static>(
        registry: &Arc<Registry>,
        connections: &Arc<C>,
    ) -> Self {
        let connections: Weak<C> = Arc::downgrade(connections);
        Self { registry: Arc::clone(registry), connections }
    }

    /// A rule for a method that a client calls. What happens on connection.open and channel.open
    /// happens before they are answered, `afterwards` or not; only a code with which channel.open
    /// closes something comes behind its answer.
    pub fn on(&self, method: Method) -> When<Methods> {
        When::new(&self.registry, Trigger::Method(method), format!("on {method}"))
    }

    /// A rule for publishes: as `on(Method::BasicPublish)`, with more that can happen.
    pub fn publishes(&self) -> When<Publishes> {
        let trigger = Trigger::Method(Method::BasicPublish);
        When::new(&self.registry, trigger, "publishes".into())
    }

    /// A rule for what publishers are told of their publishes `[rabbitmq confirms]`.
    pub fn confirms(&self) -> When<Confirms> {
        When::new(&self.registry, Trigger::Confirm, "confirms".into())
    }

    /// A rule for deliveries to consumers.
    pub fn deliveries(&self) -> When<Deliveries> {
        When::new(&self.registry, Trigger::Delivery, "deliveries".into())
    }

    /// A rule for messages that go back to their queue: rejected, or because their channel ended.
    pub fn requeues(&self) -> When<Requeues> {
        When::new(&self.registry, Trigger::Requeue, "requeues".into())
    }

    /// A rule for frames that the broker sends to a client whose connection is open: those that it
    /// has not written by then, connection.open-ok included.
    pub fn frames(&self) -> When<Frames> {
        When::new(&self.registry, Trigger::Frame, "frames".into())
    }

    /// Every connection is lost now: sockets and in-memory streams are closed without a word.
    /// Tells how many. The broker has taken it in when
    /// [`Broker::connection_count`](crate::Broker::connection_count) says so; on a manual clock
    /// with in-memory streams, after the next [`Broker::advance`](crate::Broker::advance).
    pub fn drop_connections(&self) -> usize {
        self.end_connections(&Error::ConnectionLost)
    }

    /// Every connection is closed now with this reply code, such as 320, and text. Tells how many.
    pub fn close_connections(&self, code: u16, text: &str) -> usize {
        let scope = Scope::Connection;
        self.end_connections(&Error::Fault { code, text: text.into(), scope })
    }

    fn end_connections(&self, error: &Error) -> usize {
        self.connections.upgrade().map_or(0, |connections| connections.end_all(error))
    }

    /// All rules that are in force, in the order in which they were declared.
    pub fn rules(&self) -> Vec<Rule> {
        self.registry.listed()
    }

    /// Removes all rules; what they hold back goes on.
    pub fn clear(&self) {
        self.rules().iter().for_each(Rule::remove);
    }

    /// Fails the test if there is a rule that never acted, or no rule at all.
    ///
    /// # Panics
    /// With the rules in force that never acted.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion of a test fails by panicking")]
    pub fn assert_all_fired(&self) {
        let rules = self.rules();
        if rules.is_empty() {
            panic!("no fault was declared, or all were removed: there is none that could happen");
        }
        let idle: Vec<_> = rules.into_iter().filter(|rule| rule.fired() == 0).collect();
        if !idle.is_empty() {
            let idle: Vec<_> = idle.iter().map(|rule| format!("\n  {rule}")).collect();
            panic!("{} of the faults never happened:{}", idle.len(), idle.concat());
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules()).finish()
    }
}
