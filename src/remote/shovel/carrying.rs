//! The task of one shovel: connects, carries, and tries again when something goes wrong.

use std::sync::{Arc, Weak};
use std::time::Duration;

use lapin::Consumer;
use tokio::sync::watch;

use super::belt::Belt;
use super::link::{consume, open_destination, open_source};
use crate::link::shovel::forward::Stamp;
use crate::link::shovel::machine::Machine;
use crate::link::shovel::status::State;
use crate::link::shovel::{COMPONENT, Shovel};
use crate::node::Node;
use crate::remote::connect::Connector;
use crate::remote::end::End;
use crate::time::clock::{Clock, Timestamp};
use crate::time::sleep::Sleep;
use crate::time::timers::Timers;

/// How long the other side may take to say farewell.
pub(super) const FAREWELL: Duration = Duration::from_millis(500);

/// How long it may take to hear the last of what was published without waiting for confirms.
const LAST_OF_IT: Duration = Duration::from_secs(30);

/// One shovel, and what it takes to carry for it.
pub(super) struct Carrying {
    pub(super) shovel: Arc<Shovel>,
    node: Weak<Node>,
    pub(super) clock: Clock,
    timers: Arc<Timers>,
    connector: Connector,
    pub(super) machine: Machine,
    /// The offset up to which a stream has been brought to the destination.
    pub(super) read_up_to: Option<u64>,
}

/// Why it does not go on.
pub(super) enum Ending {
    /// It has done what it is for.
    Complete,
    /// It is to be carried no more.
    Stopped,
    /// Something went wrong.
    Lost(String),
}

impl Carrying {
    pub(super) fn new(shovel: Arc<Shovel>, node: &Arc<Node>, connector: Connector) -> Self {
        let definition = &shovel.definition;
        let machine = Machine::new(definition.ack_mode, definition.delete_after);
        Self {
            machine,
            node: Arc::downgrade(node),
            clock: node.clock().clone(),
            timers: Arc::clone(node.timers()),
            connector,
            shovel,
            read_up_to: None,
        }
    }

    /// Until it is stopped, or has done what it is for.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let (host, name) = self.shovel.key.clone();
        while !*stopped.borrow() {
            self.shovel.note(State::Starting, self.clock.now());
            let mut ends = Vec::new();
            let ending = self.carry_once(&mut ends, &mut stopped).await;
            let patience = match &ending {
                Ending::Complete | Ending::Stopped => LAST_OF_IT,
                Ending::Lost(_) => FAREWELL,
            };
            let farewell = async {
                // The destination comes first: it has heard all that was published when it answers.
                for end in ends.into_iter().rev() {
                    end.close().await;
                }
            };
            // Who does not answer is left.
            let _ = tokio::time::timeout(patience, farewell).await;
            self.shovel.count(|status| status.follow(&self.machine));
            let reason = match ending {
                Ending::Stopped => return,
                Ending::Complete => {
                    tracing::info!(vhost = host, shovel = name, "shovel has done its work");
                    match self.node.upgrade() {
                        Some(node) if self.shovel.is_static() => {
                            node.shovels.remove(&self.shovel.key);
                        }
                        Some(node) => {
                            node.remove_host_parameter(&host, COMPONENT, &name);
                        }
                        None => {}
                    }
                    return;
                }
                Ending::Lost(reason) => reason,
            };
            tracing::warn!(vhost = host, shovel = name, "shovel is interrupted: {reason}");
            let now = self.clock.now();
            let next_attempt = self.next_attempt(now);
            self.shovel.note(State::Terminated { reason, next_attempt }, now);
            let Some(next_attempt) = next_attempt else { return };
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = Sleep::until(&self.timers, next_attempt) => {}
            }
            if self.timers.is_stopped() {
                return;
            }
        }
    }

    fn next_attempt(&self, now: Timestamp) -> Option<Timestamp> {
        let delay_s = self.shovel.definition.reconnect_delay_s;
        (delay_s > 0).then(|| now + Duration::from_secs(delay_s.into()))
    }

    /// Connects and carries until something goes wrong. The connections are left in `ends`.
    async fn carry_once(
        &mut self,
        ends: &mut Vec<End>,
        stopped: &mut watch::Receiver<bool>,
    ) -> Ending {
        let opened = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return Ending::Stopped,
            opened = self.open(ends) => opened,
        };
        let consumer = match opened {
            Ok(Some(consumer)) => consumer,
            Ok(None) => return Ending::Complete,
            Err(reason) => return Ending::Lost(reason),
        };
        let [source, destination] = ends.as_mut_slice() else {
            return Ending::Lost("it has not two ends".to_owned());
        };
        let stamp = self.begin(&source.uri, &destination.uri);
        Belt::new(self, (source, destination), consumer, stamp).run(stopped.clone()).await
    }

    /// Connects both ends, and begins to take messages; nothing if there are none to be taken.
    async fn open(&mut self, ends: &mut Vec<End>) -> Result<Option<Consumer>, String> {
        let shovel = Arc::clone(&self.shovel);
        let (definition, name) = (&shovel.definition, shovel.key.1.as_str());
        let at_source = |reason| format!("source: {reason}");
        let source = open_source(&self.connector, definition, name).await;
        let (source, queue, ready) = source.map_err(at_source)?;
        let channel = source.channel.clone();
        ends.push(source);
        self.machine.connected(ready);
        let destination = open_destination(&self.connector, definition, name).await;
        ends.push(destination.map_err(|reason| format!("destination: {reason}"))?);
        if self.machine.is_complete() {
            return Ok(None);
        }
        let consumer = consume(&channel, definition, &queue, self.read_up_to).await;
        consumer.map(Some).map_err(at_source)
    }

    /// Both ends are there.
    fn begin(&self, source: &str, destination: &str) -> Stamp {
        let (host, name) = &self.shovel.key;
        let cluster = self.node.upgrade().map(|node| node.cluster_name()).unwrap_or_default();
        let state = State::Running { source: source.into(), destination: destination.into() };
        self.shovel.note(state, self.clock.now());
        tracing::info!(
            vhost = host,
            shovel = name,
            "shovel carries messages from {source} to {destination}"
        );
        let whose = (cluster.as_str(), self.shovel.virtual_host(), name.as_str());
        Stamp::new(&self.shovel.definition, whose, (source, destination))
    }
}
