//! What administrators set of a virtual host: its metadata and its limits.

use std::sync::Arc;

use crate::vhost::{HostLimits, HostMetadata, VirtualHost};

impl VirtualHost {
    /// What is known of it besides its name.
    pub(crate) fn metadata(&self) -> Arc<HostMetadata> {
        Arc::clone(&self.metadata.read())
    }

    /// Replaces what is known of it.
    pub(crate) fn set_metadata(&self, metadata: HostMetadata) {
        *self.metadata.write() = Arc::new(metadata);
    }

    /// Its limits.
    pub(crate) fn limits(&self) -> HostLimits {
        *self.limits.read()
    }

    /// Replaces its limits.
    pub(crate) fn set_limits(&self, limits: HostLimits) {
        *self.limits.write() = limits;
    }
}
