//! Crashes: a machine in memory for brokers whose power is cut, and that come back.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::broker::{Broker, BrokerBuilder};
use crate::node::power::Power;
use crate::persist::recovered::OpenError;

/// Largest size of the files that messages are kept in.
const SEGMENT_BYTES_MAX: u64 = 256 << 10;

/// A machine in memory on which brokers live one after the other: what one has synced the next
/// one finds, whether its power was cut ([`Broker::crash`]) or it was closed in order. Clones are
/// the same machine.
///
/// ```
/// use leveret::{Broker, Machine, Publish, QueueDeclare};
///
/// let machine = Machine::new();
/// let broker = Broker::builder().open_on_machine(&machine)?;
/// let channel = broker.connect()?.open_channel()?;
/// channel.queue_declare_with(&QueueDeclare::new("jobs").durable())?;
/// channel.publish(Publish::to_queue("jobs").body("kept").persistent()).wait()?;
/// channel.publish(Publish::to_queue("jobs").body("lost")).wait()?;
/// broker.crash();
///
/// let broker = Broker::builder().open_on_machine(&machine)?;
/// let channel = broker.connect()?.open_channel()?;
/// let found = channel.basic_get("jobs")?.expect("the message that was confirmed");
/// assert_eq!((found.body(), found.redelivered()), (&b"kept"[..], true));
/// assert!(channel.basic_get("jobs")?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Machine(Arc<Mutex<State, rank::TestMachine>>);

#[derive(Debug, Default)]
struct State {
    seed: u64,
    /// The machine since it was switched on last.
    power: Option<Power>,
}

impl Machine {
    /// A machine with nothing on it.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Machine::new`]; the seed says what becomes of writes that are not synced when the power
    /// is cut, each of which may be there, be there in part, or be gone.
    pub fn with_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { seed, power: None })))
    }

    /// Switches it on, with what is left from before; `None` if a broker is still at work on it.
    fn switch_on(&self) -> Option<Power> {
        let mut state = self.0.lock();
        let seed = state.seed.wrapping_add(1);
        let power = Power::on(state.power.as_ref(), seed)?;
        state.seed = seed;
        state.power = Some(power.clone());
        Some(power)
    }
}

impl BrokerBuilder {
    /// Makes a broker whose durable exchanges and queues, with their persistent messages, are kept
    /// on a machine in memory, and takes up what is there from before: as [`BrokerBuilder::open`]
    /// on a directory, for tests of what a crash leaves.
    ///
    /// # Errors
    /// If another broker is at work on the machine.
    pub fn open_on_machine(self, machine: &Machine) -> Result<Broker, OpenError> {
        let Some(power) = machine.switch_on() else {
            let path = PathBuf::from("(machine)");
            return Err(OpenError::Store {
                reason: leveret_storage::Error::Locked(path.clone()),
                path,
            });
        };
        // Files of the usual size would be copied as a whole at each start.
        let small = self.segment_bytes.min(SEGMENT_BYTES_MAX);
        let opened =
            self.segment_bytes(small).open_on(power.machine().records(), power.machine().disk());
        match &opened {
            Ok(broker) => broker.node().set_power(power),
            Err(_) => power.leave(),
        }
        opened
    }
}

impl Broker {
    /// The broker crashes, with the [`Machine`] that it is on: every connection is lost, whoever
    /// connects is refused, and what was not synced is there by chance after the next start.
    /// Nothing of that was confirmed.
    ///
    /// A broker in memory leaves nothing. On the data directory of a real disk, which goes on, the
    /// store is closed in order.
    ///
    /// What is left of this broker is of no use; the next one can have its addresses when it was
    /// dropped.
    pub fn crash(&self) {
        self.node().crash();
    }
}
