//! Switching the exchange of events on and off, and who publishes to it
//! `[rabbitmq event-exchange]`.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};

use crate::base::field_value::text;
use crate::base::herald::{self, Event};
use crate::base::ids::ConnectionId;
use crate::error::Result;
use crate::node::Node;
use crate::queue::effects::Effects;
use crate::vhost::VirtualHost;

/// Names of the connections that events were about and that are open.
type Names = HashMap<ConnectionId, String>;

impl Node {
    /// Whether there is an exchange of events.
    pub(crate) fn has_event_exchange(&self) -> bool {
        let host = self.virtual_host(self.default_virtual_host.as_str());
        host.is_some_and(|host| host.has_event_exchange())
    }

    /// Makes the exchange of events in the default virtual host, in the name of this user. It
    /// survives a restart. Errors: 530 if there is no default virtual host, 541.
    pub(crate) fn enable_event_exchange(self: &Arc<Self>, user: &str) -> Result<()> {
        let host = self.host(self.default_virtual_host.as_str())?;
        let mut effects = Effects::new();
        host.make_event_exchange(user, &mut effects)?;
        host.run(&mut effects);
        self.publish_events(&host);
        Ok(())
    }

    /// Deletes it with its bindings; nothing is published any more.
    pub(crate) fn disable_event_exchange(&self) {
        if let Some(host) = self.virtual_host(self.default_virtual_host.as_str()) {
            let mut effects = Effects::new();
            host.remove_event_exchange(&mut effects);
            host.run(&mut effects);
        }
    }

    /// One of an earlier life goes on.
    pub(crate) fn resume_event_exchange(self: &Arc<Self>) {
        let host = self.virtual_host(self.default_virtual_host.as_str());
        if let Some(host) = host.filter(|host| host.has_event_exchange()) {
            self.publish_events(&host);
        }
    }

    fn publish_events(self: &Arc<Self>, host: &VirtualHost) {
        let clock = self.clock().clone();
        if let Some(events) = self.herald().listen(move || clock.now().as_millis()) {
            let node = Arc::downgrade(self);
            let publishing = move || publish(&node, &events);
            let thread = std::thread::Builder::new().name("leveret-events".into());
            if let Err(error) = thread.spawn(publishing) {
                tracing::error!("events cannot be published: no thread for it: {error}");
            }
        }
        host.watch_event_exchange();
    }

    /// Puts names where an event has numbers.
    fn name_in(&self, event: &mut Event, names: &mut Names) {
        for (header, connection, channel) in std::mem::take(&mut event.told.named) {
            let name = names.entry(connection).or_insert_with(|| {
                let facts = self.connections.facts(connection);
                facts.map(|facts| facts.name.clone()).unwrap_or_default()
            });
            let named = match channel {
                Some(number) => herald::text(format!("{name} ({number})")),
                None => herald::text(name),
            };
            event.told.headers.insert(header.into(), named);
        }
        let of_node = event.key.starts_with("connection.") || event.key.starts_with("alarm.");
        if of_node {
            event.told.headers.insert("node".into(), herald::text(self.name()));
        }
    }
}

/// Publishes what happens, until the broker is gone.
fn publish(node: &Weak<Node>, events: &Receiver<Event>) {
    let mut names = Names::new();
    while let Ok(mut event) = events.recv() {
        let Some(node) = node.upgrade() else { return };
        let about = event.told.named.first().map(|(_, connection, _)| *connection);
        if let (Some(connection), "connection.created") = (about, event.key) {
            let name = event.told.headers.inner().get("name").and_then(text);
            names.insert(connection, name.unwrap_or_default().to_owned());
        }
        node.name_in(&mut event, &mut names);
        if let (Some(connection), "connection.closed") = (about, event.key) {
            names.remove(&connection);
        }
        if let Some(host) = node.virtual_host(node.default_virtual_host.as_str()) {
            host.publish_event(event);
        }
    }
}
