//! Super streams: created, deleted and looked at by the embedding program.

use std::sync::Arc;

use crate::Broker;
use crate::access::Actor;
use crate::error::{Error, NotAllowed, Result};
use crate::queue::effects::Effects;
use crate::vhost::{SuperStreamDeclare, SuperStreamError, VirtualHost};

impl Broker {
    /// Creates a super stream with its partitions, or nothing of it. When this returns it survives
    /// what the broker survives.
    ///
    /// ```
    /// use leveret::{Broker, SuperStreamDeclare};
    ///
    /// let broker = Broker::new();
    /// broker.create_super_stream("/", &SuperStreamDeclare::new("orders", 2))?;
    /// let partitions = broker.partitions("/", "orders")?;
    /// assert_eq!(partitions, ["orders-0", "orders-1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SuperStreamError`]: it cannot be, is there already, or the broker refuses a part of it;
    /// the disk fails.
    pub fn create_super_stream(
        &self,
        virtual_host: &str,
        declare: &SuperStreamDeclare,
    ) -> Result<(), SuperStreamError> {
        let (host, actor) = self.on_behalf_of(virtual_host)?;
        let mut effects = Effects::new();
        let created = host.create_super_stream(&actor, declare, &mut effects);
        host.run(&mut effects);
        created?;
        Ok(self.wait_until_durable()?)
    }

    /// Deletes a super stream with its partitions; tells which these were.
    ///
    /// # Errors
    /// 404 if there is no such super stream; the disk fails.
    pub fn delete_super_stream(&self, virtual_host: &str, name: &str) -> Result<Vec<String>> {
        let (host, actor) = self.on_behalf_of(virtual_host)?;
        let mut effects = Effects::new();
        let deleted = host.delete_super_stream(&actor, name, &mut effects);
        host.run(&mut effects);
        let partitions = deleted?;
        self.wait_until_durable()?;
        Ok(partitions.iter().map(ToString::to_string).collect())
    }

    /// The partitions of a super stream, in order.
    ///
    /// # Errors
    /// 404 if there is no such super stream.
    pub fn partitions(&self, virtual_host: &str, name: &str) -> Result<Vec<String>> {
        let partitions = self.on_behalf_of(virtual_host)?.0.partitions(name)?;
        Ok(partitions.iter().map(ToString::to_string).collect())
    }

    /// A virtual host, and the broker as who does something in it.
    fn on_behalf_of(&self, virtual_host: &str) -> Result<(Arc<VirtualHost>, Actor)> {
        let host = self.node.virtual_host(virtual_host);
        let host =
            host.ok_or_else(|| Error::from(NotAllowed::NoVirtualHost(virtual_host.into())))?;
        let actor = Actor::trusted(None, host.name().clone(), Arc::clone(&self.node.access));
        Ok((host, actor))
    }

    fn wait_until_durable(&self) -> Result<()> {
        self.node.persistence().map_or(Ok(()), |store| store.wait_until_durable())
    }
}
