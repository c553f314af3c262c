//! A port, and what is served on it: the API, metrics, or both.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::management::endpoint::Service;

/// A port that is open.
#[derive(Debug)]
pub(super) struct Port {
    pub address: SocketAddr,
    api: AtomicBool,
    metrics: AtomicBool,
}

impl Port {
    /// A port on which nothing is served yet.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, api: AtomicBool::new(false), metrics: AtomicBool::new(false) }
    }

    fn flag(&self, service: Service) -> &AtomicBool {
        match service {
            Service::Api => &self.api,
            Service::Metrics => &self.metrics,
        }
    }

    /// Serves this from now on, besides what it serves already.
    pub(super) fn serve(&self, service: Service) {
        self.flag(service).store(true, Ordering::Release);
    }

    /// Whether this is served.
    pub(super) fn serves(&self, service: Service) -> bool {
        self.flag(service).load(Ordering::Acquire)
    }
}
