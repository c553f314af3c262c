//! RabbitMQ's HTTP API, over hyper: what its management plugin answers, with its addresses, its
//! rights, its status codes and its texts.
//!
//! A request becomes a [`call::Call`]; [`router`] finds its endpoint in the [`routes`], asks
//! [`rights`] whether its user may, and lets the endpoint answer. There is a file for each noun
//! in [`api`], and [`metrics`] beside it; [`list`] is what all lists have in common: columns,
//! order, pages. Endpoints are plain functions, run on threads where they may wait for the disk.

mod answer;
mod api;
mod body;
mod call;
mod client;
mod cors;
mod endpoint;
mod json;
mod list;
#[cfg(unix)]
mod local;
mod login;
mod manager;
mod metrics;
mod order;
mod page;
mod path;
mod places;
mod port;
mod rights;
mod router;
mod routes;
mod server;
mod settings;
mod snapshots;
mod term;
mod throttle;
mod version;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

pub use self::settings::HttpSettings;

use self::endpoint::Service;
use self::manager::Manager;
use self::port::Port;
use crate::node::Node;
use crate::node::certificates::Certificates;
use crate::node::listeners::Listener;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// Built without TLS: no listener has it.
#[cfg(not(feature = "tls"))]
#[derive(Clone)]
enum Tls {}

/// Threads on which endpoints run, at most: requests beyond that wait.
const ENDPOINT_THREADS_MAX: usize = 16;

/// The threads that serve HTTP for one broker.
pub(crate) struct Management {
    runtime: Runtime,
    manager: Arc<Manager>,
    ports: Vec<Arc<Port>>,
    #[cfg(unix)]
    sockets: Vec<local::SocketFile>,
}

impl Management {
    /// Starts the threads.
    pub(crate) fn start(node: &Arc<Node>, settings: HttpSettings) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(ENDPOINT_THREADS_MAX)
            .thread_name("leveret-http")
            .enable_all()
            .build()?;
        let reference = page::reference::text(routes::endpoints());
        let manager = Arc::new(Manager::new(Arc::clone(node), settings, reference));
        Ok(Self {
            runtime,
            manager,
            ports: Vec::new(),
            #[cfg(unix)]
            sockets: Vec::new(),
        })
    }

    /// Serves the API on an address; returns the one that was bound.
    pub(crate) fn serve_api(&mut self, address: impl ToSocketAddrs) -> io::Result<SocketAddr> {
        self.serve(address, Service::Api, "http")
    }

    /// Serves the API over TLS; returns the address that was bound.
    #[cfg(feature = "tls")]
    pub(crate) fn serve_api_tls(
        &mut self,
        address: impl ToSocketAddrs,
        tls: &Tls,
    ) -> io::Result<SocketAddr> {
        let addresses: Vec<_> = address.to_socket_addrs()?.collect();
        let port = self.open(&addresses, Some(tls.clone()), Service::Api)?;
        let certificates = Some(Arc::clone(tls.certificates()));
        self.tell_of("https", port.address, certificates);
        Ok(port.address)
    }

    /// Serves metrics on an address, which may be one that the API is served on; returns the one
    /// that was bound.
    pub(crate) fn serve_metrics(&mut self, address: impl ToSocketAddrs) -> io::Result<SocketAddr> {
        self.serve(address, Service::Metrics, "http/prometheus")
    }

    fn serve(
        &mut self,
        address: impl ToSocketAddrs,
        service: Service,
        protocol: &'static str,
    ) -> io::Result<SocketAddr> {
        let addresses: Vec<_> = address.to_socket_addrs()?.collect();
        let is_meant = |port: &&Arc<Port>| addresses.contains(&port.address);
        let port = match self.ports.iter().find(is_meant) {
            Some(port) => Arc::clone(port),
            None => self.open(&addresses, None, service)?,
        };
        port.serve(service);
        self.tell_of(protocol, port.address, None);
        Ok(port.address)
    }

    /// A port was opened. Nobody is asked for a certificate there.
    fn tell_of(
        &self,
        protocol: &'static str,
        address: SocketAddr,
        certificates: Option<Arc<Certificates>>,
    ) {
        let asks_for_certificates = false;
        let listener = Listener { protocol, address, certificates, asks_for_certificates };
        self.manager.node.listeners.add(listener);
    }

    fn open(
        &mut self,
        addresses: &[SocketAddr],
        tls: Option<Tls>,
        service: Service,
    ) -> io::Result<Arc<Port>> {
        let listener = crate::base::bind::bind(addresses)?;
        let port = Arc::new(Port::new(listener.local_addr()?));
        // Whoever comes first is to find it.
        port.serve(service);
        let _inside = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.ports.push(Arc::clone(&port));
        let manager = Arc::clone(&self.manager);
        self.runtime.spawn(server::serve(listener, tls, Arc::clone(&port), manager));
        Ok(port)
    }

    /// Serves the API on a socket of this machine, without logins.
    #[cfg(unix)]
    pub(crate) fn serve_locally(&mut self, path: &std::path::Path) -> io::Result<()> {
        let (listener, file) = local::bind(path)?;
        self.sockets.push(file);
        let port = Arc::new(Port::local());
        port.serve(Service::Api);
        let _inside = self.runtime.enter();
        let listener = tokio::net::UnixListener::from_std(listener)?;
        self.runtime.spawn(local::serve(listener, port, Arc::clone(&self.manager)));
        Ok(())
    }

    /// Stops, without waiting for answers that are under way; the local socket's file is gone
    /// after that.
    pub(crate) fn stop(self) {
        self.runtime.shutdown_background();
    }
}
