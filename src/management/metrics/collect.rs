//! Looks at all objects of a broker.

use std::collections::HashSet;

use crate::insight::statistics::totals::ExchangeTotals;
use crate::management::api::references::channel_name;
use crate::management::metrics::objects::{
    CHANNELS, CONNECTIONS, ChannelFigures, ConnectionFigures, EXCHANGES, QUEUES, QueueFigures,
};
use crate::management::metrics::text::{Group, Table};
use crate::node::Node;
use crate::node::departed::Counting;
use crate::vhost::{Gone, VirtualHost};

/// Which families, and of which virtual hosts.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Names of groups; `None` for all of them.
    pub groups: Option<HashSet<String>>,
    /// Names of virtual hosts; `None` for all of them.
    pub hosts: Option<HashSet<String>>,
}

impl Wanted {
    /// Whether a group is asked for. Consumers are counted in one of two.
    pub(super) fn has(&self, group: &str) -> bool {
        const CONSUMERS: (&str, &str) = ("queue_consumer_count", "queue_metrics");
        match &self.groups {
            None => group != CONSUMERS.0,
            Some(groups) => {
                groups.contains(group) && !(group == CONSUMERS.0 && groups.contains(CONSUMERS.1))
            }
        }
    }

    /// Of some groups those that are asked for.
    pub(super) fn of<T>(&self, all: &'static [Group<T>]) -> Vec<&'static Group<T>> {
        all.iter().filter(|group| self.has(group.name)).collect()
    }

    /// Whether a virtual host is asked for.
    pub(super) fn has_host(&self, host: &VirtualHost) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(host.name().as_str()))
    }
}

/// The objects, as far as they are asked for.
pub(super) struct Objects {
    pub queues: Table<QueueFigures>,
    pub channels: Table<ChannelFigures>,
    pub connections: Table<ConnectionFigures>,
    pub exchanges: Table<ExchangeTotals>,
}

impl Objects {
    /// Looks at each of them. `with_gone`: adds what those had counted who are gone, for sums.
    pub(super) fn of(node: &Node, prefix: &'static str, wanted: &Wanted, with_gone: bool) -> Self {
        let mut objects = Self {
            queues: Table::new(prefix, wanted.of(QUEUES)),
            channels: Table::new(prefix, wanted.of(CHANNELS)),
            connections: Table::new(prefix, wanted.of(CONNECTIONS)),
            exchanges: Table::new(prefix, wanted.of(EXCHANGES)),
        };
        let Counting { hosts, ending, gone, .. } = node.counting();
        for host in hosts.iter().filter(|host| wanted.has_host(host)) {
            objects.add_host(node, host, with_gone);
        }
        if with_gone {
            ending.iter().for_each(|host| objects.add_host(node, host, true));
            objects.add_gone(&gone);
        } else {
            objects.add_clients(node);
        }
        objects
    }

    /// Adds what a virtual host has. In a sum nobody leaves meanwhile, so that nobody is missed.
    fn add_host(&mut self, node: &Node, host: &VirtualHost, with_gone: bool) {
        let vhost = ("vhost", host.name().as_str());
        if self.exchanges.is_wanted() {
            for exchange in host.exchanges() {
                let labels = [vhost, ("exchange", exchange.name().as_str())];
                self.exchanges.add(&labels, exchange.totals());
            }
        }
        let queues = host.queues();
        let gone = with_gone.then(|| host.statistics.gone.lock());
        let now = host.now();
        if self.queues.is_wanted() {
            for queue in queues.iter().filter(|queue| !queue.is_deleted()) {
                let labels = [vhost, ("queue", queue.name().as_str())];
                let labels = if with_gone { &[][..] } else { &labels[..] };
                self.queues.add(labels, QueueFigures::of(&queue.status(now)));
            }
        }
        let Some(gone) = gone else { return };
        self.add_gone(&gone);
        node.connections.each_of(host, |session, totals, send_pend| {
            let channels = session.channels();
            self.connections
                .add(&[], ConnectionFigures { totals, send_pend, channels: channels.len() });
            for channel in &channels {
                self.channels.add(&[], ChannelFigures::of(channel));
            }
        });
    }

    /// Adds what those had counted who are gone.
    fn add_gone(&mut self, gone: &Gone) {
        for (_, totals, _) in gone.queues() {
            self.queues.add(&[], QueueFigures { totals, ..QueueFigures::default() });
        }
        self.channels.add(&[], ChannelFigures::gone(gone.channels));
        self.connections.add(&[], ConnectionFigures::gone(gone.connections));
    }

    /// Adds connections and channels, one by one.
    fn add_clients(&mut self, node: &Node) {
        if self.connections.is_wanted() {
            for connection in node.connections.list(node.alarm().is_some()) {
                let labels = [("connection", connection.facts.name.as_str())];
                self.connections.add(&labels, ConnectionFigures::of(&connection));
            }
        }
        if self.channels.is_wanted() {
            for (facts, channel) in node.channels() {
                let name = channel_name(&facts, channel.id.number);
                self.channels.add(&[("channel", &name)], ChannelFigures::of(&channel));
            }
        }
    }
}
