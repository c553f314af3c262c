//! A connection that comes again when it is lost.

use std::collections::HashSet;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Weak};
use std::time::Duration;

use amq_protocol::protocol::AMQPErrorKind;
use futures_core::Stream;
use lapin::{ErrorKind, Event};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::channel::Shared;
use super::topology::Topology;
use crate::base::broker_uri::BrokerUri;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::error::{Error, Result, Scope};
use crate::remote::connect::Connector;

/// What the other broker gets to know the connection by.
const NAME: &str = "leveret";

/// How long it is waited before it is tried again: twice as long each time.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// How long a method waits for a connection that is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take until all that a lost connection had is there again.
const RESTORE: Duration = Duration::from_secs(30);

/// How long the other broker may take to say farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// Codes of what is said if nobody can be reached, or the URI is none.
const UNREACHABLE: u16 = 320;
const BAD_URI: u16 = 402;
const REFUSED: u16 = 403;

/// Whether there is a connection.
#[derive(Clone)]
pub(super) enum Link {
    Up { generation: u64, connection: Arc<lapin::Connection> },
    Down,
    Closed,
}

/// What the connection and its channels share.
pub(super) struct Inner {
    pub threads: Handle,
    connector: Connector,
    uri: BrokerUri,
    link: watch::Sender<Link>,
    pub topology: Mutex<Topology, rank::RemoteTopology>,
    /// Exchanges that are known to be there.
    pub exchanges: Mutex<HashSet<String>, rank::RemoteExchanges>,
    channels: Mutex<Vec<Weak<Shared>>, rank::RemoteChannels>,
}

/// A connection to another broker, which closes when it is dropped.
pub(crate) struct RemoteConnection {
    pub(super) inner: Arc<Inner>,
    threads: Option<Runtime>,
}

/// Has work done by the threads of a connection, and waits for it; nothing if they are gone.
pub(super) fn wait_for<T: Send + 'static>(
    threads: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (done, result) = std::sync::mpsc::sync_channel(1);
    threads.spawn(async move {
        // Who asked waits below.
        let _ = done.send(work.await);
    });
    result.recv().ok()
}

impl RemoteConnection {
    /// Connects.
    ///
    /// # Errors
    /// 402 if the URI is none, 403 if the other broker does not let it in, 320 if it does not
    /// answer.
    pub(crate) fn open(uri: &str) -> Result<Self> {
        let bad = |text: &str| error(BAD_URI, text);
        let uri = BrokerUri::parse(uri).map_err(|reason| bad(&reason))?;
        if uri.is_local() {
            return Err(bad("a URI needs a host, such as amqp://user:password@host"));
        }
        let mut threads = Builder::new_multi_thread();
        let threads = threads.worker_threads(1).thread_name("leveret-remote").enable_all().build();
        let threads = threads.map_err(|reason| error(UNREACHABLE, &reason.to_string()))?;
        let connector = Connector { threads: threads.handle().clone(), here: Weak::new() };
        let inner = Arc::new(Inner {
            threads: threads.handle().clone(),
            connector,
            uri,
            link: watch::Sender::new(Link::Down),
            topology: Mutex::default(),
            exchanges: Mutex::default(),
            channels: Mutex::default(),
        });
        let opening = Arc::clone(&inner);
        let opened = wait_for(&inner.threads, async move {
            let connection = Arc::new(opening.connect().await?);
            opening
                .link
                .send_replace(Link::Up { generation: 1, connection: Arc::clone(&connection) });
            tokio::spawn(supervise(Arc::downgrade(&opening), connection));
            Ok(())
        });
        match opened {
            Some(Ok(())) => Ok(Self { inner, threads: Some(threads) }),
            failed => {
                threads.shutdown_background();
                Err(failed.and_then(Result::err).unwrap_or(Error::ChannelClosed))
            }
        }
    }

    /// Closes it; what was not acknowledged goes back.
    pub(crate) fn close(&self) {
        let before = self.inner.link.send_replace(Link::Closed);
        if let Link::Up { connection, .. } = before {
            // Who does not answer is left.
            wait_for(&self.inner.threads, async move {
                tokio::time::timeout(FAREWELL, connection.close(200, "OK".into())).await.is_ok()
            });
        }
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(*self.inner.link.borrow(), Link::Closed)
    }
}

impl Drop for RemoteConnection {
    fn drop(&mut self) {
        self.close();
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

impl fmt::Display for RemoteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner.uri)
    }
}

fn error(code: u16, text: &str) -> Error {
    Error::Remote { code, text: text.to_owned(), scope: Scope::Connection }
}

impl Inner {
    async fn connect(&self) -> Result<lapin::Connection> {
        let connected = self.connector.connect_hearing(&self.uri, NAME).await;
        connected.map(|(connection, _)| connection).map_err(|reason| {
            let code = if reason.contains("ACCESS_REFUSED") { REFUSED } else { UNREACHABLE };
            error(code, &format!("{}: {reason}", self.uri))
        })
    }

    pub(super) fn add(&self, channel: &Arc<Shared>) {
        let mut channels = self.channels.lock();
        channels.retain(|known| known.strong_count() > 0);
        channels.push(Arc::downgrade(channel));
    }

    /// The connection, waited for if it is lost.
    ///
    /// # Errors
    /// 504 if it is closed, or does not come again.
    pub(super) async fn up(&self) -> Result<(u64, Arc<lapin::Connection>)> {
        let mut link = self.link.subscribe();
        let known = |link: &Link| !matches!(link, Link::Down);
        let waited = tokio::time::timeout(PATIENCE, link.wait_for(known)).await;
        match waited {
            Ok(Ok(link)) => match &*link {
                Link::Up { generation, connection } => Ok((*generation, Arc::clone(connection))),
                Link::Down | Link::Closed => Err(Error::ChannelClosed),
            },
            _ => Err(Error::ChannelClosed),
        }
    }

    /// What comes of `work`, unless the connection is lost before: what is under way on a lost
    /// connection may never end by itself.
    pub(super) async fn unless_lost<T>(
        &self,
        generation: u64,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut link = self.link.subscribe();
        let is_lost =
            |link: &Link| !matches!(link, Link::Up { generation: now, .. } if *now == generation);
        tokio::select! {
            biased;
            done = work => Some(done),
            _ = link.wait_for(is_lost) => None,
        }
    }

    /// Replaces what is there, unless it was closed. Whether it was not.
    fn set(&self, link: Link) -> bool {
        self.link.send_if_modified(|known| {
            let is_open = !matches!(known, Link::Closed);
            if is_open {
                *known = link;
            }
            is_open
        })
    }

    /// The connection is there again: what was declared is declared, channels go on.
    async fn restore(&self, generation: u64, connection: &Arc<lapin::Connection>) {
        self.exchanges.lock().clear();
        let topology = self.topology.lock().clone();
        topology.declare(connection).await;
        let channels: Vec<_> = self.channels.lock().iter().filter_map(Weak::upgrade).collect();
        for channel in channels {
            channel.go_on(generation, connection).await;
        }
    }
}

/// Waits until the connection is lost.
async fn lost(connection: &lapin::Connection) {
    let mut events = Box::pin(connection.events_listener());
    while connection.status().connected() {
        match poll_fn(|cx| events.as_mut().poll_next(cx)).await {
            Some(Event::Error(error)) if !is_soft(&error) => return,
            Some(_) => {}
            None => return,
        }
    }
}

fn is_soft(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(_)))
}

/// Connects again whenever the connection is lost, until it is closed.
async fn supervise(inner: Weak<Inner>, mut connection: Arc<lapin::Connection>) {
    let mut generation = 1;
    loop {
        lost(&connection).await;
        let mut again = AGAIN;
        connection = loop {
            let Some(inner) = inner.upgrade().filter(|inner| inner.set(Link::Down)) else { return };
            match inner.connect().await {
                Ok(connection) => break Arc::new(connection),
                Err(error) => tracing::warn!("{error}"),
            }
            drop(inner);
            tokio::time::sleep(again).await;
            again = (again * 2).min(AGAIN_MAX);
        };
        generation += 1;
        let Some(inner) = inner.upgrade() else { return };
        // If it is lost meanwhile, channels are opened anew by whoever uses them.
        let restored = inner.restore(generation, &connection);
        if tokio::time::timeout(RESTORE, restored).await.is_err() {
            tracing::warn!("{}: what was there is not all there again", inner.uri);
        }
        if !inner.set(Link::Up { generation, connection: Arc::clone(&connection) }) {
            // Closed meanwhile: who does not answer is left.
            let farewell = connection.close(200, "OK".into());
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
            return;
        }
        tracing::info!("{} is connected again", inner.uri);
    }
}
