//! Adding up what is counted of queues, channels and connections, so that nobody is missed and
//! nobody counted twice, and remembering it for rates.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::channel::status::ChannelStatus;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::{DeathTotals, HostTotals, QueueTotals};
use crate::insight::statistics::{INTERVAL_MS, Measured};
use crate::node::Node;
use crate::node::departed::Counting;
use crate::node::status::{ConnectionFacts, HostStatus, NodeStatus, ObjectTotals, TypeTotals};
use crate::queue::Queue;
use crate::queue::tally::QueueTally;
use crate::time::clock::Timestamp;
use crate::time::timers::Sleeper;
use crate::vhost::{Gone, VirtualHost};

/// Somebody who wants rates, for as long as it lives.
pub(crate) struct Watching(Arc<Node>);

/// What is added up of a virtual host.
#[derive(Default)]
struct Sums {
    totals: HostTotals,
    objects: ObjectTotals,
    by_type: BTreeMap<&'static str, (QueueTotals, DeathTotals)>,
}

impl Node {
    /// Measures rates from now on, for as long as what is returned lives.
    pub(crate) fn watch_statistics(self: &Arc<Self>) -> Watching {
        if self.statistics.watch() {
            self.sample();
            self.sample_later();
        }
        Watching(Arc::clone(self))
    }

    /// Whose counts make up the sums of the node.
    pub(crate) fn counting(&self) -> Counting {
        let mut departed = self.statistics.departed.lock();
        departed.counting(self.all_virtual_hosts())
    }

    /// The node at this moment.
    pub(crate) fn status(&self) -> NodeStatus {
        let mut sums = Sums::default();
        let Counting { hosts, ending, gone, mut churn } = self.counting();
        sums.add_gone(&gone);
        for host in hosts.iter().chain(&ending) {
            sums.add_host(self, host, Queue::tally);
            churn += host.statistics.churn.totals();
        }
        let samples = self.statistics.samples.lock();
        let (messages, churns) = (samples.messages.interval(), samples.churn.interval());
        drop(samples);
        let (memory, started_at) = (self.memory(), self.statistics.started_at);
        NodeStatus {
            started_at,
            uptime_ms: self.now().as_millis().saturating_sub(started_at.as_millis()),
            memory_used: memory.used(),
            memory_limit: memory.limit(),
            memory_alarm: memory.is_alarmed(),
            disk_alarm: self.is_low_on_disk(),
            objects: sums.objects,
            messages: Measured { totals: sums.totals, interval: messages },
            by_type: sums.by_type(),
            churn: Measured { totals: churn, interval: churns },
        }
    }

    /// What was counted in all virtual hosts in a span of time.
    pub(crate) fn samples(&self, span: Span) -> Vec<Sample<HostTotals>> {
        self.statistics.samples.lock().messages.samples(self.now(), span)
    }

    /// A virtual host at this moment.
    pub(crate) fn host_status(&self, host: &VirtualHost) -> HostStatus {
        let mut sums = Sums::default();
        sums.add_host(self, host, Queue::tally);
        HostStatus {
            name: host.name().clone(),
            messages: host.statistics.recent.lock().measured(sums.totals),
            objects: sums.objects,
        }
    }

    /// What was counted in a virtual host in a span of time.
    pub(crate) fn host_samples(&self, host: &VirtualHost, span: Span) -> Vec<Sample<HostTotals>> {
        host.statistics.recent.lock().samples(self.now(), span)
    }

    /// All open channels with their connections, by connection and number.
    pub(crate) fn channels(&self) -> Vec<(Arc<ConnectionFacts>, ChannelStatus)> {
        let sessions = self.connections.sessions();
        let with_facts = sessions.iter().filter_map(|session| {
            Some((self.connections.facts(session.id())?, session.channels()))
        });
        with_facts
            .flat_map(|(facts, channels)| {
                channels.into_iter().map(move |channel| (Arc::clone(&facts), channel))
            })
            .collect()
    }

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Remembers what is counted of everything at this moment.
    fn sample(&self) {
        let now = self.now();
        let is_first = self.statistics.samples.lock().is_first;
        self.connections.record(now, is_first);
        let Counting { hosts, ending, gone, mut churn } = self.counting();
        let mut departed = Sums::default();
        departed.add_gone(&gone);
        let mut all = departed.totals;
        for host in hosts.iter().chain(&ending) {
            host.exchanges().iter().for_each(|exchange| exchange.record(now, is_first));
            let mut sums = Sums::default();
            sums.add_host(self, host, |queue| queue.record(now, is_first));
            host.statistics.recent.lock().record(now, sums.totals, is_first);
            all += sums.totals;
            churn += host.statistics.churn.totals();
        }
        // Nobody asks for the figures of the process but over HTTP.
        #[cfg(feature = "management")]
        let figures = self.figures_now(&all);
        let mut samples = self.statistics.samples.lock();
        #[cfg(feature = "management")]
        samples.figures.record(now, figures);
        samples.messages.record(now, all);
        samples.churn.record(now, churn);
        samples.is_first = false;
    }

    /// Samples again at the end of the interval.
    fn sample_later(self: &Arc<Self>) {
        let passed = self.now().as_millis() / INTERVAL_MS;
        let next = Timestamp::from_millis((passed + 1) * INTERVAL_MS);
        self.timers().schedule_aside(next, self, self);
    }
}

/// The time for a sample has come.
impl Sleeper for Node {
    type Host = Self;

    fn wake(self: Arc<Self>, _: &Arc<Self>) {
        if self.statistics.is_watched() {
            self.sample();
            self.sample_later();
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.statistics.unwatch();
    }
}

impl Sums {
    /// Adds a virtual host. Nobody leaves meanwhile. `tally` asks each queue.
    fn add_host(&mut self, node: &Node, host: &VirtualHost, tally: impl Fn(&Queue) -> QueueTally) {
        let queues = host.queues();
        self.objects.exchanges += host.exchange_count();
        let gone = host.statistics.gone.lock();
        self.add_gone(&gone);
        for queue in queues.iter().filter(|queue| !queue.is_deleted()) {
            let QueueTally { totals, deaths, consumers } = tally(queue);
            self.objects.queues += 1;
            self.objects.consumers += consumers;
            let queue_type = queue.attributes().arguments.queue_type.as_str();
            self.add_queue(queue_type, &totals, &deaths);
        }
        node.connections.each_of(host, |session, octets, _| {
            self.objects.connections += 1;
            self.totals.add_connection(&octets);
            session.each_totals(|channel| {
                self.objects.channels += 1;
                self.objects.publishers += usize::from(channel.publish > 0);
                self.totals.add_channel(&channel);
            });
        });
        drop(gone);
    }

    /// Adds what those had counted who are gone.
    fn add_gone(&mut self, gone: &Gone) {
        self.totals.add_channel(&gone.channels);
        self.totals.add_connection(&gone.connections);
        for (queue_type, totals, deaths) in gone.queues() {
            self.add_queue(queue_type, &totals, &deaths);
        }
    }

    fn add_queue(&mut self, queue_type: &'static str, totals: &QueueTotals, deaths: &DeathTotals) {
        self.totals.add_queue(totals);
        let sum = self.by_type.entry(queue_type).or_default();
        sum.0 += *totals;
        sum.1 += *deaths;
    }

    fn by_type(self) -> Vec<TypeTotals> {
        let all = self.by_type.into_iter();
        all.map(|(queue_type, (totals, deaths))| TypeTotals { queue_type, totals, deaths })
            .collect()
    }
}
