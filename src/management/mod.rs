//! RabbitMQ's HTTP API, over hyper: what its management plugin answers, with its addresses, its
//! rights, its status codes and its texts.
//!
//! A request becomes a [`call::Call`]; [`router`] finds its endpoint in the [`routes`], asks
//! [`rights`] whether its user may, and lets the endpoint answer. There is a file for each noun
//! in [`api`]; [`list`] is what all lists have in common: columns, order, pages. Endpoints are
//! plain functions, run on threads where they may wait for the disk.

mod answer;
mod api;
mod body;
mod call;
mod client;
mod cors;
mod endpoint;
mod json;
mod list;
mod login;
mod manager;
mod page;
mod path;
mod rights;
mod router;
mod routes;
mod server;
mod settings;
mod term;
mod throttle;
mod version;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

pub use self::settings::HttpSettings;

use self::manager::Manager;
use crate::node::Node;

/// Threads on which endpoints run, at most: requests beyond that wait.
const ENDPOINT_THREADS_MAX: usize = 16;

/// The threads that serve HTTP for one broker.
pub(crate) struct Management {
    runtime: Runtime,
    manager: Arc<Manager>,
}

impl Management {
    /// Starts the threads.
    pub fn start(node: &Arc<Node>, settings: HttpSettings) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(ENDPOINT_THREADS_MAX)
            .thread_name("leveret-http")
            .enable_all()
            .build()?;
        let reference = page::reference::text(routes::endpoints());
        let manager = Arc::new(Manager::new(Arc::clone(node), settings, reference));
        Ok(Self { runtime, manager })
    }

    /// Listens on an address; returns the one that was bound.
    pub fn listen(&self, address: impl std::net::ToSocketAddrs) -> io::Result<SocketAddr> {
        let listener = crate::base::bind::bind(address)?;
        let bound = listener.local_addr()?;
        let _inside = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.manager.listeners.write().push(bound);
        self.runtime.spawn(server::serve(listener, Arc::clone(&self.manager)));
        Ok(bound)
    }

    /// Stops, without waiting for answers that are under way.
    pub fn stop(self) {
        self.runtime.shutdown_background();
    }
}
