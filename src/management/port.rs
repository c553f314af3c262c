//! A port, and what is served on it: the API, metrics, or both.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::management::endpoint::Service;

/// A port that is open.
#[derive(Debug)]
pub(super) struct Port {
    pub address: SocketAddr,
    /// Whoever reaches it is an administrator, unless a request has a login.
    pub is_trusted: bool,
    api: AtomicBool,
    metrics: AtomicBool,
}

impl Port {
    /// A port on which nothing is served yet.
    pub(super) fn new(address: SocketAddr) -> Self {
        let (api, metrics) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { address, is_trusted: false, api, metrics }
    }

    /// One on a socket of this machine, that only its owner may open.
    #[cfg(unix)]
    pub(super) fn local() -> Self {
        Self { is_trusted: true, ..Self::new(SocketAddr::from(([127, 0, 0, 1], 0))) }
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
