//! Why a message goes where it goes.

use amq_protocol::types::FieldTable;

use crate::broker::Broker;
use crate::error::Result;
use crate::insight::explanation::Explanation;

impl Broker {
    /// Tells where a message would go and why: which bindings match and which nearly do, exchanges
    /// on the way, and what the queues would do with it. Nothing is published.
    ///
    /// ```
    /// # use leveret::{Broker, FieldTable};
    /// let broker = Broker::new();
    /// let channel = broker.connect()?.open_channel()?;
    /// channel.exchange_declare("orders", "topic")?;
    /// channel.queue_declare("billing")?;
    /// channel.queue_bind("billing", "orders", "order.created")?;
    /// let answer = broker.explain("/", "orders", "order.creatd", &FieldTable::default())?;
    /// assert!(answer.is_unroutable());
    /// let expected = "word 2 of the key is 'creatd', not 'created'";
    /// assert!(answer.to_string().contains(expected));
    /// # Ok::<(), leveret::Error>(())
    /// ```
    ///
    /// # Errors
    /// 404 if there is no such exchange, 406 for a header `CC` or `BCC` that is no list of texts,
    /// 530 if there is no such virtual host.
    pub fn explain(
        &self,
        virtual_host: &str,
        exchange: &str,
        routing_key: &str,
        headers: &FieldTable,
    ) -> Result<Explanation> {
        self.node().host(virtual_host)?.explain(exchange, routing_key, headers)
    }
}
