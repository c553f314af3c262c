//! Connections of clients in this process, without a port.

mod pipe;
mod stream;
pub(crate) mod threads;

pub use self::stream::MemoryStream;

use std::io;
use std::sync::Arc;

use leveret_protocol::ConnectionConfig;
use leveret_stream_protocol::ConnectionConfig as StreamConfig;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::gateway::amqp::connection_task::ConnectionTask;
use crate::gateway::line::Line;
use crate::gateway::listener::connection_config;
#[cfg(feature = "remote")]
use crate::gateway::login::mechanisms;
use crate::gateway::newcomer::{Start, Unfinished};
use crate::gateway::peer::Peer;
use crate::gateway::stream::connection_task::ConnectionTask as StreamConnectionTask;
use crate::gateway::stream::{Advertised, AdvertisedAddress};
use crate::gateway::{STOP, wait_for};
use crate::node::Node;
use crate::time::clock::Clock;
use crate::time::quiescence::Watched;

/// What the connections of one broker share. Made with the first of them.
struct Serving {
    runtime: Handle,
    tasks: JoinSet<()>,
    config: Arc<ConnectionConfig>,
    stream_config: Arc<StreamConfig>,
    unfinished: Arc<Semaphore>,
    line: Line,
    /// Shared with every connection.
    alive: Arc<()>,
}

/// Opens in-memory streams to a broker.
pub(crate) struct InMemory {
    broker: Arc<Node>,
    serving: Mutex<Option<Serving>, rank::StreamTasks>,
}

impl InMemory {
    /// For this broker; nothing is started yet.
    pub(crate) fn new(broker: &Arc<Node>) -> Arc<Self> {
        Arc::new(Self { broker: Arc::clone(broker), serving: Mutex::default() })
    }

    /// Opens a stream, and serves its other end. `heartbeat_s` is the interval that is proposed,
    /// in seconds; `None` for that of the broker's limits.
    ///
    /// # Errors
    /// `ConnectionRefused` when the broker is closed; others if the threads cannot be started.
    pub(crate) fn connect(&self, heartbeat_s: Option<u16>) -> io::Result<MemoryStream> {
        self.with(|serving| {
            let config = match heartbeat_s {
                Some(heartbeat_s) if heartbeat_s != serving.config.heartbeat_s => {
                    Arc::new(ConnectionConfig { heartbeat_s, ..(*serving.config).clone() })
                }
                _ => Arc::clone(&serving.config),
            };
            serving.serve(&self.broker, config, Peer::in_memory(), ConnectionTask::new)
        })
    }

    /// As [`InMemory::connect`], for a link of the broker itself, which logs in without
    /// credentials, by the mechanism `EXTERNAL`, if it `is_trusted`.
    ///
    /// # Errors
    /// As for [`InMemory::connect`].
    #[cfg(feature = "remote")]
    pub(crate) fn connect_link(&self, is_trusted: bool) -> io::Result<MemoryStream> {
        self.with(|serving| {
            // In one process neither end can lose the other. And links are not on the broker's
            // clock: it may be moved by hours while they connect.
            let (heartbeat_s, handshake_timeout_ms) = (0, u64::MAX);
            let mut config =
                ConnectionConfig { heartbeat_s, handshake_timeout_ms, ..(*serving.config).clone() };
            let mut peer = Peer::in_memory();
            if is_trusted {
                config.mechanisms = mechanisms(true).join(" ");
                peer = Peer::trusted();
            }
            serving.serve(&self.broker, Arc::new(config), peer, ConnectionTask::new)
        })
    }

    /// Opens a stream for the stream protocol, and serves its other end.
    ///
    /// # Errors
    /// As for [`InMemory::connect`].
    pub(crate) fn connect_stream(&self) -> io::Result<MemoryStream> {
        self.with(|serving| {
            let config = Arc::clone(&serving.stream_config);
            serving.serve(&self.broker, config, Peer::in_memory(), |socket, start| {
                let advertised = Advertised::new(&AdvertisedAddress::default(), None);
                StreamConnectionTask::new(socket, advertised, start)
            })
        })
    }

    fn with(&self, open: impl FnOnce(&mut Serving) -> MemoryStream) -> io::Result<MemoryStream> {
        let mut serving = self.serving.lock();
        if self.broker.connections.is_closed() {
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "broker was closed"));
        }
        let serving = match &mut *serving {
            Some(serving) => serving,
            none => none.insert(Serving::start(&self.broker)?),
        };
        Ok(open(serving))
    }

    /// Whether there may be connections.
    pub(crate) fn is_serving(&self) -> bool {
        self.serving.lock().is_some()
    }

    /// Ends every connection that is left; when this returns their streams are closed.
    pub(crate) fn stop(&self) {
        let Some(mut serving) = self.serving.lock().take() else { return };
        serving.tasks.abort_all();
        wait_for(STOP, || Arc::strong_count(&serving.alive) == 1);
    }
}

impl Serving {
    fn start(broker: &Node) -> io::Result<Self> {
        let limits = &broker.limits;
        let runtime = threads::runtime()?;
        Ok(Self {
            line: Line::new(runtime.metrics().num_workers()),
            runtime,
            tasks: JoinSet::new(),
            config: Arc::new(connection_config(broker, false)),
            stream_config: Arc::new(crate::gateway::stream::connection_config(broker, false)),
            unfinished: Arc::new(Semaphore::new(limits.unfinished_handshakes_max.max(1))),
            alive: Arc::default(),
        })
    }

    fn serve<C: Send + Sync + 'static, F: Future<Output = ()> + Send + 'static>(
        &mut self,
        broker: &Arc<Node>,
        config: Arc<C>,
        peer: Peer,
        serve_one: impl FnOnce(MemoryStream, Start<C>) -> F + Send + 'static,
    ) -> MemoryStream {
        while self.tasks.try_join_next().is_some() {}
        let (near, far) = MemoryStream::pair();
        let (broker, alive) = (Arc::clone(broker), Arc::clone(&self.alive));
        let clock = broker.clock().clone();
        let (unfinished, line) = (Arc::clone(&self.unfinished), self.line.clone());
        let is_manual = matches!(clock, Clock::Manual(_));
        let quiescence = Arc::clone(&broker.timers().quiescence);
        let task = Box::pin(async move {
            let Ok(permit) = unfinished.acquire_owned().await else { return };
            let unfinished = Unfinished::Permit { _permit: permit };
            let start = Start { broker, config, clock, peer, unfinished, line, alive };
            serve_one(far, start).await;
        });
        if is_manual {
            self.tasks.spawn_on(Watched::new(task, &quiescence), &self.runtime);
        } else {
            self.tasks.spawn_on(task, &self.runtime);
        }
        near
    }
}
