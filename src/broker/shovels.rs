//! Shovels, for the embedding program `[rabbitmq shovel]`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::broker::Broker;
use crate::broker::virtual_host::VirtualHostHandle;
use crate::link::shovel::StaticShovel;
use crate::link::shovel::definition::Definition;
use crate::link::shovel::status::State;
use crate::time::clock::Timestamp;

/// Why a shovel, or another parameter, cannot be set: all that is wrong with it, as RabbitMQ says
/// it. Neither users nor passwords of URIs are in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct ParameterError(pub Vec<String>);

/// What a shovel does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShovelStatus {
    /// Name.
    pub name: String,
    /// `starting`, `running`, `blocked` or `terminated`: waiting to try again.
    pub state: &'static str,
    /// Since when, by the broker's clock.
    pub since: Timestamp,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Messages that were published to the destination since the shovel was set.
    pub forwarded: u64,
    /// Messages that the destination has confirmed.
    pub confirmed: u64,
    /// Messages that the destination has refused; they come again.
    pub refused: u64,
    /// Messages that are published and not confirmed.
    pub pending: usize,
}

impl VirtualHostHandle {
    /// Sets a parameter of a component, such as `shovel`, to a value in JSON; one of the same name
    /// is replaced `[rabbitmq parameters]`. Waits until that survives a restart if anything does.
    /// What shovels take is in `docs/beyond-one-node.md`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use leveret::{Broker, Publish};
    ///
    /// let broker = Broker::new();
    /// let host = broker.virtual_host("/").expect("it is always there");
    /// let shovel = r#"{"src-uri": "amqp://", "src-queue": "here", "dest-uri": "amqp://",
    ///     "dest-queue": "there"}"#;
    /// host.set_parameter("shovel", "mover", shovel)?;
    /// let is_running = |_: &Broker| host.shovels()[0].state == "running";
    /// broker.wait_until(Duration::from_secs(10), is_running)?;
    /// broker.publish(Publish::to_queue("here").body("hello")).wait()?;
    /// let there = |_: &Broker| host.queue("there").is_ok_and(|queue| queue.counts().ready == 1);
    /// broker.wait_until(Duration::from_secs(10), there)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such component, or something is wrong with the value; then nothing changes.
    pub fn set_parameter(
        &self,
        component: &str,
        name: &str,
        json: &str,
    ) -> Result<(), ParameterError> {
        let value = serde_json::from_str(json);
        let value = value.map_err(|error| ParameterError(vec![format!("not JSON: {error}")]))?;
        let set = self.node.set_host_parameter(&self.host, (component, name), value, None);
        let set = set.map(drop).map_err(ParameterError);
        self.wait_until_durable();
        set
    }

    /// Removes a parameter; tells whether it was there.
    pub fn remove_parameter(&self, component: &str, name: &str) -> bool {
        let removed = self.node.remove_host_parameter(self.name(), component, name);
        self.wait_until_durable();
        removed
    }

    /// What the shovels of the virtual host do, by name.
    pub fn shovels(&self) -> Vec<ShovelStatus> {
        let all = self.node.shovels.list().into_iter();
        let of_host = all.filter(|shovel| shovel.key.0 == self.name());
        let told = of_host.map(|shovel| {
            let status = shovel.status();
            ShovelStatus {
                name: shovel.key.1.clone(),
                state: match &status.state {
                    State::Starting => "starting",
                    State::Running { .. } if status.blocked.is_some() => "blocked",
                    State::Running { .. } => "running",
                    State::Terminated { .. } => "terminated",
                },
                since: status.changed_at,
                last_error: status.last_error.map(|(reason, _)| reason),
                forwarded: status.counts.forwarded,
                confirmed: status.counts.confirmed,
                refused: status.counts.refused,
                pending: status.pending,
            }
        });
        told.collect()
    }
}

/// What is wrong with a static shovel, as it is written in the configuration of the program.
///
/// # Errors
/// All that is wrong with it.
pub fn check_static_shovel(name: &str, value: &Value) -> Result<(), ParameterError> {
    static_shovel(name, value).map(drop)
}

/// From now on the broker has these static shovels, and no others; those that are as they were go
/// on undisturbed.
///
/// # Errors
/// All that is wrong with them; then nothing changes.
pub fn set_static_shovels(
    broker: &Broker,
    shovels: &BTreeMap<String, Value>,
) -> Result<(), ParameterError> {
    let parsed = shovels.iter().map(|(name, value)| static_shovel(name, value));
    let wanted = parsed.collect::<Result<Vec<_>, _>>()?;
    let node = broker.node();
    node.shovels.set_static(wanted, node.clock().now());
    Ok(())
}

fn static_shovel(name: &str, value: &Value) -> Result<StaticShovel, ParameterError> {
    // Who writes the configuration may do everything here.
    let definition = Definition::parse(name, value, &|_| None).map_err(ParameterError)?;
    Ok((name.to_owned(), definition, value.clone()))
}
