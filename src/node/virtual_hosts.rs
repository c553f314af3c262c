//! Virtual hosts come and go.

use std::sync::Arc;

use dashmap::Entry;

use crate::base::names::VirtualHostName;
use crate::node::Node;
use crate::vhost::{HostMetadata, VirtualHost};

/// A virtual host is protected from deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protected;

impl Node {
    /// Adds a virtual host, unless there is one of that name.
    pub(crate) fn add_virtual_host(&self, name: VirtualHostName) -> Arc<VirtualHost> {
        self.put_virtual_host(name, HostMetadata::default()).0
    }

    /// As [`Node::add_virtual_host`], with what is known of it; one that exists stays as it is.
    /// Tells whether there was none.
    pub(crate) fn put_virtual_host(
        &self,
        name: VirtualHostName,
        metadata: HostMetadata,
    ) -> (Arc<VirtualHost>, bool) {
        let _one_at_a_time = self.host_changes.lock();
        let (host, is_new) = match self.virtual_hosts.entry(name) {
            Entry::Occupied(known) => (Arc::clone(known.get()), false),
            Entry::Vacant(place) => {
                let host = VirtualHost::new(place.key().clone(), metadata, self.shared.clone());
                self.tell_host_created(&host);
                (Arc::clone(&place.insert(host)), true)
            }
        };
        if is_new {
            self.record_virtual_host(&host);
        }
        (host, is_new)
    }

    /// A virtual host of an earlier life, with what was known of it. The default one is there
    /// already, and stays as it is if nothing was.
    pub(crate) fn restore_virtual_host(
        &self,
        name: &str,
        metadata: Option<HostMetadata>,
    ) -> Arc<VirtualHost> {
        let (host, is_new) =
            self.put_virtual_host(name.into(), metadata.clone().unwrap_or_default());
        if let Some(metadata) = metadata.filter(|_| !is_new) {
            self.describe_virtual_host(&host, metadata);
        }
        host
    }

    /// Replaces what is known of a virtual host.
    pub(crate) fn describe_virtual_host(&self, host: &VirtualHost, metadata: HostMetadata) {
        let _one_at_a_time = self.host_changes.lock();
        host.set_metadata(metadata);
        if !host.is_closed() {
            self.record_virtual_host(host);
        }
    }

    fn record_virtual_host(&self, host: &VirtualHost) {
        let Some(store) = self.persistence() else { return };
        // Texts and truth values always can be written.
        let metadata = serde_json::to_vec(&*host.metadata()).unwrap_or_default();
        store.put_virtual_host(host.name().as_str(), metadata);
    }

    /// Deletes a virtual host with everything in it, its permissions, and its connections. Tells
    /// whether there was one.
    pub(crate) fn remove_virtual_host(&self, name: &str) -> Result<bool, Protected> {
        let _one_at_a_time = self.host_changes.lock();
        let is_free =
            |_: &VirtualHostName, host: &Arc<VirtualHost>| !host.metadata().protected_from_deletion;
        let mut departed = self.statistics.departed.lock();
        let Some((_, host)) = self.virtual_hosts.remove_if(name, is_free) else {
            return if self.virtual_hosts.contains_key(name) { Err(Protected) } else { Ok(false) };
        };
        departed.add(Arc::clone(&host));
        drop(departed);
        host.begin_deletion();
        self.access.remove_virtual_host(name);
        let reason = format!("vhost '{name}' is deleted");
        self.connections.close_where(&reason, |session| Arc::ptr_eq(&session.virtual_host, &host));
        self.forget_host_parameters(name);
        host.delete_everything();
        self.herald().tell("vhost.deleted", |told| told.text("name", name));
        if let Some(store) = self.persistence() {
            store.forget_virtual_host(name);
            self.forget_host_limits(name);
        }
        Ok(true)
    }
}
