//! Looking at everything that is counted in a broker.

use std::sync::Arc;

use crate::broker::Broker;
use crate::channel::status::ChannelStatus;
use crate::error::Result;
use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::{
    ChannelTotals, ConnectionTotals, ExchangeTotals, HostTotals, QueueTotals,
};
use crate::node::Node;
use crate::node::statistics::Watching;
use crate::node::status::{ConnectionFacts, ConnectionStatus, HostStatus, NodeStatus};
use crate::queue::status::{ConsumerStatus, QueueStatus};

/// All that is counted in a broker, and its connections, channels and consumers, at the moment at
/// which it is asked.
pub struct View(Arc<Node>);

/// Rates are measured for as long as it lives.
pub struct Rates(#[allow(dead_code, reason = "it counts until it is dropped")] Watching);

impl View {
    /// Of this broker.
    pub fn of(broker: &Broker) -> Self {
        Self(Arc::clone(broker.node()))
    }

    /// Measures rates from now on.
    #[must_use = "rates are measured for as long as it lives"]
    pub fn measure_rates(&self) -> Rates {
        Rates(self.0.watch_statistics())
    }

    /// The node as a whole.
    pub fn node(&self) -> NodeStatus {
        self.0.status()
    }

    /// What all virtual hosts had counted in a span of time.
    pub fn samples(&self, span: Span) -> Vec<Sample<HostTotals>> {
        self.0.samples(span)
    }

    /// Open connections.
    pub fn connections(&self) -> Vec<ConnectionStatus> {
        self.0.connections.list(self.0.alarm().is_some())
    }

    /// What came and went on a connection in a span of time.
    pub fn connection_samples(&self, id: u64, span: Span) -> Vec<Sample<ConnectionTotals>> {
        self.0.connections.samples(id, self.0.clock().now(), span)
    }

    /// Asks a connection to end; tells whether it is open.
    pub fn close_connection(&self, id: u64, reason: &str) -> bool {
        self.0.connections.close(id, reason)
    }

    /// Open channels, with their connections.
    pub fn channels(&self) -> Vec<(Arc<ConnectionFacts>, ChannelStatus)> {
        self.0.channels()
    }

    /// What a channel had counted in a span of time.
    pub fn channel_samples(
        &self,
        connection: u64,
        number: u16,
        span: Span,
    ) -> Vec<Sample<ChannelTotals>> {
        let session = self.0.connections.session(connection);
        let now = self.0.clock().now();
        session.map_or(Vec::new(), |session| session.samples(number, now, span))
    }

    /// A virtual host. `None` if there is none of that name.
    pub fn virtual_host(&self, name: &str) -> Option<HostStatus> {
        Some(self.0.host_status(&*self.0.virtual_host(name)?))
    }

    /// What a virtual host had counted in a span of time.
    pub fn virtual_host_samples(&self, name: &str, span: Span) -> Vec<Sample<HostTotals>> {
        let host = self.0.virtual_host(name);
        host.map_or(Vec::new(), |host| self.0.host_samples(&host, span))
    }

    /// A queue. Errors: 404.
    pub fn queue(&self, virtual_host: &str, queue: &str) -> Result<QueueStatus> {
        let host = self.0.host(virtual_host)?;
        Ok(host.queue(queue)?.status(host.now()))
    }

    /// What a queue had counted in a span of time. Errors: 404.
    pub fn queue_samples(
        &self,
        virtual_host: &str,
        queue: &str,
        span: Span,
    ) -> Result<Vec<Sample<QueueTotals>>> {
        let host = self.0.host(virtual_host)?;
        Ok(host.queue(queue)?.samples(host.now(), span))
    }

    /// The consumers of a queue. Errors: 404.
    pub fn consumers(&self, virtual_host: &str, queue: &str) -> Result<Vec<ConsumerStatus>> {
        Ok(self.0.host(virtual_host)?.queue(queue)?.consumers())
    }

    /// An exchange. Errors: 404.
    pub fn exchange(&self, virtual_host: &str, exchange: &str) -> Result<Measured<ExchangeTotals>> {
        Ok(self.0.host(virtual_host)?.exchange(exchange)?.measured())
    }

    /// What an exchange had counted in a span of time. Errors: 404.
    pub fn exchange_samples(
        &self,
        virtual_host: &str,
        exchange: &str,
        span: Span,
    ) -> Result<Vec<Sample<ExchangeTotals>>> {
        let host = self.0.host(virtual_host)?;
        Ok(host.exchange(exchange)?.samples(host.now(), span))
    }
}
